/* SPDX-License-Identifier: MIT */
/*
 * A tracer in this program, for a kernel without ours: from the kernel's perf
 * events of page faults (event.h, rings.h), or, where there are none, from what
 * mincore() says of the files that are mapped.
 *
 * Events. Each page fault tells an address; the table of mappings (processes.h)
 * tells which page of which file that is. At the end of an epoch every entry of
 * a mapped file is made old, by /proc/PID/clear_refs, so that the next access
 * faults again. Where the processor sets the accessed flag by itself, no old
 * entry faults. There the flag is read back by idle page tracking, or the
 * recording is one long epoch.
 *
 * Residency. Every WATCH_LOOK_MS, the pages of mapped files that have entered the page
 * cache are touches of kind read, in one long epoch.
 *
 * Answers to the commands are those of the kernel's own part (tracer.h).
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "tracer.h"

/* Between two looks at the rings, and at the page cache. */
#define WATCH_GATHER_MS		100
#define WATCH_LOOK_MS		100

/* Between two looks for new processors, and through the folders for files that were read. */
#define WATCH_PROCESSORS_MS	1000
#define WATCH_NAMES_MS		250
#define WATCH_NAMES_MAX_MS	60000	/* where a look takes too long */

/* Faults that wait for a look at whether the page is a private copy. */
#define WATCH_DOUBTS_MAX	64

enum watch_choice {
	WATCH_BEST,			/* perf events, or residency where there are none */
	WATCH_EVENTS,
	WATCH_RESIDENCY,
};

/*
 * Mounts what is needed and opens a source, with rings of that size for events.
 * Returns a descriptor for poll(), or a negative errno. from_start: no other
 * program has run.
 */
int watch_open(enum watch_choice choice, uint32_t ring_kib, bool from_start);

void watch_close(void);
long watch_read(struct tracer_batch *batch);
long watch_command(unsigned int command, void *argument);

const struct wire_source *watch_source(void);
int watch_patience(void);
bool watch_gather(void);
uint32_t watch_lost(void);
bool watch_file(struct wire_file *file);
void watch_tell_files(bool all);

#endif
