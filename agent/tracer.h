/* SPDX-License-Identifier: MIT */
/*
 * The tracer: batches of records come in, commands go out. tracer.c has it from
 * the kernel's own part, /dev/tinyprof, alone; sources.c from the best source
 * that a kernel has; tests/hosted/tracer.c from a test that plays the kernel.
 * Each call returns a negative errno for an error and never blocks.
 */
#ifndef TRACER_H
#define TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#include "wire.h"

/* Records that fill the kernel's own buffer of one page of 4 KiB. */
#define TRACER_BATCH_RECORDS	1020

struct tracer_batch {
	struct tinyprof_batch head;
	uint32_t records[TRACER_BATCH_RECORDS];
};

/* Returns a descriptor for poll(): readable while records wait. */
int tracer_open(void);

void tracer_close(int tracer);

/* Takes a batch off one volume's queue. -EAGAIN: all queues are empty. */
long tracer_read(int tracer, struct tracer_batch *batch);

/* One of TINYPROF_IOC_*, with the argument that it names. */
long tracer_command(int tracer, unsigned int command, void *argument);

/* What follows is for sources other than the kernel's own part, which has none of it. */

/* Whether there are other sources. They must be opened by the process that reads them. */
bool tracer_has_others(void);

/* Reads what the environment says of sources. */
struct settings;
void tracer_choose(struct settings *s, char **environment);

/* From now on it may open others. from_start: no other program of user space has run. */
void tracer_allow_others(bool from_start);

/* What is special about the source that is open; NULL: it is the kernel's own part. */
const struct wire_source *tracer_source(void);

/*
 * Milliseconds until the source's buffers should be emptied, INT32_MAX for a
 * source that has none; and to empty them. Returns whether records wait.
 */
int tracer_patience(void);
bool tracer_gather(void);

/* Events that the kernel dropped so far. */
uint32_t tracer_lost(void);

/* The mappings of the epoch of a volume that ended last, where the source sees mappings. */
const struct wire_mapping *tracer_mappings(uint32_t volume, size_t *count);

/* The next file that the host has to be told; false: there is none. */
bool tracer_file(struct wire_file *file);

/* All files are to be told anew, or one of them. */
void tracer_tell_files(bool all);

#endif
