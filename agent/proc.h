/* SPDX-License-Identifier: MIT */
/*
 * What /proc and other file systems of the kernel say about processes, pages
 * and devices. They are mounted where only the agent sees them.
 */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#include "event.h"

/* The tracepoint of pages that enter the page cache. */
struct proc_tracepoint {
	uint32_t id;			/* 0: the kernel has none */
	struct event_fields fields;
};

/* Mounts what is needed, the first time. Whatever fails is missed later. */
void proc_mount(struct proc_tracepoint *point);

/*
 * The answer to TINYPROF_IOC_INFO of a source in this program. Its boot id is the same until the
 * next boot, and another after it.
 */
void proc_inform(struct tinyprof_info *to, uint32_t volumes);

/* The window of pages that are mapped around a fault, as a power of 2; 0: it is not known. */
uint32_t proc_fault_around(void);

/* Maps no other page around a fault, or as many as before. Returns whether that can be done. */
bool proc_set_fault_around(bool off);

/* The CramFS on a device, read from its superblock; false: there is none. */
bool proc_cramfs(uint32_t device, struct tinyprof_volume *volume);

/*
 * The size in bytes of a process's file; UINT32_MAX: larger, or not known. Returns
 * false if it is known to be no regular file.
 */
bool proc_file_size(uint32_t pid, const char *path, uint32_t *size);

/*
 * Calls take for each regular file that process 1 sees on the device of its root, or
 * on one for which wanted is true. A folder on another device is not entered, nor
 * one PROC_DEPTH below the root. A folder itself is taken with path NULL. Returns
 * false where it ended after PROC_WALK_MS, since nobody empties a ring meanwhile.
 */
#define PROC_DEPTH	24
#define PROC_WALK_MS	200
bool proc_walk(bool (*wanted)(uint32_t device),
	       void (*take)(uint32_t device, uint64_t inode, const char *path));

/* Opens a process's "/maps", "/pagemap", "/root" and path. Negative: an errno. */
int proc_open(uint32_t pid, const char *name, const char *path, int flags);

/* Calls take for each process. */
void proc_each(void (*take)(uint32_t pid));

/* Calls take for each mapping of a process. */
void proc_maps(uint32_t pid, void (*take)(struct event *e));

/* Makes the entries of a process's mappings of files old. A negative errno for an error. */
long proc_make_old(uint32_t pid);

/* Drops what a processor remembers of a process's entries. */
void proc_flush(uint32_t pid);

/* The number of a process's threads; 1 where it is not known. */
uint32_t proc_threads(uint32_t pid);

/* An entry of /proc/PID/pagemap. */
#define PROC_PRESENT	(1ull << 63)
#define PROC_OF_FILE	(1ull << 61)	/* no private copy */
#define PROC_FRAME	((1ull << 55) - 1)

/* Entries from a page of addresses on. Returns how many were found. */
uint32_t proc_pages(int pagemap, unsigned long page, uint64_t *found, uint32_t count);

/* Idle page tracking: whether the kernel has it. */
bool proc_tracks_idle(void);

/* Whether the page in that frame was accessed, by anybody, since it was made idle. */
bool proc_is_accessed(uint64_t frame);
void proc_make_idle(uint64_t frame);

/*
 * The next word that somebody wrote to the kernel's log as a mark,
 * "tinyprof: WORD" to /dev/kmsg. Returns its length, 0: there is none.
 */
size_t proc_mark(char *text, size_t max);

#endif
