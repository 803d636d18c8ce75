/* SPDX-License-Identifier: MIT */
/*
 * Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without a
 * zero, so that a zero can stand between frames. Both directions work in place.
 */
#ifndef COBS_H
#define COBS_H

#include <stddef.h>
#include <stdint.h>

/* The longest payload for which the code costs exactly one byte. */
#define COBS_PAYLOAD_MAX	254

/*
 * Encodes len bytes, at most COBS_PAYLOAD_MAX, that stand at bytes[1]. bytes[0]
 * is free and becomes the first code byte. The result is len + 1 bytes long and
 * has no zero.
 */
void cobs_encode(uint8_t *bytes, size_t len);

/*
 * Decodes len bytes, none of them zero. Any len will do.
 *
 * Returns the payload's length, always less than len; 0 if the payload is empty
 * or a code byte points beyond the end.
 */
size_t cobs_decode(uint8_t *bytes, size_t len);

#endif
