// SPDX-License-Identifier: MIT
#include <asm/errno.h>

#include "maps.h"
#include "proc.h"
#include "sys.h"

#define VOLUMES_MAX	8

/* One that nobody held in an epoch gives its place to another one. */
struct mapping {
	uint32_t page_id, pages;
	uint32_t told;			/* pages of it that were told in this epoch */
	uint16_t processes, most;	/* that hold it at this look, and at most in this epoch */
	uint8_t volume, kind;
	bool taken;			/* the process that is looked at holds it */
};

static struct mapping mappings[MAPS_MAX];
static uint32_t mappings_used;

static struct {
	uint32_t device;
	struct tinyprof_volume is;
} volumes[VOLUMES_MAX];
static uint32_t volumes_used;

/* The devices that were found to have no CramFS: those before the next place, or all. */
static uint32_t others[VOLUMES_MAX];
static uint32_t others_used;

static struct wire_source source;
static struct tinyprof_epoch epochs[VOLUMES_MAX];	/* the one that runs */
static struct tinyprof_epoch ends[VOLUMES_MAX];		/* the one that ended last */
static uint32_t has_ended;	/* volumes whose end was not asked for yet, a bit each */
static uint32_t epoch, marks, self, looked;
static bool recording, without_mmu, is_from_start, is_last_look_done;
static int other_end;		/* of the pipe that poll() waits for in vain */

/* The mark that waits to be read. */
static char mark[TINYPROF_MARK_MAX];
static size_t mark_size;

/* The process that is looked at. */
static struct {
	uint32_t untraced;		/* pages of its mappings that there is no room for */
	unsigned long own;		/* page of its first private mapping that may be written */
} one;

/* Pages without room: of all epochs, of this look, and of the look of this epoch with the most. */
static struct {
	uint32_t all, look, most;
} untraced;

/* The private memory of the processes of a look. */
static unsigned long owners[MAPS_PROCESSES];
static uint32_t owners_used;

/* Volumes */

static bool find_volume(uint32_t device, uint8_t *volume)
{
	for (uint32_t i = 0; i < volumes_used; i++)
		if (volumes[i].device == device) {
			*volume = (uint8_t)i;
			return true;
		}
	for (uint32_t i = 0; i < others_used && i < VOLUMES_MAX; i++)
		if (others[i] == device)
			return false;
	if (volumes_used == VOLUMES_MAX || !proc_cramfs(device, &volumes[volumes_used].is)) {
		others[others_used++ % VOLUMES_MAX] = device;
		return false;
	}
	volumes[volumes_used].device = device;
	*volume = (uint8_t)volumes_used++;
	return true;
}

/* A look */

static bool is_same(const struct mapping *one, const struct mapping *other)
{
	return one->page_id == other->page_id && one->pages == other->pages &&
	       one->volume == other->volume && one->kind == other->kind;
}

/* The place of a mapping, a new one where nobody held it yet; NULL: there is none. */
static struct mapping *place_of(const struct mapping *wanted)
{
	uint32_t room = mappings_used;

	for (uint32_t i = 0; i < mappings_used; i++) {
		struct mapping *m = &mappings[i];

		if (is_same(m, wanted))
			return m;
		if (!m->processes && !m->most && !m->taken)
			room = i;
	}
	if (room == MAPS_MAX)
		return NULL;
	mappings_used += room == mappings_used;
	mappings[room] = *wanted;
	return &mappings[room];
}

static void take(struct event *e)
{
	struct mapping m = {
		.page_id = (uint32_t)(e->inode >> 2) + e->offset,
		.pages = (uint32_t)e->pages,
		.kind = e->executable ? TINYPROF_EXEC : TINYPROF_READ,
	};
	struct mapping *place;

	if (e->writable && !e->shared && !one.own)
		one.own = e->page;
	if (e->writable || !e->inode || !m.pages || !find_volume(e->device, &m.volume))
		return;
	place = place_of(&m);
	if (place)
		place->taken = true;
	else
		one.untraced += m.pages;
}

/*
 * Without an MMU two processes with one address of private memory have one memory: a child
 * of vfork() holds its parent's mappings until it has its own.
 */
