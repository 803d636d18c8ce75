// SPDX-License-Identifier: MIT
/*
 * As init: does with mappings of /pattern what programs do, and checks what it
 * sees. Every byte of page n of /pattern is n + 1; the last page is half full.
 * Prints "good WHAT" or "bad WHAT" for each, then "mappings done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096u

static int fd;
static size_t size, pages;

static void say(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
}

static uint8_t *map(int access, int flags)
{
	return mmap(NULL, size, access, flags, fd, 0);
}

/* Whether the page holds nothing but its own byte. */
static int is_page(const uint8_t *bytes, size_t page)
{
	size_t end = page == pages - 1 && size % PAGE ? size % PAGE : PAGE;

	for (size_t i = 0; i < end; i++)
		if (bytes[page * PAGE + i] != page + 1)
			return 0;
	return 1;
}

static int is_pattern(const uint8_t *bytes)
{
	for (size_t page = 0; page < pages; page++)
		if (!is_page(bytes, page))
			return 0;
	return 1;
}

static void every_page_is_itself(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE);

	say(is_pattern(bytes), "every page is itself");
	munmap(bytes, size);
}

static void backwards(void)
{
	uint8_t *bytes = map(PROT_READ | PROT_EXEC, MAP_PRIVATE);
	int good = 1;

	for (size_t page = pages; page--;)
		good &= is_page(bytes, page);
	say(good, "touched backwards");
	munmap(bytes, size);
}

static void populated(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE | MAP_POPULATE);

	say(bytes != MAP_FAILED && is_pattern(bytes), "populated at once");
	munmap(bytes, size);
}

/* First written, then read; and first read, then written. */
static void private_writes(void)
{
	uint8_t *bytes = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint8_t *other = map(PROT_READ, MAP_PRIVATE);
	int good = 1;

	for (size_t page = 0; page < pages; page++) {
		volatile uint8_t seen = page % 2 ? bytes[page * PAGE] : 0;

		(void)seen;
		bytes[page * PAGE + 7] = 0xee;
		good &= bytes[page * PAGE + 7] == 0xee && bytes[page * PAGE + 8] == page + 1;
	}
	say(good, "a private write shows");
	say(is_pattern(other), "a private write stays private");
	munmap(bytes, size);
	munmap(other, size);
}

static void made_writable_later(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE);
	int good = is_pattern(bytes);

	mprotect(bytes, size, PROT_READ | PROT_WRITE);
	for (size_t page = 0; page < pages; page++)
		bytes[page * PAGE] = 0xdd;
	for (size_t page = 0; page < pages; page++)
		good &= bytes[page * PAGE] == 0xdd && bytes[page * PAGE + 1] == page + 1;
	say(good, "made writable after it was mapped");
	munmap(bytes, size);
}

static void forked(void)
{
	uint8_t *bytes = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int status = -1;
	pid_t child;

	is_pattern(bytes);
	bytes[PAGE] = 0xcc;
	child = fork();
	if (!child) {
		int good = bytes[PAGE] == 0xcc && is_page(bytes, 2);

		bytes[PAGE] = 0xbb;
		bytes[2 * PAGE] = 0xbb;
		_exit(good ? 0 : 1);
	}
	waitpid(child, &status, 0);
	say(status == 0, "a child sees its parent's pages");
	say(bytes[PAGE] == 0xcc && is_page(bytes, 2), "a child's write is its own");
	munmap(bytes, size);
}

static void dropped(void)
{
	uint8_t *bytes = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memset(bytes, 0xaa, size);
	madvise(bytes, size, MADV_DONTNEED);
	say(is_pattern(bytes), "private pages dropped show the file again");
	munmap(bytes, size);
}

static void moved(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE), *place;

	is_page(bytes, 1);
	place = mmap(NULL, size + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bytes = mremap(bytes, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place + PAGE);
	say(bytes != MAP_FAILED && is_pattern(bytes), "moved to another address");
	munmap(place, size + PAGE);
}

static void from_the_middle(void)
{
	uint8_t *bytes = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);

	say(bytes[0] == 3 && bytes[PAGE] == 4 && bytes[2 * PAGE] == 5, "mapped from the middle");
	munmap(bytes, 3 * PAGE);
}

static void written_out_of_a_mapping(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE), back[PAGE];
	int line[2], good = 1;

	good &= !pipe(line);
	for (size_t page = 0; page < pages - 1; page++) {
		good &= write(line[1], bytes + page * PAGE, PAGE) == (ssize_t)PAGE;
		good &= read(line[0], back, PAGE) == (ssize_t)PAGE && back[0] == page + 1;
	}
	say(good, "written to a pipe out of a mapping");
	munmap(bytes, size);
}

static void locked(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE);

	say(!mlock(bytes, size) && is_pattern(bytes), "locked in memory");
	munmap(bytes, size);
}

static void read_through_proc(void)
{
	uint8_t *bytes = map(PROT_READ, MAP_PRIVATE), back[16];
	int memory = open("/proc/self/mem", O_RDONLY);
	ssize_t got = pread(memory, back, sizeof(back), (off_t)(uintptr_t)(bytes + PAGE));

	/* A frame without a struct page cannot be read this way: an error, never other bytes. */
	say(got < 0 || (got == sizeof(back) && back[0] == 2), "read through /proc tells the truth or fails");
	close(memory);
	munmap(bytes, size);
}

static void refused(void)
{
	say(map(PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED, "a shared writable mapping is refused");
}

static void beyond_the_end(void)
{
	uint8_t *bytes = mmap(NULL, size + 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(bytes[(pages + 1) * PAGE - 1]);
	waitpid(child, &status, 0);
	say(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "a touch beyond the end is a bus error");
	say(bytes[size] == 0 && bytes[pages * PAGE - 1] == 0, "behind the end of the last page are zeros");
	munmap(bytes, size + 2 * PAGE);
}

int main(void)
{
	struct stat status;

	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/pattern", O_RDONLY);
	fstat(fd, &status);
	size = (size_t)status.st_size;
	pages = (size + PAGE - 1) / PAGE;

	every_page_is_itself();
	backwards();
	populated();
	private_writes();
	made_writable_later();
	forked();
	dropped();
	moved();
	from_the_middle();
	written_out_of_a_mapping();
	locked();
	read_through_proc();
	refused();
	beyond_the_end();
	puts("mappings done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
