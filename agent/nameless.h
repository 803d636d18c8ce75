/* SPDX-License-Identifier: MIT */
/*
 * Pages that entered the page cache of a file that nobody has mapped. The kernel
 * tells its device and inode. They wait here until the file's path is found in the
 * folders of that device.
 */
#ifndef NAMELESS_H
#define NAMELESS_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

#define NAMELESS_MAX	128	/* runs of pages that wait */

void nameless_reset(void);

/* Keeps what an EVENT_CACHED says; false: there is no room. */
bool nameless_add(const struct event *e);

/* Whether pages wait. */
bool nameless_waiting(void);

/*
 * Looks for the files of the runs that were here at the look before, or of all. Calls
 * take with an event like the one that was added, path and all, for each that is
 * found. The others are forgotten: their files were deleted, or lie where process 1
 * does not see them. Returns the pages of files that may be where it did not look,
 * for that took too long.
 *
 * A program's head is read just before it is mapped, and a squashfs takes its time to
 * bring the whole block. After one look more its mapping is known.
 */
uint32_t nameless_find(void (*take)(const struct event *e), bool all);

#endif
