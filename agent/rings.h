/* SPDX-License-Identifier: MIT */
/*
 * The kernel's perf events of all processes: a ring of records a processor.
 * Their memory is the kernel's. A ring that is full drops events, and tells later
 * how many.
 */
#ifndef RINGS_H
#define RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "proc.h"

#define RINGS_MAX	64	/* processors */
#define RINGS_PAGE	4096
#define RINGS_SIZE_MAX	(64 << 20)

/*
 * Opens the events of every processor. Those that are open stay, so call again for
 * processors that came since, or came back. Rings of those that have gone are
 * closed once they are empty. Touches are not told yet. Returns a descriptor
 * for poll(), readable when a ring is half full, or a negative errno where no event
 * could be had. A ring has the largest power of 2 that is at most kib. tracepoint:
 * NULL for everything as before.
 */
int rings_open(const struct proc_tracepoint *tracepoint, uint32_t kib);

/* A descriptor that is never readable, for a source without rings. */
int rings_none(void);

void rings_close(void);

/* Begins or ends telling of touches. Mappings and processes are told all the time. */
void rings_tell_touches(bool on);

/* What is in the rings now is what rings_next() gives. */
void rings_look(void);

/* The next event by its time; false: there is none. Valid until the next call. */
bool rings_next(struct event *e);

#endif
