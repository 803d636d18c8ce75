// SPDX-License-Identifier: MIT
/*
 * The calling convention and _start come from <arch.h>: that of the kernel
 * tree's nolibc, or of tests/hosted.
 */
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/sched.h>

#include <arch.h>

#include "sys.h"

#define CLOCK_BOOTTIME_ID	7	/* <linux/time.h> has types besides */

/*
 * Kernels may leave out the system calls with a 32-bit time (COMPAT_32BIT_TIME);
 * those with a 64-bit one have another number where long has 32 bits.
 */
#ifdef __NR_clock_gettime64
#define NR_CLOCK_GETTIME	__NR_clock_gettime64
#define NR_PPOLL		__NR_ppoll_time64
#else
#define NR_CLOCK_GETTIME	__NR_clock_gettime
#define NR_PPOLL		__NR_ppoll
#endif

#define SIGSET_SIZE		8
#define SIGACTION_LONGS		5	/* handler, flags, restorer, 8 bytes of mask */

struct sys_time {
	int64_t sec, nsec;
};

long sys_open(const char *path, int flags)
{
	return my_syscall4(__NR_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

long sys_close(int fd)
{
	return my_syscall1(__NR_close, fd);
}

long sys_read(int fd, void *to, size_t size)
{
	return my_syscall3(__NR_read, fd, to, size);
}

long sys_write(int fd, const void *from, size_t size)
{
	return my_syscall3(__NR_write, fd, from, size);
}

long sys_ioctl(int fd, unsigned long request, void *argument)
{
	return my_syscall3(__NR_ioctl, fd, request, argument);
}

long sys_poll(struct pollfd *fds, unsigned int count, int ms)
{
	uint32_t sec = (uint32_t)ms / 1000;
	uint32_t nsec = (uint32_t)ms % 1000 * 1000000;
	struct sys_time limit = { sec, nsec };

	return my_syscall5(NR_PPOLL, fds, count, ms < 0 ? NULL : &limit, NULL, 0);
}

uint32_t sys_now_ms(void)
{
	struct sys_time t = { 0, 0 };

	my_syscall2(NR_CLOCK_GETTIME, CLOCK_BOOTTIME_ID, &t);
	return (uint32_t)t.sec * 1000u + (uint32_t)t.nsec / 1000000u;
}

long sys_uname(struct new_utsname *to)
{
	return my_syscall1(__NR_uname, to);
}

long sys_getpid(void)
{
	return my_syscall1(__NR_getpid, 0);
}

long sys_fork(void)
{
	return my_syscall5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}

long sys_setsid(void)
{
	return my_syscall1(__NR_setsid, 0);
}

long sys_execve(const char *path, char **argv, char **environment)
{
	return my_syscall3(__NR_execve, path, argv, environment);
}

void sys_exit(int status)
{
	my_syscall1(__NR_exit, status);
}

long sys_ignore(int signal)
{
	/* The kernel's struct sigaction: a handler, then nothing but zeros. */
	long action[SIGACTION_LONGS] = { (long)SIG_IGN };

	return my_syscall4(__NR_rt_sigaction, signal, action, NULL, SIGSET_SIZE);
}

long sys_own_mounts(void)
{
	return my_syscall1(__NR_unshare, CLONE_NEWNS);
}

long sys_mount(const char *type, const char *folder)
{
	return my_syscall5(__NR_mount, type, folder, type, 0, NULL);
}
