// SPDX-License-Identifier: MIT
/*
 * Encodes the messages that standard input names, one per line as numbers and
 * words, and writes each frame to standard output. The shared vectors are
 * turned into such lines (tests/agent); they hold the encoder to every byte.
 *
 *	H seq agent kernel arch boot_id epoch_ms tracer window count sourced, and if that
 *	  is not 0: tracer rearm around kinds late; then per volume
 *	  volume crc edition blocks files size flags name (the rest of the line)
 *	P seq volume epoch ms count words...
 *	E seq volume epoch ms exec read write file total counted, and if that
 *	  is not 0: count, then per file: page_id processes
 *	S seq ms queued untraced write_errors repeats waited has_events, and if that
 *	  is not 0: lost
 *	F seq volume page_id pages size device inode path, in hexadecimal digits
 *	M seq volume epoch count, then per mapping: page_id pages processes
 *	B seq session
 * In capitals a frame that is sent once, in small letters one that is repeated.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define WORDS_MAX	1024
#define PATH_MAX	4096

static struct wire_frame frame;

static uint32_t number(void)
{
	uint32_t n;

	if (scanf("%" SCNu32, &n) != 1)
		exit(EXIT_FAILURE);
	return n;
}

static void send(void)
{
	if (fwrite(frame.line, 1, frame.len, stdout) != frame.len)
		exit(EXIT_FAILURE);
	frame.seq++;
}

static void hello(void)
{
	static struct tinyprof_volume volumes[WIRE_VOLUMES_MAX];
	char agent[64], kernel[64], arch[64], name[32];
	struct wire_hello h = {
		.agent = agent, .kernel = kernel, .arch = arch, .volumes = volumes,
	};
	uint8_t *id = (uint8_t *)&h.tracer.boot_id;
	struct wire_source source;
	size_t i, c;

	if (scanf("%63s %63s %63s ", agent, kernel, arch) != 3)
		exit(EXIT_FAILURE);
	for (i = 0; i < sizeof(h.tracer.boot_id); i++)
		if (scanf("%2hhx", &id[i]) != 1)
			exit(EXIT_FAILURE);
	h.epoch_ms = number();
	h.tracer.abi = number();
	h.window = number();
	h.count = number();
	if (h.count > WIRE_VOLUMES_MAX)
		exit(EXIT_FAILURE);
	if (number()) {
		source.tracer = number();
		source.rearm = number();
		source.around = number();
		source.kinds = number();
		source.late = number();
		h.source = &source;
	}
	for (i = 0; i < h.count; i++) {
		struct tinyprof_volume *v = &volumes[i];

		v->volume = number();
		v->crc = number();
		v->edition = number();
		v->blocks = number();
		v->files = number();
		v->size = number();
		v->flags = number();
		/* It may be empty, also at the end of everything. */
		if (scanf("%*[ ]") == EOF || scanf("%31[^\n]", name) != 1)
			name[0] = 0;
		for (c = 0; c < sizeof(v->name) && name[c]; c++)
			v->name[c] = (uint8_t)name[c];
		if (c < sizeof(v->name))
			v->name[c] = 0;
	}
	wire_hello(&frame, &h);
	send();
}

static void pages(void)
{
	struct tinyprof_batch batch = { .volume = number() };
	/* As large as the batch, so that a sanitizer sees one step beyond. */
	uint32_t *words;
	size_t i, done, count;

	batch.epoch = number();
	batch.ms = number();
	count = number();
	words = count <= WORDS_MAX ? malloc(count * sizeof(*words)) : NULL;
	if (!words)
		exit(EXIT_FAILURE);
	for (i = 0; i < count; i++)
		words[i] = number();
	for (done = 0; done < count;) {
		done += wire_pages(&frame, &batch, words + done, count - done);
		send();
	}
	free(words);
}

static void epoch_end(void)
{
	struct tinyprof_epoch end = { .volume = number() };
	struct tinyprof_processes processes = { 0 };
	uint32_t total, counted, i;
	int kind;

	end.epoch = number();
	end.ms = number();
	for (kind = 0; kind < TINYPROF_KINDS; kind++)
		end.records[kind] = number();
	total = number();
	counted = number();
	if (counted)
		processes.count = number();
	if (processes.count > TINYPROF_PROCESSES_MAX)
		exit(EXIT_FAILURE);
	for (i = 0; i < processes.count; i++) {
		processes.files[i].page_id = number();
		processes.files[i].processes = number();
	}
	wire_epoch_end(&frame, &end, total, counted ? &processes : NULL);
	send();
}

static void file(void)
{
	struct wire_file f = { .volume = number() };
	char hex[2 * PATH_MAX + 1], digits[3] = { 0 };
	char *path;
	uint32_t told = 0;

	f.page_id = number();
	f.pages = number();
	f.size = number();
	f.device = number();
	f.inode = number();
	if (scanf(" %8192[0-9a-f]", hex) != 1)
		hex[0] = 0;
	f.path_size = (uint32_t)strlen(hex) / 2;
	/* As large as the path, so that a sanitizer sees one step beyond. */
	path = malloc(f.path_size + !f.path_size);
	if (!path)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < f.path_size; i++) {
		digits[0] = hex[2 * i];
		digits[1] = hex[2 * i + 1];
		path[i] = (char)strtoul(digits, NULL, 16);
	}
	f.path = path;
	do {
		told += wire_file(&frame, &f, told);
		send();
	} while (told < f.path_size);
	free(path);
}

static void status(void)
{
	struct wire_status s = { .ms = number() };

	s.queued = number();
	s.untraced = number();
	s.write_errors = number();
	s.repeats = number();
	s.waited = number();
	s.has_events = number();
	if (s.has_events)
		s.lost = number();
	wire_status(&frame, &s);
	send();
}

static void mappings(void)
{
	uint32_t volume = number(), epoch = number(), count = number();
	/* As large as the mappings, so that a sanitizer sees one step beyond. */
	struct wire_mapping *all = count <= WORDS_MAX ? malloc(count * sizeof(*all)) : NULL;

	if (!all)
		exit(EXIT_FAILURE);
	for (uint32_t i = 0; i < count; i++) {
		all[i].page_id = number();
		all[i].pages = number();
		all[i].processes = number();
	}
	for (size_t done = 0; done < count;) {
		done += wire_mappings(&frame, volume, epoch, all + done, count - done);
		send();
	}
	free(all);
}

static void begin(void)
{
	wire_begin(&frame, number());
	send();
}

int main(void)
{
	char message;

	while (scanf(" %c", &message) == 1) {
		frame.seq = (uint16_t)number();
		frame.repeated = islower(message);
		switch (toupper(message)) {
		case 'H':
			hello();
			break;
		case 'P':
			pages();
			break;
		case 'E':
			epoch_end();
			break;
		case 'S':
			status();
			break;
		case 'B':
			begin();
			break;
		case 'F':
			file();
			break;
		case 'M':
			mappings();
			break;
		default:
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
