// SPDX-License-Identifier: MIT
/*
 * An init that reads every file that /files names, a path a line: by read() and, where it is not
 * empty, through a mapping. It says the CRC-32 of both, and reboots.
 */
#include "guest.h"

#define SEEK_FROM_END	2
#define READABLE	1	/* PROT_READ */
#define PRIVATE		2	/* MAP_PRIVATE */
#define REBOOT_1	0xfee1dead
#define REBOOT_2	672274793
#define REBOOT_NOW	0x01234567

static char names[1 << 14], line[1 << 9];
static uint8_t chunk[1 << 12];

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

static uint32_t crc_by_read(int fd)
{
	uint32_t crc = ~0u;
	long size;

	while ((size = my_syscall3(__NR_read, fd, chunk, sizeof(chunk))) > 0)
		crc = crc_of(crc, chunk, (size_t)size);
	return ~crc;
}

static uint32_t crc_by_mapping(int fd)
{
	long size = my_syscall3(__NR_lseek, fd, 0, SEEK_FROM_END);
	long at = my_syscall6(__NR_mmap2, 0, size, READABLE, PRIVATE, fd, 0);

	if ((unsigned long)at >= -4095ul)
		return 0;
	return ~crc_of(~0u, (const uint8_t *)at, (size_t)size);
}

static char *put(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

static void read_file(const char *path)
{
	int fd = (int)my_syscall4(__NR_openat, AT_FDCWD, path, 0, 0);
	char first[12], second[12];
	char *at = put(line, "file: ");

	at = put(at, path);
	at = put(at, " ");
	at = put(at, digits_of(crc_by_read(fd), first + sizeof(first)));
	at = put(at, " ");
	at = put(at, digits_of(crc_by_mapping(fd), second + sizeof(second)));
	put(at, "\n")[0] = 0;
	say(line);
	my_syscall1(__NR_close, fd);
}

__attribute__((used)) int main(void)
{
	int fd = (int)my_syscall4(__NR_openat, AT_FDCWD, "/files", 0, 0);
	long size = my_syscall3(__NR_read, fd, names, sizeof(names) - 1);
	char *path = names;

	for (long i = 0; i < size; i++) {
		if (names[i] != '\n')
			continue;
		names[i] = 0;
		read_file(path);
		path = names + i + 1;
	}
	say("all files are read\n");
	my_syscall4(__NR_reboot, REBOOT_1, REBOOT_2, REBOOT_NOW, NULL);
	return 0;
}
