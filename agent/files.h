/* SPDX-License-Identifier: MIT */
/*
 * The files that were mapped, and the volumes that they are on. A page of a
 * CramFS has the id that the kernel's own tracer would give it. All other file
 * systems are one volume, the file volume, whose ids are given here in the order
 * in which files are met; such a file has to be told.
 *
 * Memory grows by 56 bytes and its path for each file.
 */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#include "event.h"
#include "touches.h"

#define FILES_MAX	4096
#define PATHS_SIZE	(512 << 10)	/* bytes, of all paths together */
#define DEVICES_MAX	32

struct file {
	uint64_t inode;
	uint32_t device, generation;
	uint32_t page_id, pages;	/* of its page 0, and how many it has */
	uint32_t size;			/* in bytes; UINT32_MAX: larger, or not known */
	uint32_t path;			/* place in the paths */
	uint32_t mapped_by;		/* the process that was counted last */
	uint16_t path_size;
	uint16_t next;			/* in its bucket; 0: none */
	uint16_t mapped, most;		/* processes that map its page 0 now, and at most */
	uint16_t most_told;
	uint8_t volume;
	bool told;
	bool was_mapped;
};

/* Forgets everything. */
void files_reset(void);

/*
 * The file of a mapping that is told, added where it is new. Returns its index; 0: it is no
 * regular file, or there is no room; then *room becomes false.
 */
uint16_t files_of(const struct event *e, bool *room);

/* A file that is known already, or 0. */
uint16_t files_find(uint32_t device, uint64_t inode, uint32_t generation);

struct file *files_at(uint16_t index);
uint32_t files_count(void);

/* A CramFS by its device, and the number of its volume; false: it is no such. */
bool files_cramfs(uint32_t device, uint32_t *volume);

/* Whether a file on this device was met, and it is no CramFS. */
bool files_has_other(uint32_t device);

/* A volume that is in use, or NULL. */
struct tinyprof_volume *files_volume(uint32_t volume);

/* The path of a file. A NUL ends it. */
const char *files_path(const struct file *file);

/* The next file of the file volume that is to be told, and then is; NULL: there is none. */
struct file *files_to_tell(void);

/* All files are to be told again, or one more of them. */
void files_tell_anew(void);
void files_tell_one_anew(void);

#endif
