// SPDX-License-Identifier: MIT
/* Operations on mappings of a thread's own, and on some that threads share. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/mman.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

struct mapping map_some(struct worker *worker, int access, int flags)
{
	struct mapping mapping = { .file = &worker->volume->files[pick(worker, FILE_WITNESS)] };

	mapping.first = pick(worker, (uint32_t)mapping.file->pages);
	mapping.pages = 1 + pick(worker, MAPPING_PAGES);
	if (mapping.pages > mapping.file->pages - mapping.first)
		mapping.pages = mapping.file->pages - mapping.first;
	mapping.at = mmap(NULL, mapping.pages * PAGE, access, MAP_PRIVATE | flags, mapping.file->fd,
			  (off_t)(mapping.first * PAGE));
	if (mapping.at == MAP_FAILED) {
		wrong("mmap", mapping.file, mapping.first * PAGE);
		mapping.pages = 0;
	}
	return mapping;
}

void unmap(struct mapping *mapping)
{
	if (mapping->pages)
		munmap(mapping->at, mapping->pages * PAGE);
}

/* To be read, or to be executed too. */
static int some_access(struct worker *worker)
{
	return pick(worker, 2) ? PROT_READ : PROT_READ | PROT_EXEC;
}

void op_touch(struct worker *worker)
{
	struct mapping mapping = map_some(worker, some_access(worker), 0);

	for (size_t n = 0; n < mapping.pages; n += 2)
		check_page("touch", &mapping, pick(worker, (uint32_t)mapping.pages));
	unmap(&mapping);
}

void op_populate(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | (pick(worker, 2) ? PROT_WRITE : 0),
					  MAP_POPULATE);

	check_mapping("populate", &mapping);
	unmap(&mapping);
}

void op_copy(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);

	for (size_t n = 0; n < mapping.pages; n += 2)
		write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
	check_mapping("copy", &mapping);
	if (mapping.pages && pick(worker, 2)) {
		madvise(mapping.at, mapping.pages * PAGE, MADV_DONTNEED);
		mapping.written = 0;
	}
	check_mapping("copy", &mapping);
	unmap(&mapping);
}

void op_protect(struct worker *worker)
{
	static const int accesses[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC,
					PROT_READ | PROT_WRITE | PROT_EXEC };
	struct mapping mapping = map_some(worker, PROT_READ, 0);

	for (int n = 0; mapping.pages && n < 8; n++) {
		size_t first = pick(worker, (uint32_t)mapping.pages);
		size_t pages = 1 + pick(worker, (uint32_t)(mapping.pages - first));
		int access = accesses[pick(worker, 4)];

		mprotect(mapping.at + first * PAGE, pages * PAGE, access);
		if (access & PROT_WRITE)
			write_mark(&mapping, first + pick(worker, (uint32_t)pages));
		else
			check_page("protect", &mapping, pick(worker, (uint32_t)mapping.pages));
	}
	check_mapping("protect", &mapping);
	unmap(&mapping);
}

/* A mapping may grow over any blocks behind it, in place or not. */
static void resize(struct worker *worker, struct mapping *mapping)
{
	size_t pages = 1 + pick(worker, 2 * MAPPING_PAGES);
	uint8_t *at;

	if (pages > mapping->file->pages - mapping->first)
		pages = mapping->file->pages - mapping->first;
	at = mremap(mapping->at, mapping->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
	if (at == MAP_FAILED)
		return;
	if (pages < 64)
		mapping->written &= (UINT64_C(1) << pages) - 1;
	mapping->at = at;
	mapping->pages = pages;
}

/* The old place stays, and shows the file anew. */
static void leave_behind(struct worker *worker, struct mapping *mapping)
{
	struct mapping old = *mapping;
	uint8_t *at = mremap(mapping->at, mapping->pages * PAGE, mapping->pages * PAGE,
			     MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	if (at == MAP_FAILED)
		return;
	mapping->at = at;
	old.written = 0;
	check_page("move", &old, pick(worker, (uint32_t)old.pages));
	munmap(old.at, old.pages * PAGE);
}

void op_move(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);

	for (int n = 0; mapping.pages && n < 4; n++) {
		check_page("move", &mapping, pick(worker, (uint32_t)mapping.pages));
		if (mapping.pages <= MAPPING_PAGES)
			write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
		if (pick(worker, 3))
			resize(worker, &mapping);
		else
			leave_behind(worker, &mapping);
	}
	check_mapping("move", &mapping);
	unmap(&mapping);
}

static const int advices[] = {
	MADV_NORMAL,	MADV_RANDOM,   MADV_SEQUENTIAL,	   MADV_WILLNEED,	MADV_DONTNEED,
	MADV_FREE,	MADV_DONTFORK, MADV_DOFORK,	   MADV_MERGEABLE,	MADV_HUGEPAGE,
	MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,	   MADV_REMOVE,		MADV_COLLAPSE,
	MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLD, MADV_PAGEOUT,
};

#define ADVICES		(sizeof(advices) / sizeof(*advices))

/* MADV_COLD and what follows it split huge pages. */
#define SPLITS		2

/*
 * A small kernel (CONFIG_BASE_SMALL) cannot split a huge page of a file, and
 * warns when asked to (xas_split_alloc()).
 */
static void advise(struct worker *worker, const struct mapping *mapping)
{
	size_t first = pick(worker, (uint32_t)mapping->pages);
	size_t pages = 1 + pick(worker, (uint32_t)(mapping->pages - first));
	uint32_t possible = ADVICES - (mapping->file->pages < HUGE / PAGE ? 0 : SPLITS);

	madvise(mapping->at + first * PAGE, pages * PAGE, advices[pick(worker, possible)]);
}

void op_advise(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | (pick(worker, 2) ? PROT_WRITE : 0), 0);

	for (int n = 0; mapping.pages && n < 8; n++) {
		advise(worker, &mapping);
		check_page("advise", &mapping, pick(worker, (uint32_t)mapping.pages));
	}
	check_mapping("advise", &mapping);
	unmap(&mapping);
}

