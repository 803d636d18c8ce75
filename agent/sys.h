/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the agent makes, and nothing more of a C library. Each
 * returns what the kernel returns: a negative errno for an error.
 */
#ifndef SYS_H
#define SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/poll.h>
#include <linux/fcntl.h>

long sys_open(const char *path, int flags);
long sys_close(int fd);
long sys_read(int fd, void *to, size_t size);
long sys_write(int fd, const void *from, size_t size);
long sys_ioctl(int fd, unsigned long request, void *argument);
long sys_ioctl_number(int fd, unsigned long request, long argument);

/* Negative ms: no limit. */
long sys_poll(struct pollfd *fds, unsigned int count, int ms);

/* Milliseconds since boot (CLOCK_BOOTTIME), modulo 2^32. */
uint32_t sys_now_ms(void);

struct new_utsname;
long sys_uname(struct new_utsname *to);

long sys_getpid(void);
long sys_fork(void);
long sys_setsid(void);

/* Runs a program beside this one, also where the kernel cannot fork. A negative errno for an error. */
long sys_spawn(const char *path, char **argv, char **environment);
long sys_execve(const char *path, char **argv, char **environment);
void sys_exit(int status);
long sys_ignore(int signal);

/* From here on, what this process mounts is seen by it alone. */
long sys_own_mounts(void);

/* Mounts the filesystem of that type, which needs no device. */
long sys_mount(const char *type, const char *folder);

/* What only a tracer of perf events or of residency needs. */

struct perf_event_attr;
struct statx;

/* As sys_open(), a path relative to folder where it does not begin with '/'. */
long sys_openat(int folder, const char *path, int flags);
long sys_seek(int fd, long offset, int whence);

/* What is mounted here stays here; what others unmount goes here, too. */
long sys_keep_mounts(void);

long sys_mknod(int folder, const char *path, unsigned int mode, uint32_t device);
long sys_unlink(int folder, const char *path);
long sys_statx(const char *path, struct statx *to);
long sys_kill(uint32_t pid, int signal);
long sys_list(int folder, void *to, size_t size);
long sys_pipe(int ends[2]);

/* Programs that this one executes have that descriptor, too. */
long sys_pass_on(int fd);
long sys_perf_event(struct perf_event_attr *attributes, int cpu);
long sys_epoll(void);
long sys_epoll_add(int epoll, int fd);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t sys_monotonic_ns(void);

/* Maps a file; writable and shared, or to be looked at. NULL: that failed. */
void *sys_map(int fd, size_t size, bool writable);
long sys_unmap(void *at, size_t size);
long sys_residency(void *at, size_t size, uint8_t *pages);

/* Holds back SIGTERM and SIGINT; then says whether one of them came. */
void sys_hold_signals(void);
bool sys_was_told_to_end(void);

#endif
