// SPDX-License-Identifier: MIT
/*
 * The functions that the compiler itself calls, even in a freestanding
 * program.
 */
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* Whatever it is part of. */
typedef long word __attribute__((may_alias));

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);

__attribute__((used)) void *memset(void *to, int value, size_t size)
{
	unsigned char *byte = to;

	/* Most of what is set or copied is structs: word by word it takes a third of the time. */
	if (ALL_SOURCES && !value && !((uintptr_t)to % sizeof(long)))
		for (; size >= sizeof(long); size -= sizeof(long), byte += sizeof(long))
			*(word *)byte = 0;
	for (; size--; byte++)
		*byte = (unsigned char)value;
	return to;
}

__attribute__((used)) void *memcpy(void *to, const void *from, size_t size)
{
	const unsigned char *source = from;
	unsigned char *byte = to;

	if (ALL_SOURCES && !(((uintptr_t)to | (uintptr_t)from) % sizeof(long)))
		for (; size >= sizeof(long); size -= sizeof(long)) {
			*(word *)byte = *(const word *)source;
			byte += sizeof(long);
			source += sizeof(long);
		}
	for (; size--; byte++)
		*byte = *source++;
	return to;
}
