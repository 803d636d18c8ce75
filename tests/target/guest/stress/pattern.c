// SPDX-License-Identifier: MIT
/* The files, and what their bytes have to be. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress.h"

static const char *const file_names[FILES] = { "none", "half", "all", "runs", "big", "witness" };

void open_volume(struct volume *volume, const char *top, uint32_t first_id)
{
	for (int n = 0; n < FILES; n++) {
		struct file *file = &volume->files[n];
		char path[64];
		struct stat facts;

		snprintf(path, sizeof(path), "%s/files/%s", top, file_names[n]);
		file->id = first_id + (uint32_t)n;
		file->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (file->fd < 0 || fstat(file->fd, &facts)) {
			wrong("open", file, 0);
			continue;
		}
		file->size = (size_t)facts.st_size;
		file->pages = (file->size + PAGE - 1) / PAGE;
		file->page_id = (uint32_t)(facts.st_ino >> 2);
	}
	snprintf(volume->program, sizeof(volume->program), "%s/sbin/init", top);
}

void close_volume(struct volume *volume)
{
	for (int n = 0; n < FILES; n++)
		close(volume->files[n].fd);
}

void count(enum counted what, unsigned long times)
{
	atomic_fetch_add_explicit(&shared->counts[what], times, memory_order_relaxed);
}

/* Children of threads call this, so it may use nothing that has a lock. */
void wrong(const char *what, const struct file *file, size_t offset)
{
	char line[128];
	int size = snprintf(line, sizeof(line), "bad %s: file %u, page %zu, byte %zu\n", what,
			    file ? file->id : 0, offset / PAGE, offset % PAGE);

	atomic_fetch_add(&shared->wrong, 1);
	if (write(STDOUT_FILENO, line, (size_t)size) != size)
		_exit(1);
}

static uint8_t byte_of(const struct file *file, size_t at)
{
	uint32_t word = file->id << 24 | (uint32_t)(at / 4);

	return (uint8_t)(word >> at % 4 * 8);
}

int is_right(const char *what, const struct file *file, const void *bytes, size_t from, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t n = 0; n < size; n++)
		if (byte[n] != byte_of(file, from + n)) {
			wrong(what, file, from + n);
			return 0;
		}
	return 1;
}

/* A page of a file as it is mapped: zeros follow the file's end. */
void check_page(const char *what, const struct mapping *mapping, size_t page)
{
	const struct file *file = mapping->file;
	const uint32_t *words = (const uint32_t *)(mapping->at + page * PAGE);
	size_t from = (mapping->first + page) * PAGE;
	int marked = mapping->written >> page % 64 & 1 && page < 64;

	count(EVENT_page, 1);
	for (uint32_t n = 0; n < WORDS; n++) {
		uint32_t expected = file->id << 24 | (uint32_t)(from / 4 + n);

		if (from + n * 4 >= file->size)
			expected = 0;
		if (marked && n == MARK_WORD)
			expected = MARK;
		if (words[n] != expected) {
			wrong(what, file, from + n * 4);
			return;
		}
	}
}

void check_mapping(const char *what, const struct mapping *mapping)
{
	for (size_t page = 0; page < mapping->pages; page++)
		check_page(what, mapping, page);
}

void write_mark(struct mapping *mapping, size_t page)
{
	((uint32_t *)(mapping->at + page * PAGE))[MARK_WORD] = MARK;
	mapping->written |= UINT64_C(1) << page;
}
