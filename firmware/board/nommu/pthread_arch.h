/* SPDX-License-Identifier: MIT */
/*
 * In the place of musl's pthread_arch.h for ARM, which asks the coprocessor for the thread pointer.
 * A Cortex-M3 has none: see start.c.
 */
extern hidden uintptr_t process_thread;

static inline uintptr_t __get_tp(void)
{
	return process_thread;
}

/* The thread's own data are behind two words, as the ABI of ARM wants it. */
#define TLS_ABOVE_TP
#define GAP_ABOVE_TP	8

/* The member of a signal's context that has the program counter. */
#define MC_PC		arm_pc
