// SPDX-License-Identifier: MIT
#include "pack.h"

/* A tag and the low `bytes` bytes of a value, big-endian. */
static void put(struct pack *p, uint8_t tag, uint32_t value, unsigned int bytes)
{
	if (p->full || p->room - p->size < 1 + bytes) {
		p->full = true;
		return;
	}
	p->bytes[p->size++] = tag;
	while (bytes--)
		p->bytes[p->size++] = (uint8_t)(value >> 8 * bytes);
}

static void put_bytes(struct pack *p, const void *data, unsigned int size)
{
	const uint8_t *from = data;

	if (p->full || p->room - p->size < size) {
		p->full = true;
		return;
	}
	while (size--)
		p->bytes[p->size++] = *from++;
}

void pack_uint(struct pack *p, uint32_t value)
{
	if (value < 0x80)
		put(p, (uint8_t)value, 0, 0);
	else if (value <= 0xff)
		put(p, 0xcc, value, 1);
	else if (value <= 0xffff)
		put(p, 0xcd, value, 2);
	else
		put(p, 0xce, value, 4);
}

void pack_int(struct pack *p, int32_t value)
{
	if (value >= 0)
		pack_uint(p, (uint32_t)value);
	else if (value >= -32)
		put(p, (uint8_t)value, 0, 0);
	else if (value >= INT8_MIN)
		put(p, 0xd0, (uint32_t)value, 1);
	else if (value >= INT16_MIN)
		put(p, 0xd1, (uint32_t)value, 2);
	else
		put(p, 0xd2, (uint32_t)value, 4);
}

void pack_array(struct pack *p, unsigned int elements)
{
	if (elements < 16)
		put(p, (uint8_t)(0x90 | elements), 0, 0);
	else
		put(p, 0xdc, elements, 2);
}

void pack_text(struct pack *p, const char *text, unsigned int size)
{
	put(p, (uint8_t)(0xa0 | size), 0, 0);
	put_bytes(p, text, size);
}

void pack_binary(struct pack *p, const void *data, unsigned int size)
{
	put(p, 0xc4, size, 1);
	put_bytes(p, data, size);
}
