// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "nameless.h"
#include "proc.h"

#define FIRST_PROCESS	1

static struct run {
	uint64_t inode;
	uint32_t device;
	uint32_t offset, pages;
	bool due;			/* it has waited for one look already */
} runs[NAMELESS_MAX];
static uint32_t runs_used;

static void (*take_found)(const struct event *e);

void nameless_reset(void)
{
	runs_used = 0;
}

bool nameless_add(const struct event *e)
{
	/* Several processes may read in turn. */
	for (uint32_t i = runs_used; i--;) {
		struct run *r = &runs[i];

		if (r->inode != e->inode || r->device != e->device ||
		    r->offset + r->pages != e->offset)
			continue;
		r->pages += (uint32_t)e->pages;
		return true;
	}
	if (runs_used == NAMELESS_MAX)
		return false;
	runs[runs_used++] = (struct run){
		.inode = e->inode,
		.device = e->device,
		.offset = e->offset,
		.pages = (uint32_t)e->pages,
	};
	return true;
}

bool nameless_waiting(void)
{
	return runs_used;
}

/* A folder, which has no path here, has pages as well, and is no file. */
static void compare(uint32_t device, uint64_t inode, const char *path)
{
	struct event e = {
		.type = EVENT_CACHED,
		.pid = FIRST_PROCESS,
		.device = device,
		.inode = inode,
		.path = path,
	};

	for (uint32_t i = 0; i < runs_used; i++) {
		if (!runs[i].due || runs[i].inode != inode || runs[i].device != device)
			continue;
		e.offset = runs[i].offset;
		e.pages = runs[i].pages;
		if (path)
			take_found(&e);
		runs[i--] = runs[--runs_used];
	}
}

static bool is_wanted(uint32_t device)
{
	for (uint32_t i = 0; i < runs_used; i++)
		if (runs[i].due && runs[i].device == device)
			return true;
	return false;
}

/* Forgets what is due. Returns its pages. */
static uint32_t forget_due(void)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < runs_used; i++) {
		if (!runs[i].due)
			continue;
		pages += runs[i].pages;
		runs[i--] = runs[--runs_used];
	}
	return pages;
}

uint32_t nameless_find(void (*take)(const struct event *e), bool all)
{
	bool whole = true, any = false;
	uint32_t left;

	for (uint32_t i = 0; i < runs_used; i++) {
		runs[i].due |= all;
		any |= runs[i].due;
	}
	take_found = take;
	if (any)
		whole = proc_walk(is_wanted, compare);
	left = forget_due();
	for (uint32_t i = 0; i < runs_used; i++)
		runs[i].due = true;
	return whole ? 0 : left;
}
