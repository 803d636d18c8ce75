/* SPDX-License-Identifier: MIT */
/*
 * Frames: how a message's body stands on the line (docs/wire-format.md).
 *
 *	0x00 | COBS(body | CRC-32 of body, little-endian) | 0x00
 *
 * Body and CRC together are at most FRAME_MAX bytes, so COBS costs exactly
 * one byte and a caller can size its buffers when it is compiled.
 */
#ifndef TINYPROF_FRAME_H
#define TINYPROF_FRAME_H

#include <stdint.h>

#define FRAME_MAX	254
#define FRAME_CRC	4
#define BODY_MAX	(FRAME_MAX - FRAME_CRC)
#define FRAME_LINE_MAX	(FRAME_MAX + 3)	/* with the COBS byte and both zeros */

/* CRC-32 as in zlib and Ethernet. */
uint32_t crc32(const uint8_t *data, unsigned int size);

/*
 * Write the frame of a body of at most BODY_MAX bytes to line, which has room
 * for FRAME_LINE_MAX. Returns the bytes written.
 */
unsigned int frame_encode(uint8_t *line, const uint8_t *body, unsigned int size);

#endif
