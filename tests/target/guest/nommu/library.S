/* SPDX-License-Identifier: MIT */
/*
 * A shared library of FDPIC programs, which the kernel maps as their interpreter. It starts the
 * program, and gives it the address of its table in r10. Its functions have no data.
 */
	.syntax	unified
	.thumb
	.section .note.GNU-stack, "", %progbits

	.equ	AT_ENTRY, 9

	.text
	.thumb_func
	.globl	_start
_start:
	ldr	r0, [sp]		@ argc
	add	r1, sp, #8
	add	r1, r1, r0, lsl #2	@ envp
1:	ldr	r2, [r1], #4
	cmp	r2, #0
	bne	1b
2:	ldr	r2, [r1], #8		@ the auxiliary vector: pairs
	cmp	r2, #AT_ENTRY
	bne	2b
	ldr	r3, [r1, #-4]
	adr	r10, table
	bx	r3

	/* Offsets of functions from the table. */
	.balign	4
table:
	.word	library_tell - table
	.word	library_wait - table
