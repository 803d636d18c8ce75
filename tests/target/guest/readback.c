// SPDX-License-Identifier: MIT
/*
 * As init: reads every regular file below / twice, through read() and through
 * mmap(), and prints for each
 *
 *	file CRC-OF-READ CRC-OF-MMAP SIZE PATH
 *
 * then "readback done", and restarts the machine. Reads are of an odd size, so
 * that they begin and end anywhere in a page; every other mapping is
 * executable, for that is another path through the kernel's fault handler.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#define READ_SIZE	5003
#define OPEN_FOLDERS	16

static uint32_t table[256];

static void make_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		table[byte] = crc;
	}
}

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t size)
{
	crc = ~crc;
	while (size--)
		crc = crc >> 8 ^ table[(crc ^ *bytes++) & 0xff];
	return ~crc;
}

static int crc_by_read(int fd, uint32_t *crc)
{
	uint8_t bytes[READ_SIZE];
	ssize_t size;

	for (*crc = 0; (size = read(fd, bytes, sizeof(bytes))) > 0;)
		*crc = crc_of(*crc, bytes, (size_t)size);
	return size ? -1 : 0;
}

/* What lies behind a file's end in its last page must be zero. */
static int tail_is_clean(const uint8_t *bytes, size_t size)
{
	for (; size % 4096; size++)
		if (bytes[size])
			return 0;
	return 1;
}

static int crc_by_mmap(int fd, size_t size, uint32_t *crc)
{
	static int turn;
	int access = PROT_READ | (turn++ & 1 ? PROT_EXEC : 0);
	uint8_t *bytes;

	*crc = 0;
	if (!size)
		return 0;
	bytes = mmap(NULL, size, access, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -1;
	*crc = crc_of(0, bytes, size);
	if (!tail_is_clean(bytes, size))
		return -1;
	return munmap(bytes, size);
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	uint32_t by_read, by_mmap;
	int fd;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(status->st_mode))
		return 0;
	fd = open(path, O_RDONLY);
	if (fd < 0 || crc_by_mmap(fd, (size_t)status->st_size, &by_mmap) || crc_by_read(fd, &by_read))
		printf("failed %s\n", path);
	else
		printf("file %08x %08x %lld %s\n", by_read, by_mmap, (long long)status->st_size, path);
	close(fd);
	return 0;
}

int main(void)
{
	make_table();
	/* Stays on this file system: /dev is another one. */
	nftw("/", visit, OPEN_FOLDERS, FTW_PHYS | FTW_MOUNT);
	puts("readback done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
