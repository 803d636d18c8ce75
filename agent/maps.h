/* SPDX-License-Identifier: MIT */
/*
 * A tracer in this program, for a kernel without an MMU: which mappings of files the
 * processes hold, by /proc/PID/maps. It needs no patch and works on any kernel, but it
 * sees no single page.
 *
 * Every MAPS_LOOK_MS it looks at all processes. Each page of a mapping that is held is a
 * touch of the epoch: of kind exec where the mapping may be executed, else of kind read. At
 * the end of an epoch it tells each mapping, and how many processes held it at most.
 * A mapping that may be written is a private copy, and is passed over. So is a file
 * that is on no CramFS.
 *
 * Answers to the commands are those of the kernel's own part (tracer.h).
 */
#ifndef MAPS_H
#define MAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "tracer.h"

/* Between two looks. */
#define MAPS_LOOK_MS	200

/* Mappings of one epoch, and processes at one look. */
#define MAPS_MAX	256
#define MAPS_PROCESSES	64

/* Returns a descriptor for poll() that never wakes it, or a negative errno. */
int maps_open(bool from_start);
void maps_close(int tracer);

long maps_read(struct tracer_batch *batch);
long maps_command(unsigned int command, void *argument);
const struct wire_source *maps_source(void);
int maps_patience(void);
bool maps_gather(void);

/* The mappings of the epoch of a volume that ended last. */
const struct wire_mapping *maps_held(uint32_t volume, size_t *count);

#endif
