/* SPDX-License-Identifier: MIT */
/*
 * msgpack, written: each value in its shortest form, into a buffer that cannot
 * be overrun. What does not fit is not written at all and sets `full`, which
 * stays set; a caller may write many values and ask once.
 */
#ifndef TINYPROF_PACK_H
#define TINYPROF_PACK_H

#include <stdbool.h>
#include <stdint.h>

struct pack {
	uint8_t *bytes;
	unsigned int size;	/* bytes written */
	unsigned int room;	/* bytes in all */
	bool full;
};

void pack_uint(struct pack *p, uint32_t value);
void pack_int(struct pack *p, int32_t value);
void pack_array(struct pack *p, unsigned int elements);	/* at most 65,535 */
void pack_text(struct pack *p, const char *text, unsigned int size); /* at most 31 */
void pack_binary(struct pack *p, const void *data, unsigned int size); /* at most 255 */

#endif
