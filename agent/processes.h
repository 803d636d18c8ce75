/* SPDX-License-Identifier: MIT */
/*
 * The processes, and which file each maps where. munmap() and mremap() are not
 * told by the kernel's events; a later mapping covers an earlier one.
 *
 * Memory grows by 12 bytes for each process that lives at the same time, and by
 * 24 (32 on a 64-bit machine) for each of its mappings of files. What does not
 * fit is refused; the caller counts it.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESSES_MAX	4096
#define MAPPINGS_MAX	32768

/* Pages of a mapping, from its first, of which is known whether they were copied. */
#define COPIED_PAGES	32

/* mapping.flags */
#define MAPPING_EXECUTABLE	1
#define MAPPING_COPIES		2	/* private, and is or was writable: may hold copies of pages */
#define MAPPING_OLD		4	/* was there when an epoch ended */
#define MAPPING_WRITABLE	8

struct mapping {
	unsigned long page, pages;	/* of addresses */
	uint32_t offset;		/* of its first page in the file */
	uint16_t file;			/* index into files; 0: no file */
	uint8_t flags;
	uint16_t next;			/* of the same process; 0: none */
	uint32_t copied;		/* a bit for each of its first COPIED_PAGES pages */
};

struct process {
	uint32_t pid;			/* 0: free */
	uint16_t threads;
	uint16_t mappings;		/* the first one; 0: none */
	uint16_t next;			/* in its bucket, or of the free ones; 0: none */
};

/* Starts with no process. */
void processes_reset(void);

/*
 * The child has the parent's mappings. The same pid: a thread of it. Returns
 * false if there is no room.
 */
bool processes_fork(uint32_t pid, uint32_t parent);

/* The number of a process's threads, where it is known from elsewhere. */
void processes_set_threads(uint32_t pid, uint32_t threads);

/* The process begins anew, without mappings. */
void processes_exec(uint32_t pid);

/* A thread ended; with the last one its process is forgotten. */
void processes_exit(uint32_t pid);

/*
 * Adds a mapping and takes what it covers from earlier ones. Where it is the
 * same part of the same file with another protection, mprotect() was called, and
 * its copies stay. With the same one, it was mapped anew.
 * Returns false if there is no room.
 */
bool processes_map(uint32_t pid, const struct mapping *mapping);

/* The mapping of that page, or NULL. It is valid until the next change. */
struct mapping *processes_find(uint32_t pid, unsigned long page);

/* The process behind one, in no order; the first behind NULL. NULL: there are no more. */
struct process *processes_next(const struct process *process);

/* The mapping behind one of a process; the first behind NULL. NULL: there are no more. */
struct mapping *process_mapping(const struct process *process, const struct mapping *mapping);

bool mapping_is_copied(const struct mapping *m, unsigned long page);
void mapping_set_copied(struct mapping *m, unsigned long page);

#endif