static bool has_memory_of_another(void)
{
	if (!without_mmu || !one.own)
		return false;
	for (uint32_t i = 0; i < owners_used; i++)
		if (owners[i] == one.own)
			return true;
	if (owners_used < MAPS_PROCESSES)
		owners[owners_used++] = one.own;
	return false;
}

static void look_at(uint32_t pid)
{
	bool counts;

	/* At the first look process 1 is this program, which waits to become the real init. */
	if (!epoch && is_from_start && pid == 1)
		return;
	source.late |= !epoch && !is_from_start && pid != self && pid != 1;
	one.untraced = 0;
	one.own = 0;
	proc_maps(pid, take);
	counts = !has_memory_of_another();
	for (uint32_t i = 0; i < mappings_used; i++) {
		mappings[i].processes += counts && mappings[i].taken;
		mappings[i].taken = false;
	}
	if (counts)
		untraced.look += one.untraced;
}

/* A mapping without room is met again by each look, and counts once an epoch. */
static void count_untraced(void)
{
	if (untraced.look <= untraced.most)
		return;
	untraced.all += untraced.look - untraced.most;
	untraced.most = untraced.look;
}

static void look(void)
{
	owners_used = 0;
	untraced.look = 0;
	for (uint32_t i = 0; i < mappings_used; i++)
		mappings[i].processes = 0;
	proc_each(look_at);
	count_untraced();
	for (uint32_t i = 0; i < mappings_used; i++)
		if (mappings[i].most < mappings[i].processes)
			mappings[i].most = mappings[i].processes;
	looked = sys_now_ms();
}

/* Records */

/* Whether another mapping has told that page in this epoch. */
static bool was_told(const struct mapping *m, uint32_t page_id)
{
	for (uint32_t i = 0; i < mappings_used; i++) {
		const struct mapping *other = &mappings[i];

		if (other != m && other->volume == m->volume && other->kind == m->kind &&
		    page_id - other->page_id < other->told)
			return true;
	}
	return false;
}

static uint32_t put_pages(struct mapping *m, uint32_t *to, uint32_t room)
{
	uint32_t count = 0;

	while (m->told < m->pages && count < room) {
		uint32_t page_id = m->page_id + m->told;

		if (!was_told(m, page_id)) {
			to[count++] = page_id | 1u << (TINYPROF_KIND_SHIFT + m->kind);
			epochs[m->volume].records[m->kind]++;
		}
		m->told++;
	}
	return count;
}

static bool waits(const struct mapping *m)
{
	return m->most && m->told < m->pages;
}

static bool has_records(void)
{
	for (uint32_t i = 0; i < mappings_used; i++)
		if (waits(&mappings[i]))
			return true;
	return false;
}

/* One volume's at a time. */
static void read_pages(struct tracer_batch *batch)
{
	uint32_t count = 0;

	batch->head.epoch = epoch;
	for (uint32_t i = 0; i < mappings_used; i++) {
		struct mapping *m = &mappings[i];

		if (!waits(m) || (count && m->volume != batch->head.volume))
			continue;
		batch->head.volume = m->volume;
		count += put_pages(m, batch->records + count, TRACER_BATCH_RECORDS - count);
	}
	batch->head.count = count;
}

static void read_mark(struct tracer_batch *batch)
{
	batch->head.volume = TINYPROF_MARK;
	batch->head.epoch = ++marks;
	batch->head.count = (uint32_t)mark_size;
	for (size_t i = 0; i < mark_size; i++)
		batch->records[i] = (uint8_t)mark[i] | 1u << (TINYPROF_KIND_SHIFT + TINYPROF_EXEC);
	mark_size = 0;
}

long maps_read(struct tracer_batch *batch)
{
	maps_gather();
	batch->head.ms = sys_now_ms();
	read_pages(batch);
	if (!batch->head.count && mark_size)
		read_mark(batch);
	return batch->head.count ? (long)sizeof(batch->head) : -EAGAIN;
}

bool maps_gather(void)
{
	if (recording && sys_now_ms() - looked >= MAPS_LOOK_MS)
		look();
	if (!mark_size)
		mark_size = proc_mark(mark, sizeof(mark));
	return mark_size || has_records();
}

