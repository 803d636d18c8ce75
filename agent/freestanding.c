// SPDX-License-Identifier: MIT
/*
 * The functions that the compiler itself calls, even in a freestanding
 * program.
 */
#include <stddef.h>

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);

__attribute__((used)) void *memset(void *to, int value, size_t size)
{
	for (unsigned char *byte = to; size--; byte++)
		*byte = (unsigned char)value;
	return to;
}

__attribute__((used)) void *memcpy(void *to, const void *from, size_t size)
{
	const unsigned char *source = from;

	for (unsigned char *byte = to; size--; byte++)
		*byte = *source++;
	return to;
}
