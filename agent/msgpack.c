// SPDX-License-Identifier: MIT
#include "msgpack.h"

enum {
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	BIN8 = 0xc4,
	UINT8 = 0xcc,
	UINT16 = 0xcd,
	UINT32 = 0xce,
	INT8 = 0xd0,
	INT16 = 0xd1,
	INT32 = 0xd2,
	ARRAY16 = 0xdc,
};

/* A tag and the low size bytes of value, most significant first. */
static bool put(struct msgpack_writer *w, uint8_t tag, uint32_t value, int size)
{
	if (w->end - w->at < 1 + size)
		return false;
	*w->at++ = tag;
	while (size--)
		*w->at++ = value >> (8 * size);
	return true;
}

/* A tag, its value if it has one, and len bytes. */
static bool put_bytes(struct msgpack_writer *w, uint8_t tag, int size,
		      const uint8_t *bytes, size_t len)
{
	if ((size_t)(w->end - w->at) < 1 + size + len)
		return false;
	put(w, tag, len, size);
	while (len--)
		*w->at++ = *bytes++;
	return true;
}

bool msgpack_array(struct msgpack_writer *w, uint32_t n)
{
	if (n < 16)
		return put(w, FIXARRAY | n, 0, 0);
	return put(w, ARRAY16, n, 2);
}

bool msgpack_uint(struct msgpack_writer *w, uint32_t value)
{
	if (value < 0x80)
		return put(w, value, 0, 0);
	if (value <= UINT8_MAX)
		return put(w, UINT8, value, 1);
	if (value <= UINT16_MAX)
		return put(w, UINT16, value, 2);
	return put(w, UINT32, value, 4);
}

bool msgpack_int(struct msgpack_writer *w, int32_t value)
{
	if (value >= 0)
		return msgpack_uint(w, value);
	if (value >= -32)
		return put(w, value, 0, 0);
	if (value >= INT8_MIN)
		return put(w, INT8, value, 1);
	if (value >= INT16_MIN)
		return put(w, INT16, value, 2);
	return put(w, INT32, value, 4);
}

bool msgpack_constant(struct msgpack_writer *w, enum msgpack_constant constant)
{
	return put(w, constant, 0, 0);
}

bool msgpack_str(struct msgpack_writer *w, const char *text, size_t max)
{
	size_t len = 0;

	while (len < max && len < MSGPACK_STR_MAX && text[len])
		len++;
	return put_bytes(w, FIXSTR | len, 0, (const uint8_t *)text, len);
}

bool msgpack_bin(struct msgpack_writer *w, const void *bytes, size_t len)
{
	return put_bytes(w, BIN8, 1, bytes, len);
}

bool msgpack_read_array(struct msgpack_reader *r, uint32_t *n)
{
	if (r->at == r->end || (*r->at & 0xf0) != FIXARRAY)
		return false;
	*n = *r->at++ & 0x0f;
	return true;
}

bool msgpack_read_uint(struct msgpack_reader *r, uint32_t *value)
{
	uint8_t tag;
	int size;

	if (r->at == r->end)
		return false;
	tag = *r->at++;
	*value = tag;
	if (tag < 0x80)
		return true;
	if (tag < UINT8 || tag > UINT32)
		return false;
	size = 1 << (tag - UINT8);
	if (r->end - r->at < size)
		return false;
	for (*value = 0; size; size--)
		*value = *value << 8 | *r->at++;

	/* A longer form than the value needs is another sender's mistake. */
	if (tag == UINT8)
		return *value >= 0x80;
	return *value > (tag == UINT16 ? UINT8_MAX : UINT16_MAX);
}
