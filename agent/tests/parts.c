// SPDX-License-Identifier: MIT
/*
 * The agent's parts one by one, for tests/agent: a line of standard input is
 * one call, a line of standard output what it gave, "-" where it gave nothing.
 * Every buffer is as large as it must be and no larger, so that a sanitizer
 * sees one step beyond.
 *
 *	crc HEX			crc32()
 *	encode HEX		cobs_encode()
 *	decode HEX		cobs_decode()
 *	array|uint|int ROOM N	msgpack_*() into ROOM bytes
 *	str ROOM MAX HEX	msgpack_str() of text without a NUL within MAX
 *	bin ROOM HEX		msgpack_bin()
 *	read HEX		msgpack_read_uint(): value, bytes left
 *	head HEX		msgpack_read_array(): elements, bytes left
 *	settings WORD...	settings_read() of an environment of such words
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cobs.h"
#include "crc32.h"
#include "msgpack.h"
#include "settings.h"

#define LINE_MAX	70000
#define WORDS_MAX	16

static char line[LINE_MAX];
static char *words[WORDS_MAX + 1];

static const char *word(size_t n)
{
	if (!words[n])
		exit(EXIT_FAILURE);
	return words[n];
}

static void *allocate(size_t size)
{
	/* Not 0, for which malloc() may return NULL. */
	void *bytes = malloc(size + !size);

	if (!bytes)
		exit(EXIT_FAILURE);
	return bytes;
}

/* The bytes of a hexadecimal word, after spare free ones. */
static uint8_t *unhex(const char *hex, size_t spare, size_t *size)
{
	uint8_t *bytes;
	char digits[3] = { 0 };
	size_t i;

	*size = strlen(hex) / 2;
	bytes = allocate(spare + *size);
	for (i = 0; i < *size; i++) {
		memcpy(digits, hex + 2 * i, 2);
		bytes[spare + i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return bytes;
}

static void print_hex(const uint8_t *bytes, size_t size)
{
	while (size--)
		printf("%02x", *bytes++);
	puts("");
}

static void crc(const char *hex)
{
	size_t size;
	uint8_t *bytes = unhex(hex, 0, &size);

	printf("%" PRIu32 "\n", crc32(bytes, size));
	free(bytes);
}

static void encode(const char *hex)
{
	size_t size;
	uint8_t *bytes = unhex(hex, 1, &size);

	cobs_encode(bytes, size);
	print_hex(bytes, size + 1);
	free(bytes);
}

static void decode(const char *hex)
{
	size_t size;
	uint8_t *bytes = unhex(hex, 0, &size);

	size = cobs_decode(bytes, size);
	if (size)
		print_hex(bytes, size);
	else
		puts("-");
	free(bytes);
}

static bool put(struct msgpack_writer *w, const char *what)
{
	size_t size;
	uint8_t *bytes;
	bool done;

	if (!strcmp(what, "array"))
		return msgpack_array(w, (uint32_t)strtoul(word(2), NULL, 10));
	if (!strcmp(what, "uint"))
		return msgpack_uint(w, (uint32_t)strtoul(word(2), NULL, 10));
	if (!strcmp(what, "int"))
		return msgpack_int(w, (int32_t)strtol(word(2), NULL, 10));
	if (!strcmp(what, "bin")) {
		bytes = unhex(word(2), 0, &size);
		done = msgpack_bin(w, bytes, size);
	} else {
		bytes = unhex(word(3), 0, &size);
		done = msgpack_str(w, (const char *)bytes, strtoul(word(2), NULL, 10));
	}
	free(bytes);
	return done;
}

static void write_value(const char *what)
{
	size_t room = strtoul(word(1), NULL, 10);
	uint8_t *bytes = allocate(room);
	struct msgpack_writer w = { .at = bytes, .end = bytes + room };

	if (put(&w, what))
		print_hex(bytes, (size_t)(w.at - bytes));
	else
		puts(w.at == bytes ? "-" : "half written");
	free(bytes);
}

static void read_value(bool (*read)(struct msgpack_reader *r, uint32_t *value), const char *hex)
{
	size_t size;
	uint8_t *bytes = unhex(hex, 0, &size);
	struct msgpack_reader r = { .at = bytes, .end = bytes + size };
	uint32_t value;

	if (read(&r, &value))
		printf("%" PRIu32 " %zu\n", value, (size_t)(r.end - r.at));
	else
		puts("-");
	free(bytes);
}

static void settings(void)
{
	struct settings s;

	settings_read(&s, words + 1);
	printf("%s %s %" PRIu32 " %" PRIu32 " %s\n", s.tty, s.init, s.baud, s.epoch_ms,
	       s.refused ? s.refused : "-");
}

static void call(const char *what)
{
	if (!strcmp(what, "settings"))
		settings();
	else if (!strcmp(what, "crc"))
		crc(word(1));
	else if (!strcmp(what, "encode"))
		encode(word(1));
	else if (!strcmp(what, "decode"))
		decode(word(1));
	else if (!strcmp(what, "read"))
		read_value(msgpack_read_uint, word(1));
	else if (!strcmp(what, "head"))
		read_value(msgpack_read_array, word(1));
	else
		write_value(what);
}

int main(void)
{
	size_t count;
	char *rest, *next;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		rest = line;
		count = 0;
		/* Not strtok(): an empty word is no bytes. */
		while (count < WORDS_MAX && (next = strsep(&rest, " ")))
			words[count++] = next;
		words[count] = NULL;
		call(word(0));
	}
	return EXIT_SUCCESS;
}
