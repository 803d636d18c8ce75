// SPDX-License-Identifier: MIT
/*
 * As init: maps /pattern, whose block pointers name what is behind the image,
 * and counts the pages that show bytes of it. Prints "beyond PAGES" for a
 * mapping of the first half, one of all, and one of all but the first page,
 * then "beyond done".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE	4096u
#define SECRET	0x5a

static void look(int fd, size_t first, size_t pages)
{
	const uint8_t *bytes = mmap(NULL, pages * PAGE, PROT_READ, MAP_PRIVATE, fd,
				    (off_t)(first * PAGE));
	size_t seen = 0;

	for (size_t page = 0; page < pages; page++)
		seen += !!memchr(bytes + page * PAGE, SECRET, PAGE);
	printf("beyond %zu\n", seen);
	munmap((void *)bytes, pages * PAGE);
}

int main(void)
{
	int fd = open("/pattern", O_RDONLY);
	struct stat facts;
	size_t pages;

	fstat(fd, &facts);
	pages = ((size_t)facts.st_size + PAGE - 1) / PAGE;
	look(fd, 0, pages / 2);
	look(fd, 0, pages);
	look(fd, 1, pages - 1);
	puts("beyond done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
