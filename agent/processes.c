// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "processes.h"

#define BUCKETS		256

/* Of both tables, place 0 stays free: it means none. Places are used from the lowest on. */
static struct process processes[PROCESSES_MAX];
static struct mapping mappings[MAPPINGS_MAX];
static uint16_t buckets[BUCKETS];
static uint16_t processes_used, free_process;
static uint16_t mappings_used, free_mapping;

void processes_reset(void)
{
	for (int i = 0; i < BUCKETS; i++)
		buckets[i] = 0;
	for (int i = 0; i <= processes_used; i++)
		processes[i].pid = 0;
	processes_used = 0;
	free_process = 0;
	mappings_used = 0;
	free_mapping = 0;
}

/* Mappings */

static struct mapping *at(uint16_t place)
{
	return place ? &mappings[place] : NULL;
}

static uint16_t take_mapping(void)
{
	uint16_t place = free_mapping;

	if (place)
		free_mapping = mappings[place].next;
	else if (mappings_used < MAPPINGS_MAX - 1)
		place = ++mappings_used;
	return place;
}

static void give_mappings_back(struct process *p)
{
	uint16_t last = p->mappings;

	if (!last)
		return;
	while (mappings[last].next)
		last = mappings[last].next;
	mappings[last].next = free_mapping;
	free_mapping = p->mappings;
	p->mappings = 0;
}

/* Adds one in front; false: there is no room. */
static bool add(struct process *p, const struct mapping *mapping)
{
	uint16_t place = take_mapping();

	if (!place)
		return false;
	mappings[place] = *mapping;
	mappings[place].next = p->mappings;
	p->mappings = place;
	return true;
}

static uint32_t bit_of(const struct mapping *m, unsigned long page)
{
	return page - m->page < COPIED_PAGES ? 1u << (page - m->page) : 0;
}

bool mapping_is_copied(const struct mapping *m, unsigned long page)
{
	return m->copied & bit_of(m, page);
}

void mapping_set_copied(struct mapping *m, unsigned long page)
{
	m->copied |= bit_of(m, page);
}

/* Moves the start of m up to a page within. */
static void begin_at(struct mapping *m, unsigned long page)
{
	unsigned long gone = page - m->page;

	m->page = page;
	m->pages -= gone;
	m->offset += gone;
	m->copied = gone < COPIED_PAGES ? m->copied >> gone : 0;
}

#define PROTECTION	(MAPPING_EXECUTABLE | MAPPING_WRITABLE)

/* After mprotect(), copies of the pages that both have. */
static void inherit(struct mapping *m, const struct mapping *from)
{
	if (m->file != from->file || m->page - m->offset != from->page - from->offset ||
	    !(from->flags & MAPPING_COPIES) || !((m->flags ^ from->flags) & PROTECTION))
		return;
	m->flags |= MAPPING_COPIES;
	for (unsigned long page = from->page; page - from->page < from->pages &&
	     bit_of(from, page); page++)
		if (mapping_is_copied(from, page))
			mapping_set_copied(m, page);
}

/* Takes from the mappings of p what m covers. */
static bool uncover(struct process *p, struct mapping *m)
{
	unsigned long end = m->page + m->pages;
	uint16_t *link = &p->mappings;
	struct mapping *old;
	bool room = true;

	while ((old = at(*link))) {
		unsigned long old_end = old->page + old->pages;

		if (old_end <= m->page || end <= old->page) {
			link = &old->next;
			continue;
		}
		inherit(m, old);
		if (end < old_end) {
			if (m->page <= old->page) {
				begin_at(old, end);
				continue;
			}
			/* m lies in its middle. */
			if (add(p, old))
				begin_at(at(p->mappings), end);
			else
				room = false;
		}
		if (old->page < m->page) {
			old->pages = m->page - old->page;
			link = &old->next;
			continue;
		}
		*link = old->next;
		old->next = free_mapping;
		free_mapping = (uint16_t)(old - mappings);
	}
	return room;
}

/* Processes */

static struct process *find(uint32_t pid)
{
	uint16_t place = buckets[pid % BUCKETS];

	while (place && processes[place].pid != pid)
		place = processes[place].next;
	return place ? &processes[place] : NULL;
}

static struct process *find_or_add(uint32_t pid)
{
	struct process *p = find(pid);
	uint16_t place = free_process;

	if (p || !pid)
		return p;
	if (place)
		free_process = processes[place].next;
	else if (processes_used < PROCESSES_MAX - 1)
		place = ++processes_used;
	else
		return NULL;
	p = &processes[place];
	*p = (struct process){ .pid = pid, .threads = 1, .next = buckets[pid % BUCKETS] };
	buckets[pid % BUCKETS] = place;
	return p;
}

static void forget(struct process *p)
{
	uint16_t place = (uint16_t)(p - processes);
	uint16_t *link = &buckets[p->pid % BUCKETS];

	give_mappings_back(p);
	while (*link != place)
		link = &processes[*link].next;
	*link = p->next;
	p->pid = 0;
	p->next = free_process;
	free_process = place;
}

bool processes_fork(uint32_t pid, uint32_t parent)
{
	struct process *from = find(parent);
	struct process *p;

	if (pid == parent) {
		if (from)
			from->threads++;
		return true;
	}
	/* A pid that is still here is reused: its end was lost. */
	processes_exec(pid);
	p = find(pid);
	for (uint16_t m = p && from ? from->mappings : 0; m; m = mappings[m].next)
		if (!add(p, at(m)))
			return false;
	return p || !from || !from->mappings;
}

void processes_set_threads(uint32_t pid, uint32_t threads)
{
	struct process *p = find(pid);

	if (p)
		p->threads = (uint16_t)threads;
}

void processes_exec(uint32_t pid)
{
	struct process *p = find_or_add(pid);

	if (!p)
		return;
	give_mappings_back(p);
	p->threads = 1;
}

void processes_exit(uint32_t pid)
{
	struct process *p = find(pid);

	if (p && !--p->threads)
		forget(p);
}

bool processes_map(uint32_t pid, const struct mapping *mapping)
{
	struct process *p = mapping->file ? find_or_add(pid) : find(pid);
	struct mapping m = *mapping;
	bool room;

	/* Of a process without files no mapping need be known. */
	if (!p || m.page + m.pages < m.page)
		return !mapping->file;
	room = uncover(p, &m);
	return (!m.file || add(p, &m)) && room;
}

struct mapping *processes_find(uint32_t pid, unsigned long page)
{
	struct process *p = find(pid);
	uint16_t *link = p ? &p->mappings : NULL;
	uint16_t place;

	for (; link && *link; link = &mappings[*link].next) {
		place = *link;
		if (page - mappings[place].page >= mappings[place].pages)
			continue;
		/* In front: the next touch is likely to be near. */
		*link = mappings[place].next;
		mappings[place].next = p->mappings;
		p->mappings = place;
		return at(place);
	}
	return NULL;
}

struct process *processes_next(const struct process *process)
{
	uint16_t place = process ? (uint16_t)(process - processes) : 0;

	while (++place <= processes_used)
		if (processes[place].pid)
			return &processes[place];
	return NULL;
}

struct mapping *process_mapping(const struct process *process, const struct mapping *mapping)
{
	return at(mapping ? mapping->next : process->mappings);
}
