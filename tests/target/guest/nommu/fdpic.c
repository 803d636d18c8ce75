// SPDX-License-Identifier: MIT
/* An FDPIC program that lives until the millisecond since boot that it is given. */
#include <linux/elf-fdpic.h>

#include "guest.h"

static uint32_t moved(const struct elf32_fdpic_loadmap *map, uint32_t address)
{
	for (int i = 0; i < map->nsegs; i++)
		if (address - map->segs[i].p_vaddr < map->segs[i].p_memsz)
			return address - map->segs[i].p_vaddr + map->segs[i].addr;
	return address;
}

/* The last word of the list is the global offset table's address. It has none of its own yet. */
uint32_t relocate(const struct elf32_fdpic_loadmap *map, const uint32_t *list, const uint32_t *end)
{
	for (; list < end - 1; list++) {
		uint32_t *at = (uint32_t *)moved(map, *list);

		if (*at)
			*at = moved(map, *at);
	}
	return moved(map, *list);
}

static const char *events[] = { "truth: begin ", "truth: end " };
static uint32_t sum;

static void report(const int32_t *table, const char *event, const char *name)
{
	void (*library_tell)(char *line, const char **parts, uint32_t count);
	static char line[128];
	char number[12];
	const char *parts[] = { event, name, " ", digits_of(now_ms(), number + sizeof(number)), "\n" };
	/* A function of FDPIC is its address and its global offset table; the compiler cannot know. */
	volatile uint32_t descriptor[] = { ((uint32_t)table + (uint32_t)table[0]) | 1, 0 };

	library_tell = (void *)(uint32_t)descriptor;
	library_tell(line, parts, 5);
}

int main(int argc, char **argv, const int32_t *table)
{
	volatile uint32_t descriptor[] = { ((uint32_t)table + (uint32_t)table[1]) | 1, 0 };
	void (*library_wait)(uint32_t until) = (void *)(uint32_t)descriptor;

	report(table, events[0], argv[0]);
	for (uint32_t i = 0; i < 64; i++)
		sum += guest_words[i];
	library_wait(argc > 1 ? number_in(argv[1]) : 0);
	report(table, events[1], argv[0]);
	return sum == 1;
}
