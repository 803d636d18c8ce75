// SPDX-License-Identifier: MIT
/*
 * Writes to standard output the frames of a hello, of the records that come
 * in on standard input as native 32-bit words, of an epoch end and a status.
 * The host's decoder is held to what comes out (tests/agent).
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

#define WORDS_MAX	(1 << 20)

static uint16_t seq;

static void send(const struct body *body)
{
	uint8_t line[FRAME_LINE_MAX];

	fwrite(line, 1, frame_encode(line, body->bytes, body->size), stdout);
	seq++;
}

int main(void)
{
	static uint32_t words[WORDS_MAX];
	struct wire_hello hello = {
		.agent = "0.1.0", .kernel = "6.1.192-a-release-longer-than-31-bytes", .arch = "armv7l",
		.boot_id = 0x0807060504030201, .epoch_ms = 1000, .tracer = TINYPROF_ABI, .volumes = 1,
		.volume = { { .flags = 1, .crc = 0xe7d3b8e0, .edition = 1, .blocks = 6449, .files = 412,
			      .size = 12988416, .name = "sixteen bytes ok" } },
	};
	struct tinyprof_epoch end = { .epoch = 7, .ms = 0xffffffff, .records = { 1, 200, 3000, 400000 } };
	struct wire_status status = { .ms = 70000, .queued = 127, .untraced = 128, .write_errors = 255 };
	struct tinyprof_batch batch = { .volume = 0, .epoch = 7, .ms = 12345 };
	struct body body;

	batch.count = (uint32_t)fread(words, sizeof(words[0]), WORDS_MAX, stdin);
	wire_hello(&body, seq, &hello);
	send(&body);
	for (uint32_t next = 0; next < batch.count;) {
		next = wire_pages(&body, seq, &batch, words, next);
		send(&body);
	}
	wire_epoch_end(&body, seq, &end);
	send(&body);
	wire_status(&body, seq, &status);
	send(&body);
	return EXIT_SUCCESS;
}
