/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the agent makes, and nothing more of a C library. Each
 * returns what the kernel returns: a negative errno for an error.
 */
#ifndef SYS_H
#define SYS_H

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

/* Negative ms: no limit. */
long sys_poll(struct pollfd *fds, unsigned int count, int ms);

/* Milliseconds since boot (CLOCK_BOOTTIME), modulo 2^32. */
uint32_t sys_now_ms(void);

struct new_utsname;
long sys_uname(struct new_utsname *to);

long sys_getpid(void);
long sys_fork(void);
long sys_setsid(void);
long sys_execve(const char *path, char **argv, char **environment);
void sys_exit(int status);
long sys_ignore(int signal);

/* From here on, what this process mounts is seen by it alone. */
long sys_own_mounts(void);

/* Mounts the filesystem of that type, which needs no device. */
long sys_mount(const char *type, const char *folder);

#endif