void op_lock(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);

	if (!mapping.pages)
		return;
	if (pick(worker, 2))
		mlock(mapping.at, mapping.pages * PAGE);
	else
		mlock2(mapping.at, mapping.pages * PAGE, MLOCK_ONFAULT);
	write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
	check_mapping("lock", &mapping);
	if (pick(worker, 2))
		munlock(mapping.at, mapping.pages * PAGE);
	check_mapping("lock", &mapping);
	unmap(&mapping);
}

/* An aligned range of that size, to be mapped over. */
static uint8_t *aligned(size_t size)
{
	uint8_t *reserved = mmap(NULL, size + HUGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uintptr_t start = (uintptr_t)reserved, at = (start + HUGE - 1) & ~(uintptr_t)(HUGE - 1);

	if (reserved == MAP_FAILED)
		return NULL;
	if (at > start)
		munmap(reserved, at - start);
	munmap((uint8_t *)at + size, start + HUGE - at);
	return (uint8_t *)at;
}

/*
 * Mappings of whole files that all threads of a process share, and never unmap.
 * Entries vanish under the others' hands.
 */
void op_keep(struct worker *worker)
{
	static _Atomic(uint8_t *) kept[FILE_WITNESS];
	uint32_t n = pick(worker, FILE_WITNESS);
	struct mapping mapping = { .file = &root.files[n], .at = kept[n] };
	uint8_t *none = NULL;

	mapping.pages = mapping.file->pages;
	if (!mapping.at) {
		mapping.at = mmap(aligned(mapping.pages * PAGE), mapping.pages * PAGE,
				  some_access(worker), MAP_PRIVATE | MAP_FIXED, mapping.file->fd, 0);
		if (mapping.at == MAP_FAILED)
			return;
		if (!atomic_compare_exchange_strong(&kept[n], &none, mapping.at)) {
			munmap(mapping.at, mapping.pages * PAGE);
			return;
		}
	}
	for (int times = 0; times < 16; times++)
		check_page("keep", &mapping, pick(worker, (uint32_t)mapping.pages));
	advise(worker, &mapping);
}

struct pair {
	const struct mapping *mapping;
	uint64_t random;
};

static void *check_some(void *data)
{
	struct pair *pair = data;
	struct worker worker = { .random = pair->random };

	for (int n = 0; n < 32; n++)
		check_page("huge", pair->mapping, pick(&worker, (uint32_t)pair->mapping->pages));
	return NULL;
}

/* Two threads touch a mapping from its first fault on. */
static void check_together(struct worker *worker, const struct mapping *mapping)
{
	struct pair here = { mapping, worker->random }, there = { mapping, ~worker->random };
	pthread_t other;

	if (pthread_create(&other, NULL, check_some, &there))
		return;
	check_some(&here);
	pthread_join(other, NULL);
}

/* Make a huge page of a mapping's last 2 MiB, if it may be one. */
static void collapse(const struct mapping *mapping)
{
	uint8_t *at = mapping->at + mapping->pages * PAGE - HUGE;

	/* Only pages that are cached become one. */
	for (size_t page = mapping->pages - HUGE / PAGE; page < mapping->pages; page++)
		check_page("huge", mapping, page);
	for (int tries = 0; tries < 4; tries++)
		if (!madvise(at, HUGE, MADV_COLLAPSE)) {
			count(EVENT_huge_page, 1);
			return;
		} else if (errno != EAGAIN)
			return;
}

/*
 * The big file's first 2 MiB hold no block in place, so a mapping of them
 * becomes a huge page. It may grow over blocks in place then, and those may
 * become one too, while others map them in place.
 */
void op_huge(struct worker *worker)
{
	struct mapping mapping = { .file = &worker->volume->files[FILE_BIG], .pages = HUGE / PAGE };
	int grows = (int)pick(worker, 2);
	uint8_t *at = aligned(2 * HUGE);

	if (!at)
		return;
	mapping.first = grows ? 0 : pick(worker, 2) * mapping.pages;
	mapping.at = mmap(at, HUGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, mapping.file->fd,
			  (off_t)(mapping.first * PAGE));
	munmap(at + HUGE, HUGE);
	/* Another thread may have taken the place meanwhile. */
	if (grows && mremap(at, HUGE, 2 * HUGE, 0) == at)
		mapping.pages *= 2;
	check_together(worker, &mapping);
	collapse(&mapping);
	check_together(worker, &mapping);
	unmap(&mapping);
}
