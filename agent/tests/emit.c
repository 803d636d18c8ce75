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

static void send(struct wire_frame *frame)
{
	frame->seq++;
	if (fwrite(frame->line, 1, frame->len, stdout) != frame->len)
		exit(EXIT_FAILURE);
}

int main(void)
{
	static uint32_t words[WORDS_MAX];
	static struct wire_frame frame;
	struct tinyprof_volume volume = {
		.flags = 1, .crc = 0xe7d3b8e0, .edition = 1, .blocks = 6449, .files = 412,
		.size = 12988416, .name = "sixteen bytes ok",
	};
	struct wire_hello hello = {
		.agent = "0.1.0", .kernel = "6.1.192-a-release-longer-than-31-bytes", .arch = "armv7l",
		.epoch_ms = 1000, .tracer = { .abi = TINYPROF_ABI, .boot_id = 0x0807060504030201 },
		.volumes = &volume, .count = 1,
	};
	struct tinyprof_epoch end = { .epoch = 7, .ms = 0xffffffff, .records = { 1, 200, 3000, 400000 } };
	struct wire_status status = { .ms = 70000, .queued = 127, .untraced = 128, .write_errors = 255 };
	struct tinyprof_batch batch = { .volume = 0, .epoch = 7, .ms = 12345 };
	size_t done, count = fread(words, sizeof(words[0]), WORDS_MAX, stdin);

	wire_hello(&frame, &hello);
	send(&frame);
	for (done = 0; done < count;) {
		done += wire_pages(&frame, &batch, words + done, count - done);
		send(&frame);
	}
	wire_epoch_end(&frame, &end, 500000, NULL);
	send(&frame);
	wire_status(&frame, &status);
	send(&frame);
	return EXIT_SUCCESS;
}