int maps_patience(void)
{
	uint32_t gone = sys_now_ms() - looked;

	/* While nothing is recorded marks are still read. */
	if (!recording)
		return MAPS_LOOK_MS;
	return gone < MAPS_LOOK_MS ? (int)(MAPS_LOOK_MS - gone) : 0;
}

/* Epochs */

static struct wire_mapping held[MAPS_MAX];
static uint8_t held_on[MAPS_MAX];	/* their volumes */
static size_t held_used;

static void end_epoch(void)
{
	held_used = 0;
	for (uint32_t i = 0; i < mappings_used; i++) {
		struct mapping *m = &mappings[i];

		if (m->most) {
			held[held_used] = (struct wire_mapping){ m->page_id, m->pages, m->most };
			held_on[held_used++] = m->volume;
		}
		m->most = 0;
		m->told = 0;
	}
	untraced.most = 0;
	for (uint32_t i = 0; i < VOLUMES_MAX; i++) {
		ends[i] = epochs[i];
		ends[i].volume = i;
		ends[i].epoch = epoch;
		ends[i].ms = sys_now_ms();
		epochs[i] = (struct tinyprof_epoch){ 0 };
	}
	/* A volume that is found later begins with the epoch that runs then. */
	has_ended = (1u << volumes_used) - 1;
	epoch++;
}

const struct wire_mapping *maps_held(uint32_t volume, size_t *count)
{
	static struct wire_mapping found[MAPS_MAX];

	*count = 0;
	for (size_t i = 0; i < held_used; i++)
		if (held_on[i] == volume)
			found[(*count)++] = held[i];
	return found;
}

/* One epoch for all volumes. EAGAIN while records wait, as the kernel's own part has it. */
static long rearm(struct tinyprof_epoch *end)
{
	uint32_t volume = end->volume;
	uint32_t bit = 1u << volume;

	if (volume >= volumes_used)
		return -ENOENT;
	if (!(has_ended & bit)) {
		if (!is_last_look_done && recording)
			look();
		is_last_look_done = true;
		if (has_records())
			return -EAGAIN;
		is_last_look_done = false;
		end_epoch();
	}
	has_ended &= ~bit;
	*end = ends[volume];
	return 0;
}

/* Commands */

static long describe(struct tinyprof_volume *to)
{
	uint32_t index = to->volume;

	if (index >= volumes_used)
		return -ENOENT;
	*to = volumes[index].is;
	to->volume = index;
	to->flags = recording ? TINYPROF_RECORDING : 0;
	to->epoch = epoch;
	to->queued = 0;
	to->untraced = index ? 0 : untraced.all;
	return 0;
}

long maps_command(unsigned int command, void *argument)
{
	switch (command) {
	case TINYPROF_IOC_INFO:
		proc_inform(argument, VOLUMES_MAX);
		return 0;
	case TINYPROF_IOC_VOLUME:
		return describe(argument);
	case TINYPROF_IOC_START:
	case TINYPROF_IOC_STOP:
		recording = command == TINYPROF_IOC_START;
		return 0;
	case TINYPROF_IOC_REARM:
		return rearm(argument);
	}
	return -ENOTTY;
}

/* Opening */

int maps_open(bool from_start)
{
	struct proc_tracepoint point;
	int pipe[2];
	long ret;

	proc_mount(&point);
	self = (uint32_t)sys_getpid();
	/* No page is ever resident where the kernel has no MMU. */
	without_mmu = sys_residency(NULL, 0, NULL) == -ENOSYS;
	source = (struct wire_source){
		.tracer = WIRE_MAPPINGS,
		.rearm = WIRE_LOOK_AGAIN,
		.around = EVENT_PAGE_SHIFT,
		.kinds = 1 << TINYPROF_EXEC | 1 << TINYPROF_READ,
	};
	ret = sys_pipe(pipe);
	if (ret)
		return (int)ret;
	other_end = pipe[1];
	recording = true;
	is_from_start = from_start;
	epoch = 0;
	look();
	epoch = 1;
	return pipe[0];
}

void maps_close(int tracer)
{
	recording = false;
	sys_close(tracer);
	sys_close(other_end);
}

const struct wire_source *maps_source(void)
{
	return &source;
}
