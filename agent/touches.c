// SPDX-License-Identifier: MIT
#include "touches.h"

#define GROUP_SHIFT	5
#define BUCKETS		1024

/* Ids have 27 bits: so many are left for the number of their group. */
#define GROUP_BITS	(27 - GROUP_SHIFT)

struct group {
	uint32_t key;			/* volume << GROUP_BITS | page id >> GROUP_SHIFT */
	uint32_t seen[TINYPROF_KINDS];	/* a bit for each page */
	uint16_t next;			/* in its bucket; 0: none */
};

/* Place 0 stays free: it means none. */
static struct group groups[GROUPS_MAX];
static uint16_t buckets[BUCKETS];
static uint16_t groups_used;

/*
 * From oldest on, without wrapping: an empty queue begins at 0 again, so that
 * it uses no more memory than it has to. A word without a kind is a volume's
 * number, for the records behind it.
 */
static uint32_t queue[QUEUE_MAX];
static uint32_t oldest, newest;
static uint32_t records;
static uint32_t volume_in, volume_out;

static uint16_t *bucket_of(uint32_t key)
{
	return &buckets[(key ^ key >> 10) % BUCKETS];
}

static struct group *find(uint32_t key)
{
	uint16_t place = *bucket_of(key);

	while (place && groups[place].key != key)
		place = groups[place].next;
	return place ? &groups[place] : NULL;
}

static struct group *find_or_add(uint32_t key)
{
	struct group *group = find(key);
	uint16_t *bucket = bucket_of(key);

	if (group || groups_used == GROUPS_MAX - 1)
		return group;
	group = &groups[++groups_used];
	*group = (struct group){ .key = key, .next = *bucket };
	*bucket = groups_used;
	return group;
}

static uint32_t key_of(uint32_t volume, uint32_t page_id)
{
	return volume << GROUP_BITS | (page_id & TINYPROF_PAGE_ID_MASK) >> GROUP_SHIFT;
}

static uint32_t bit_of(uint32_t page_id)
{
	return 1u << (page_id & ((1u << GROUP_SHIFT) - 1));
}

bool touches_has(uint32_t volume, uint32_t page_id, int kind)
{
	struct group *group = find(key_of(volume, page_id));

	return group && group->seen[kind] & bit_of(page_id);
}

/* Moves what waits to the front, where that gains something. */
static void make_room(void)
{
	uint32_t count = newest - oldest;

	if (newest + 2 <= QUEUE_MAX || !oldest)
		return;
	for (uint32_t i = 0; i < count; i++)
		queue[i] = queue[oldest + i];
	oldest = 0;
	newest = count;
}

static bool enqueue(uint32_t volume, uint32_t record)
{
	make_room();
	if (newest + 2 > QUEUE_MAX)
		return false;
	if (volume != volume_in)
		queue[newest++] = volume;
	volume_in = volume;
	queue[newest++] = record;
	records++;
	return true;
}

bool touches_add(uint32_t volume, uint32_t page_id, int kind)
{
	struct group *group = find_or_add(key_of(volume, page_id));
	uint32_t bit = bit_of(page_id);

	if (!group)
		return false;
	if (group->seen[kind] & bit)
		return true;
	if (!enqueue(volume, (page_id & TINYPROF_PAGE_ID_MASK) | 1u << (TINYPROF_KIND_SHIFT + kind)))
		return false;
	group->seen[kind] |= bit;
	return true;
}

void touches_end_epoch(void)
{
	for (int i = 0; i < BUCKETS; i++)
		buckets[i] = 0;
	groups_used = 0;
}

void touches_mark(const char *text, size_t size)
{
	/* So that it stays apart from a mark before it. */
	volume_in = TOUCHES_MARK - 1;
	for (size_t i = 0; i < size; i++)
		enqueue(TOUCHES_MARK, (uint8_t)text[i] | 1u << (TINYPROF_KIND_SHIFT + TINYPROF_EXEC));
}

uint32_t touches_room(void)
{
	return (QUEUE_MAX - (newest - oldest)) / 2;
}

uint32_t touches_waiting(void)
{
	return records;
}

uint32_t touches_take(uint32_t *to, uint32_t count, uint32_t *volume)
{
	uint32_t taken = 0;

	while (taken < count && oldest < newest) {
		uint32_t word = queue[oldest];

		if (word >> TINYPROF_KIND_SHIFT)
			to[taken++] = word;
		else if (taken)
			break;
		else
			volume_out = word;
		oldest++;
	}
	records -= taken;
	*volume = volume_out;
	if (oldest == newest) {
		oldest = 0;
		newest = 0;
	}
	return taken;
}

void touches_reset(void)
{
	touches_end_epoch();
	oldest = 0;
	newest = 0;
	records = 0;
	volume_in = 0;
	volume_out = 0;
}
