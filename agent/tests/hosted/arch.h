/* SPDX-License-Identifier: MIT */
/*
 * nolibc's calling convention on top of this machine's C library, so that the
 * agent's own sources run here under sanitizers. Errors are negative errnos.
 */
#ifndef ARCH_H
#define ARCH_H

#include <errno.h>

long syscall(long number, ...);

#define hosted_syscall(...)						\
({									\
	long result_ = syscall(__VA_ARGS__);				\
									\
	result_ == -1 ? -(long)errno : result_;				\
})

#define my_syscall0(n)			hosted_syscall(n)
#define my_syscall1(n, a)		hosted_syscall(n, a)
#define my_syscall2(n, a, b)		hosted_syscall(n, a, b)
#define my_syscall3(n, a, b, c)		hosted_syscall(n, a, b, c)
#define my_syscall4(n, a, b, c, d)	hosted_syscall(n, a, b, c, d)
#define my_syscall5(n, a, b, c, d, e)	hosted_syscall(n, a, b, c, d, e)
#define my_syscall6(n, a, b, c, d, e, f)	hosted_syscall(n, a, b, c, d, e, f)

#endif
