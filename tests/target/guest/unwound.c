// SPDX-License-Identifier: MIT
/*
 * A library for unwinds.c: goes a few frames deep, and keeps a variable for
 * each thread. A stretch of nothing makes its code long enough to be split.
 */
#include <string.h>

static __thread int depth;
__thread char name_of_thread[64] = "unnamed";

__attribute__((noinline, section(".text.far"), aligned(4096))) int deeper(int (*then)(void), int frames)
{
	int result;

	depth = frames;
	result = frames ? deeper(then, frames - 1) : then();
	/* No tail call, or there would be no frame to find. */
	__asm__ volatile("" ::: "memory");
	return result;
}

__attribute__((used, section(".text.pad"))) static void padding(void)
{
	__asm__ volatile(".space 30000");
}

const char *named(const char *name)
{
	strncpy(name_of_thread, name, sizeof(name_of_thread) - 1);
	return name_of_thread;
}

int deepest(void)
{
	return depth;
}
