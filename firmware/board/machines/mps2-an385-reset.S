/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of QEMU's mps2-an385, in the place of a boot loader. They
 * enable both serial ports, since the kernel's early console and its driver's
 * console wait for ever on a port that is off. Then they start the kernel with the
 * address of its device tree.
 *
 * It is linked to address 0, where a Cortex-M finds its stack and its entry.
 */
	.syntax	unified
	.cpu	cortex-m3
	.thumb

	.equ	UART0, 0x40004000
	.equ	UART1, 0x40005000
	.equ	CTRL, 0x08
	.equ	TX_AND_RX, 3
	.equ	BAUDDIV, 0x10
	.equ	BAUDDIV_MIN, 16

	.section .text
	.word	0x20400000		@ a stack that nobody uses
	.word	_start

	.thumb_func
	.globl	_start
_start:
	movs	r1, #BAUDDIV_MIN
	movs	r2, #TX_AND_RX
	ldr	r3, =UART0
	str	r1, [r3, #BAUDDIV]
	str	r2, [r3, #CTRL]
	ldr	r3, =UART1
	str	r1, [r3, #BAUDDIV]
	str	r2, [r3, #CTRL]
	movs	r0, #0			@ r0, r1 and r2 as Documentation/arm/booting.rst has them
	mvn	r1, #0
	ldr	r2, =DEVICE_TREE
	ldr	r3, =KERNEL + 1
	bx	r3
	.pool
