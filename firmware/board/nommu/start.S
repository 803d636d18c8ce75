/* SPDX-License-Identifier: MIT */
/*
 * The start of a bFLT program with a libc, and the libc's setjmp(). The libc's own code for these
 * finds its data by the distance from the text. In a bFLT program that distance is not known.
 *
 * The kernel gives argc, argv and envp on the stack (create_flat_tables()), and the address of the
 * data in r10.
 */
	.syntax	unified
	.thumb
	.section .note.GNU-stack, "", %progbits

	.text
	.globl	_start
	.type	_start, %function
	.thumb_func
_start:
	ldr	r0, [sp]
	ldr	r1, [sp, #4]
	ldr	r2, [sp, #8]
	bl	begin_program

	.globl	setjmp, _setjmp, __setjmp
	.type	setjmp, %function
	.type	_setjmp, %function
	.type	__setjmp, %function
	.thumb_func
setjmp:
	.thumb_func
_setjmp:
	.thumb_func
__setjmp:
	stmia	r0!, {r4-r11}
	mov	r2, sp
	stmia	r0!, {r2, lr}
	movs	r0, #0
	bx	lr

	.globl	longjmp, _longjmp
	.type	longjmp, %function
	.type	_longjmp, %function
	.thumb_func
longjmp:
	.thumb_func
_longjmp:
	ldmia	r0!, {r4-r11}
	ldmia	r0!, {r2, lr}
	mov	sp, r2
	movs	r0, r1
	it	eq
	moveq	r0, #1
	bx	lr
