/* SPDX-License-Identifier: MIT */
/*
 * The part of msgpack that the wire uses, always in the shortest form.
 *
 * A writer appends to a bounded buffer. Each call appends all of its value and
 * returns true, or, where there is no room, appends nothing and returns false.
 *
 * A reader takes values off a buffer of any origin. Each call returns true, or
 * false where the bytes are not that kind of value in its shortest form; then
 * the reader is of no more use.
 */
#ifndef MSGPACK_H
#define MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest string written; a longer one is cut. */
#define MSGPACK_STR_MAX		31

struct msgpack_writer {
	uint8_t *at;
	uint8_t *end;
};

/* The most that the head of an array takes. */
#define MSGPACK_ARRAY_SIZE	3

/* The head of an array of n elements, n below 65,536. */
bool msgpack_array(struct msgpack_writer *w, uint32_t n);

bool msgpack_uint(struct msgpack_writer *w, uint32_t value);
bool msgpack_int(struct msgpack_writer *w, int32_t value);

enum msgpack_constant {
	MSGPACK_NIL = 0xc0,
	MSGPACK_FALSE = 0xc2,
	MSGPACK_TRUE = 0xc3,
};

bool msgpack_constant(struct msgpack_writer *w, enum msgpack_constant constant);

/* Text up to its NUL, or up to max bytes if that comes first. */
bool msgpack_str(struct msgpack_writer *w, const char *text, size_t max);

/* Binary data, len below 256. */
bool msgpack_bin(struct msgpack_writer *w, const void *bytes, size_t len);

struct msgpack_reader {
	const uint8_t *at;
	const uint8_t *end;
};

/* The head of an array of at most 15 elements. */
bool msgpack_read_array(struct msgpack_reader *r, uint32_t *n);

/* An unsigned integer of at most 32 bits. */
bool msgpack_read_uint(struct msgpack_reader *r, uint32_t *value);

#endif
