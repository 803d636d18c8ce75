/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the agent makes, and nothing more of a C library. The
 * calling convention and _start come from the kernel tree's nolibc (arch.h).
 * Each call returns what the kernel returns: a negative errno for an error.
 */
#ifndef SYS_H
#define SYS_H

#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>

#include <arch.h>

#define SYS_CLOCK_BOOTTIME	7

/*
 * Kernels may leave out the system calls with a 32-bit time (COMPAT_32BIT_TIME);
 * those with a 64-bit one have another number where long has 32 bits.
 */
#ifdef __NR_clock_gettime64
#define SYS_CLOCK_GETTIME	__NR_clock_gettime64
#define SYS_PPOLL		__NR_ppoll_time64
#else
#define SYS_CLOCK_GETTIME	__NR_clock_gettime
#define SYS_PPOLL		__NR_ppoll
#endif

struct sys_time {
	int64_t sec, nsec;
};

static inline int sys_open(const char *path, int flags)
{
	return my_syscall4(__NR_openat, AT_FDCWD, path, flags, 0);
}

static inline int sys_close(int fd)
{
	return my_syscall1(__NR_close, fd);
}

static inline long sys_read(int fd, void *to, size_t size)
{
	return my_syscall3(__NR_read, fd, to, size);
}

static inline long sys_write(int fd, const void *from, size_t size)
{
	return my_syscall3(__NR_write, fd, from, size);
}

static inline int sys_ioctl(int fd, unsigned long request, void *argument)
{
	return my_syscall3(__NR_ioctl, fd, request, argument);
}

/* Negative ms: no limit. */
static inline int sys_poll(struct pollfd *fds, unsigned int count, int ms)
{
	struct sys_time limit = { ms / 1000, ms % 1000 * 1000000 };

	return my_syscall5(SYS_PPOLL, fds, count, ms < 0 ? NULL : &limit, NULL, 0);
}

/* Milliseconds since boot, modulo 2^32. */
static inline uint32_t now_ms(void)
{
	struct sys_time t = { 0, 0 };

	my_syscall2(SYS_CLOCK_GETTIME, SYS_CLOCK_BOOTTIME, &t);
	return (uint32_t)t.sec * 1000u + (uint32_t)t.nsec / 1000000u;
}

struct new_utsname;

static inline int sys_uname(struct new_utsname *to)
{
	return my_syscall1(__NR_uname, to);
}

static inline int sys_mount(const char *type, const char *folder)
{
	return my_syscall5(__NR_mount, type, folder, type, 0, NULL);
}

static inline int sys_getpid(void)
{
	return my_syscall1(__NR_getpid, 0);
}

static inline int sys_fork(void)
{
	return my_syscall5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}

static inline int sys_setsid(void)
{
	return my_syscall1(__NR_setsid, 0);
}

static inline int sys_execve(const char *path, char **argv, char **environment)
{
	return my_syscall3(__NR_execve, path, argv, environment);
}

static inline void sys_exit(int status)
{
	my_syscall1(__NR_exit, status);
}

#endif
