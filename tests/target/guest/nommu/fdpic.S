/* SPDX-License-Identifier: MIT */
/*
 * The start of an FDPIC program: r7 has its load map, r10 the library's table, and the stack
 * begins with argc and argv. Every address in its data is relocated, and r9 becomes the address
 * of its global offset table.
 */
	.syntax	unified
	.thumb
	.section .note.GNU-stack, "", %progbits

	.section .interp, "a"
	.asciz	"/lib/libguest.so"

	.text
	.thumb_func
	.globl	_start
_start:
	mov	r0, r7
	adr	r3, lists
	ldr	r1, [r3]
	add	r1, r1, r3
	ldr	r2, [r3, #4]
	add	r2, r2, r3
	bl	relocate
	mov	r9, r0
	ldr	r0, [sp]
	add	r1, sp, #4
	mov	r2, r10
	bl	main
	movs	r7, #1			@ exit
	svc	0

	.balign	4
lists:
	.word	__ROFIXUP_LIST__ - lists
	.word	__ROFIXUP_END__ - lists
