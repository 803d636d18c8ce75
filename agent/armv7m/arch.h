/* SPDX-License-Identifier: MIT */
/*
 * In the place of nolibc's arch.h, for a Cortex-M in a program of the format bFLT:
 * system calls and _start, in Thumb instructions alone. The kernel gives argc, argv
 * and envp on the stack, and the address of the data in r10. A program of another
 * format has a _start of its own.
 */
#ifndef ARCH_H
#define ARCH_H

#include "../arm.h"

#ifndef __FDPIC__
__asm__(".section .text\n"
	".syntax unified\n"
	".thumb\n"
	".globl _start\n"
	".type _start, %function\n"
	".thumb_func\n"
	"_start:\n"
	"	ldr r0, [sp]\n"
	"	ldr r1, [sp, #4]\n"
	"	ldr r2, [sp, #8]\n"
	"	bl main\n"
	"	movs r7, #1\n"		/* __NR_exit */
	"	svc 0\n");
#endif

/* Arguments that a call does not have are whatever they are, so 0 costs a little. */
#define my_syscall6(n, a, b, c, d, e, f) \
	arm_call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define my_syscall5(n, a, b, c, d, e)	my_syscall6((n), (a), (b), (c), (d), (e), 0)
#define my_syscall4(n, a, b, c, d)	my_syscall5((n), (a), (b), (c), (d), 0)
#define my_syscall3(n, a, b, c)		my_syscall4((n), (a), (b), (c), 0)
#define my_syscall2(n, a, b)		my_syscall3((n), (a), (b), 0)
#define my_syscall1(n, a)		my_syscall2((n), (a), 0)

#endif
