// SPDX-License-Identifier: MIT
/*
 * As init: looks at everything below /, then mounts the partitions mtd1 up to
 * mtdN in turn, N being "volumes" of the environment, where the kernel puts that
 * word of its command line, and looks at everything there. Prints "volume N" for
 * each, and a line for each name, whose path begins at the volume's root:
 *
 *	entry MODE UID GID SIZE CRC-OF-READ CRC-OF-MMAP IN-PLACE PATH
 *
 * MODE is octal and has the type; SIZE is MAJOR:MINOR for a device; the CRCs are
 * of a file's content, or both of a link's target; IN-PLACE is the number of
 * pages that a mapping of the whole file shows from flash. In PATH every byte
 * that is no plain character is \OOO. Then "readback done", and a restart.
 *
 * Reads are of an odd size, so that they begin and end anywhere in a page; every
 * other mapping is executable, for that is another path through the kernel's
 * fault handler.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE		4096u
#define READ_SIZE	5003
#define OPEN_FOLDERS	16
#define MOUNT_POINT	"/mnt"

struct seen {
	uint32_t by_read, by_mmap;
	size_t in_place;
};

static uint32_t table[256];
static size_t prefix;

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

	while ((size = read(fd, bytes, sizeof(bytes))) > 0)
		*crc = crc_of(*crc, bytes, (size_t)size);
	return size ? -1 : 0;
}

/* What lies behind a file's end in its last page must be zero. */
static int tail_is_clean(const uint8_t *bytes, size_t size)
{
	for (; size % PAGE; size++)
		if (bytes[size])
			return 0;
	return 1;
}

/* A page that has no struct page, such as one of flash, is not resident for smaps. */
static int count_in_place(const uint8_t *bytes, size_t size, size_t *count)
{
	size_t pages = (size + PAGE - 1) / PAGE, resident;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[2 * PATH_MAX];
	int here = 0, found = 0;

	while (smaps && !found && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (uintptr_t)bytes;
		else if (here && sscanf(line, "Rss: %zu kB", &resident) == 1)
			found = 1;
	}
	if (smaps)
		fclose(smaps);
	*count = pages - resident * 1024 / PAGE;
	return found ? 0 : -1;
}

static int crc_by_mmap(int fd, size_t size, struct seen *seen)
{
	static int turn;
	int access = PROT_READ | (turn++ & 1 ? PROT_EXEC : 0);
	uint8_t *bytes;

	if (!size)
		return 0;
	bytes = mmap(NULL, size, access, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -1;
	seen->by_mmap = crc_of(0, bytes, size);
	if (!tail_is_clean(bytes, size) || count_in_place(bytes, size, &seen->in_place))
		return -1;
	return munmap(bytes, size);
}

static int look_at_file(const char *path, size_t size, struct seen *seen)
{
	int fd = open(path, O_RDONLY);
	int ret = fd < 0 || crc_by_mmap(fd, size, seen) || crc_by_read(fd, &seen->by_read);

	/* Another name of the same inode is to be mapped from flash, not from the page cache. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	return ret;
}

static int look_at_link(const char *path, struct seen *seen)
{
	uint8_t target[PAGE];
	ssize_t size = readlink(path, (char *)target, sizeof(target));

	if (size < 0)
		return -1;
	seen->by_read = seen->by_mmap = crc_of(0, target, (size_t)size);
	return 0;
}

static void print_path(const char *path)
{
	for (; *path; path++) {
		uint8_t byte = (uint8_t)*path;

		if (byte > ' ' && byte < 0x7f && byte != '\\')
			putchar(byte);
		else
			printf("\\%03o", byte);
	}
	putchar('\n');
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	struct seen seen = { 0 };
	const char *name = path[prefix] ? path + prefix : "/";
	int failed = type == FTW_DNR || type == FTW_NS;

	(void)ftw;
	if (S_ISREG(status->st_mode))
		failed |= look_at_file(path, (size_t)status->st_size, &seen);
	else if (S_ISLNK(status->st_mode))
		failed |= look_at_link(path, &seen);
	if (failed)
		printf("failed ");
	printf("entry %o %u %u ", status->st_mode, status->st_uid, status->st_gid);
	if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode))
		printf("%u:%u", major(status->st_rdev), minor(status->st_rdev));
	else
		printf("%lld", (long long)status->st_size);
	printf(" %08x %08x %zu ", seen.by_read, seen.by_mmap, seen.in_place);
	print_path(name);
	return 0;
}

static void look_at_volume(int number, const char *top)
{
	printf("volume %d\n", number);
	prefix = strcmp(top, "/") ? strlen(top) : 0;
	/* Stays on this file system: /dev is another one. */
	nftw(top, visit, OPEN_FOLDERS, FTW_PHYS | FTW_MOUNT);
}

int main(void)
{
	const char *volumes = getenv("volumes");
	int last = volumes ? atoi(volumes) : 0;
	char device[32];

	make_table();
	mount("proc", "/proc", "proc", 0, NULL);
	look_at_volume(0, "/");
	for (int number = 1; number <= last; number++) {
		snprintf(device, sizeof(device), "mtd%d", number);
		if (mount(device, MOUNT_POINT, "cramfs", MS_RDONLY, NULL)) {
			printf("failed to mount %s: %s\n", device, strerror(errno));
			continue;
		}
		look_at_volume(number, MOUNT_POINT);
		if (umount(MOUNT_POINT))
			printf("failed to unmount %s: %s\n", device, strerror(errno));
	}
	puts("readback done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
