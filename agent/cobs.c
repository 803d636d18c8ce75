// SPDX-License-Identifier: MIT
#include "cobs.h"

/* The code byte of a full block: it ends without an implied zero. */
#define COBS_FULL	0xff

void cobs_encode(uint8_t *bytes, size_t len)
{
	size_t code = 0;
	size_t i;

	for (i = 1; i <= len; i++) {
		if (bytes[i])
			continue;
		bytes[code] = i - code;
		code = i;
	}
	bytes[code] = i - code;
}

size_t cobs_decode(uint8_t *bytes, size_t len)
{
	size_t in = 0;
	size_t out = 0;

	while (in < len) {
		uint8_t code = bytes[in++];
		size_t end = in + code - 1;

		if (end > len)
			return 0;
		while (in < end)
			bytes[out++] = bytes[in++];
		if (code != COBS_FULL && in < len)
			bytes[out++] = 0;
	}
	return out;
}
