// SPDX-License-Identifier: MIT
#include "frame.h"

#define CRC_POLYNOMIAL	0xedb88320u

uint32_t crc32(const uint8_t *data, unsigned int size)
{
	uint32_t crc = ~0u;

	while (size--) {
		crc ^= *data++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
	}
	return ~crc;
}

/*
 * COBS replaces each zero by the distance to the next one, counted in a byte
 * in front. The count of a run stands at *count until its length is known.
 */
struct cobs {
	uint8_t *count;
	uint8_t *next;
};

static void cobs_put(struct cobs *out, uint8_t byte)
{
	if (byte) {
		*out->next++ = byte;
		return;
	}
	*out->count = (uint8_t)(out->next - out->count);
	out->count = out->next++;
}

unsigned int frame_encode(uint8_t *line, const uint8_t *body, unsigned int size)
{
	struct cobs out = { .count = line + 1, .next = line + 2 };
	uint32_t crc = crc32(body, size);

	line[0] = 0;
	while (size--)
		cobs_put(&out, *body++);
	for (int shift = 0; shift < 32; shift += 8)
		cobs_put(&out, (uint8_t)(crc >> shift));
	*out.count = (uint8_t)(out.next - out.count);
	*out.next++ = 0;
	return (unsigned int)(out.next - line);
}
