// SPDX-License-Identifier: MIT
/*
 * As init: reads and copies /pattern, of which every second page is in place, in
 * all ways. Every byte of page n is n + 1; the last page is half full. Prints
 * "good WHAT" or "bad WHAT" for each, "cached PAGE" for each page that is in the
 * page cache before compressed pages were touched, then "reads done".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	4096u
#define TRIES	2000

static int fd;
static size_t size;
static uint8_t got[1 << 20];

static void say(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
	fflush(stdout);
}

static int is_right(const uint8_t *bytes, size_t from, size_t count)
{
	for (size_t n = 0; n < count; n++)
		if (bytes[n] != (from + n) / PAGE + 1)
			return 0;
	return 1;
}

static size_t expected(size_t from, size_t count)
{
	return from >= size ? 0 : count < size - from ? count : size - from;
}

static int anywhere(void)
{
	for (int n = 0; n < TRIES; n++) {
		size_t from = (size_t)rand() % (size + PAGE), count = (size_t)rand() % (4 * PAGE);
		ssize_t bytes = pread(fd, got, count, (off_t)from);

		if (bytes != (ssize_t)expected(from, count) || !is_right(got, from, (size_t)bytes))
			return 0;
	}
	return 1;
}

static int in_pieces(void)
{
	struct iovec pieces[] = { { got, 100 }, { got + 100, 2 * PAGE }, { got + 100 + 2 * PAGE, 9 } };

	return preadv(fd, pieces, 3, 50) == 109 + 2 * PAGE && is_right(got, 50, 109 + 2 * PAGE);
}

/* A buffer whose second page cannot be written takes the first page's bytes. */
static int up_to_a_bad_page(void)
{
	uint8_t *buffer = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

	munmap(buffer + PAGE, PAGE);
	return pread(fd, buffer, 2 * PAGE, 0) == PAGE && is_right(buffer, 0, PAGE);
}

static int through_a_pipe(int by_splice)
{
	size_t from = 0;
	int ends[2];

	pipe(ends);
	while (from < size) {
		off_t at = (off_t)from;
		ssize_t sent = by_splice ? splice(fd, &at, ends[1], NULL, 3 * PAGE - 7, 0) :
					   sendfile(ends[1], fd, &at, 3 * PAGE - 7);

		if (sent <= 0 || read(ends[0], got, (size_t)sent) != sent ||
		    !is_right(got, from, (size_t)sent))
			return 0;
		from += (size_t)sent;
	}
	return 1;
}

static int as_private_copies(void)
{
	uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	for (size_t page = 0; page * PAGE < size; page += 2) {
		bytes[page * PAGE + 7] = 0xee;
		if (!is_right(bytes + page * PAGE, page * PAGE, 7) || bytes[page * PAGE + 7] != 0xee ||
		    !is_right(bytes + page * PAGE + 8, page * PAGE, PAGE / 2 - 8))
			return 0;
	}
	munmap(bytes, size);
	return 1;
}

static void tell_cached(void)
{
	static unsigned char cached[64];
	void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	mincore(bytes, size, cached);
	for (size_t page = 0; page * PAGE < size; page++)
		if (cached[page] & 1)
			printf("cached %zu\n", page);
	munmap(bytes, size);
}

int main(void)
{
	struct stat facts;

	fd = open("/pattern", O_RDONLY);
	fstat(fd, &facts);
	size = (size_t)facts.st_size;
	for (size_t page = 0; page * PAGE < size; page += 2)
		pread(fd, got, PAGE, (off_t)(page * PAGE));
	say(as_private_copies(), "private copies");
	tell_cached();
	say(up_to_a_bad_page(), "read up to a bad page");
	say(in_pieces(), "read in pieces");
	say(anywhere(), "read anywhere");
	say(through_a_pipe(0), "sent to a pipe");
	say(through_a_pipe(1), "spliced to a pipe");
	puts("reads done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
