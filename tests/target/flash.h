/* SPDX-License-Identifier: MIT */
/*
 * Where QEMU keeps the flash of a board in its own memory. The image is there
 * before the guest runs, and then nowhere else. For plugins; include it after
 * plugin.h.
 */
#ifndef FLASH_H
#define FLASH_H

#include <inttypes.h>
#include <stdbool.h>

#define PAGE		4096UL
#define PAGES_MAX	(64UL * 1024 * 1024 / PAGE)	/* the board's flash */
#define LINE_MAX_SIZE	512
#define MAGIC		0x28cd3d45u
#define SIGNATURE	"Compressed ROMFS"
#define SIGNATURE_AT	16

static unsigned char *flash;
static size_t pages;

static bool is_image(const unsigned char *at)
{
	return *(const uint32_t *)at == MAGIC && !memcmp(at + SIGNATURE_AT, SIGNATURE, strlen(SIGNATURE));
}

/* The image is in flash before the guest runs, and then nowhere else. */
static void find_flash(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[LINE_MAX_SIZE], flags[5];
	uintptr_t start, end;

	if (!maps)
		abort();
	while (!flash && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, flags) != 3 ||
		    strncmp(flags, "rw", 2) != 0 || end - start < PAGE)
			continue;
		for (; start < end && !flash; start += PAGE)
			if (is_image((const unsigned char *)start))
				flash = (unsigned char *)start;
	}
	fclose(maps);
	if (!flash)
		abort();
	/* The superblock's second word is the size. */
	pages = ((const uint32_t *)flash)[1] / PAGE;
	if (pages > PAGES_MAX)
		abort();
}

#endif
