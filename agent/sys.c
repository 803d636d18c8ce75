// SPDX-License-Identifier: MIT
/*
 * The calling convention and _start come from <arch.h>: that of the kernel
 * tree's nolibc, or of tests/hosted.
 */
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/eventpoll.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/stat.h>

#include <arch.h>

#include "sys.h"

#ifdef _NOLIBC_CRT_H
/* From 6.6 on nolibc's _start goes through C (crt.h), and calls these two. */
static void __stack_chk_init(void)
{
}

static void exit(int status)
{
	sys_exit(status);
}
#endif

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

#ifdef __NR_mmap2
#define NR_MMAP			__NR_mmap2	/* the offset in pages */
#else
#define NR_MMAP			__NR_mmap
#endif

#define CLOCK_MONOTONIC_ID	1
#define SIGSET_SIZE		8
#define SIGACTION_LONGS		5	/* handler, flags, restorer, 8 bytes of mask */

/* Some nolibc has no system call of six arguments for 32-bit ARM. */
#if !defined(my_syscall6) && defined(__ARM_EABI__)
#include "arm.h"
#define my_syscall6 arm_call
#endif

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

long sys_ioctl_number(int fd, unsigned long request, long argument)
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

/* The child has this memory and this stack until it executes: it must not return from here. */
__attribute__((noinline)) long sys_spawn(const char *path, char **argv, char **environment)
{
	long child = my_syscall5(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (!child) {
		my_syscall3(__NR_execve, path, argv, environment);
		my_syscall1(__NR_exit, 127);
	}
	return child;
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

long sys_openat(int folder, const char *path, int flags)
{
	return my_syscall4(__NR_openat, folder, path, flags | O_CLOEXEC, 0);
}

long sys_seek(int fd, long offset, int whence)
{
	return my_syscall3(__NR_lseek, fd, offset, whence);
}

long sys_keep_mounts(void)
{
	return my_syscall5(__NR_mount, NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
}

long sys_mknod(int folder, const char *path, unsigned int mode, uint32_t device)
{
	return my_syscall4(__NR_mknodat, folder, path, mode, device);
}

long sys_unlink(int folder, const char *path)
{
	return my_syscall3(__NR_unlinkat, folder, path, 0);
}

long sys_statx(const char *path, struct statx *to)
{
	return my_syscall5(__NR_statx, AT_FDCWD, path, 0, STATX_SIZE | STATX_TYPE | STATX_NLINK, to);
}

long sys_kill(uint32_t pid, int signal)
{
	return my_syscall2(__NR_kill, pid, signal);
}

long sys_list(int folder, void *to, size_t size)
{
	return my_syscall3(__NR_getdents64, folder, to, size);
}

long sys_pipe(int ends[2])
{
	return my_syscall2(__NR_pipe2, ends, O_CLOEXEC);
}

long sys_pass_on(int fd)
{
	return my_syscall3(__NR_fcntl, fd, F_SETFD, 0);
}

long sys_perf_event(struct perf_event_attr *attributes, int cpu)
{
	return my_syscall5(__NR_perf_event_open, attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

long sys_epoll(void)
{
	return my_syscall1(__NR_epoll_create1, EPOLL_CLOEXEC);
}

long sys_epoll_add(int epoll, int fd)
{
	struct epoll_event event = { .events = POLLIN };

	return my_syscall4(__NR_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, &event);
}

uint64_t sys_monotonic_ns(void)
{
	struct sys_time t = { 0, 0 };

	my_syscall2(NR_CLOCK_GETTIME, CLOCK_MONOTONIC_ID, &t);
	return (uint64_t)t.sec * 1000000000u + (uint64_t)t.nsec;
}

void *sys_map(int fd, size_t size, bool writable)
{
	long protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	long at = my_syscall6(NR_MMAP, 0, size, protection, MAP_SHARED, fd, 0);

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): a system call gives a number. */
	return (unsigned long)at < -4095ul ? (void *)at : NULL;
}

long sys_unmap(void *at, size_t size)
{
	return my_syscall2(__NR_munmap, at, size);
}

long sys_residency(void *at, size_t size, uint8_t *pages)
{
	return my_syscall3(__NR_mincore, at, size, pages);
}

#define ENDING	(1ul << (SIGTERM - 1) | 1ul << (SIGINT - 1))

void sys_hold_signals(void)
{
	const unsigned long set[SIGSET_SIZE / sizeof(long)] = { ENDING };

	my_syscall4(__NR_rt_sigprocmask, SIG_BLOCK, set, NULL, SIGSET_SIZE);
}

bool sys_was_told_to_end(void)
{
	unsigned long set[SIGSET_SIZE / sizeof(long)] = { 0 };

	my_syscall2(__NR_rt_sigpending, set, SIGSET_SIZE);
	return set[0] & ENDING;
}
