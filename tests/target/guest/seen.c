// SPDX-License-Identifier: MIT
/*
 * What the kernel made of files, for a test to hold against the image.
 *
 * `seen cached` prints "cached PATH PAGE" for each page in RAM of the files that
 * are named on stdin. `seen mapped LIBRARY...` opens libraries and prints, of
 * each mapping of a file that is not writable, "mapping PATH RIGHTS FLAGS" as
 * /proc/self/smaps has them, and "flash PATH ADDRESS" for each of its pages that
 * have no struct page, with the physical address in hexadecimal.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE		4096u
#define LINE_MAX_BYTES	1024
#define FILE_PAGES_MAX	4096
#define PRESENT		(UINT64_C(1) << 63)
#define FILE_OR_SHARED	(UINT64_C(1) << 61)
#define FRAME(entry)	((entry) & ((UINT64_C(1) << 55) - 1))

static void cached(const char *path)
{
	static unsigned char in_ram[FILE_PAGES_MAX];
	int fd = open(path, O_RDONLY);
	struct stat status;
	size_t pages;
	void *bytes;

	if (fd < 0 || fstat(fd, &status) || !status.st_size)
		return;
	pages = ((size_t)status.st_size + PAGE - 1) / PAGE;
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED || pages > FILE_PAGES_MAX || mincore(bytes, (size_t)status.st_size, in_ram))
		exit(1);
	for (size_t page = 0; page < pages; page++)
		if (in_ram[page] & 1)
			printf("cached %s %zu\n", path, page);
	munmap(bytes, (size_t)status.st_size);
}

/* A mapping that is wholly in place shows no entries here, but its first frame as its offset. */
static void pages_of(uint64_t start, uint64_t end, uint64_t offset, const char *flags, const char *path)
{
	int whole = strstr(flags, " pf") != NULL, mixed = strstr(flags, " mm") != NULL;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	for (uint64_t at = start; at < end; at += PAGE) {
		uint64_t entry = 0;

		if (whole)
			printf("flash %s %" PRIx64 "\n", path, offset + at - start);
		else if (mixed && pread(fd, &entry, sizeof(entry), (off_t)(at / PAGE * sizeof(entry))) > 0 &&
			 entry & PRESENT && !(entry & FILE_OR_SHARED))
			printf("flash %s %" PRIx64 "\n", path, FRAME(entry) * PAGE);
	}
	close(fd);
}

static void mapped(void)
{
	char line[LINE_MAX_BYTES], path[LINE_MAX_BYTES] = "", rights[8] = "";
	uint64_t start = 0, end = 0, offset = 0;
	FILE *maps = fopen("/proc/self/smaps", "r");

	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to, at;
		char allowed[8], name[LINE_MAX_BYTES] = "";

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %1023s", &from, &to, allowed,
			   &at, name) >= 4) {
			start = from, end = to, offset = at;
			strcpy(rights, allowed);
			strcpy(path, name);
		} else if (!strncmp(line, "VmFlags:", 8) && *path == '/' && rights[1] != 'w') {
			line[strcspn(line, "\n")] = 0;
			printf("mapping %s %s%s\n", path, rights, line + strlen("VmFlags:"));
			pages_of(start, end, offset, line, path);
		}
	}
	fclose(maps);
}

int main(int count, char **words)
{
	char path[LINE_MAX_BYTES];

	if (count > 1 && !strcmp(words[1], "cached")) {
		while (fgets(path, sizeof(path), stdin)) {
			path[strcspn(path, "\n")] = 0;
			cached(path);
		}
		puts("seen cached");
		return 0;
	}
	for (int word = 2; word < count; word++)
		if (!dlopen(words[word], RTLD_NOW))
			puts(dlerror());
	mapped();
	puts("seen mapped");
	return 0;
}
