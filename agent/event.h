/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's perf events say, one record at a time. Bytes come in; they
 * may be anything, and nothing beyond their size is read.
 *
 * The layout of a record is that of <linux/perf_event.h> with sample_type
 * EVENT_SAMPLE_TYPE and sample_id_all set. A sample that carries raw data is
 * the tracepoint filemap:mm_filemap_add_to_page_cache. A line of
 * /proc/PID/maps says the same as a mapping's record.
 */
#ifndef EVENT_H
#define EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/perf_event.h>

#define EVENT_SAMPLE_TYPE	(PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR)

/* The longest record that is read: that of a mapping, with its file's path. */
#define EVENT_SIZE_MAX		4352

/* The longest path that a mapping is told with, and its NUL. */
#define EVENT_PATH_MAX		4096

#define EVENT_PAGE_SHIFT	12

enum event_type {
	EVENT_NONE,			/* of no use, or malformed */
	EVENT_TOUCH,			/* a page fault: pid, tid, page */
	EVENT_CACHED,			/* a page entered the page cache: tid, device, inode, offset, pages */
	EVENT_MAP,			/* pid, page, pages, and the file's: device and all below it */
	EVENT_FORK,			/* pid, parent; the same for a thread */
	EVENT_EXEC,			/* pid has no mappings any more */
	EVENT_EXIT,			/* pid's thread tid ended */
	EVENT_LOST,			/* so many events as lost says were dropped */
};

struct event {
	enum event_type type;
	uint32_t pid, tid, parent;
	unsigned long page, pages;	/* of addresses */
	uint32_t lost;

	uint32_t device;		/* major << 20 | minor; 0 with inode 0: no file */
	uint32_t generation;		/* of the inode */
	uint64_t inode;
	uint32_t offset;		/* page in the file */
	bool executable, writable, shared;
	const char *path;		/* in the record; ends with a NUL there */
};

/* Where the tracepoint's fields stand in its raw data, in bytes; all 0: not known. */
struct event_fields {
	uint16_t inode, index, device, order;	/* order 0: there is no such field */
};

/* Reads the fields' places from the tracepoint's "format" file, which ends with a NUL. */
bool event_fields(struct event_fields *fields, const char *format);

/* Where a record of that size has its clock, in bytes from its header; 0: it has none. */
size_t event_time_at(const struct perf_event_header *header);

/* Reads a record of size bytes, at an address that is a multiple of 8. */
void event_read(struct event *e, const uint8_t *record, size_t size,
		const struct event_fields *fields);

/* Reads a line of /proc/PID/maps that ends with a NUL; EVENT_NONE: it is none. */
void event_from_maps(struct event *e, uint32_t pid, const char *line);

#endif
