/* SPDX-License-Identifier: MIT */
/*
 * First touches: which pages were seen in this epoch, and as which kinds; and
 * the records of them that wait to be sent, in their order.
 *
 * Memory grows by 24 bytes for each 32 pages in a row of which one was touched
 * in an epoch, and by 4 for each record that waits.
 */
#ifndef TOUCHES_H
#define TOUCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#define VOLUMES_MAX	8

/* Groups of 32 pages. */
#define GROUPS_MAX	32768

/* Records, and one more wherever the volume changes. */
#define QUEUE_MAX	65536

/*
 * Queues a record if the page was not seen as that kind in this epoch. Returns
 * false if there was no room to do so.
 */
bool touches_add(uint32_t volume, uint32_t page_id, int kind);

/* The volume of a mark in the queue. */
#define TOUCHES_MARK	TINYPROF_PAGE_ID_MASK

/* Queues a mark, spelled as the kernel's own part does it (TINYPROF_MARK). */
void touches_mark(const char *text, size_t size);

/* Whether it was seen so in this epoch. */
bool touches_has(uint32_t volume, uint32_t page_id, int kind);

/* Forgets which pages were seen; the queue stays. */
void touches_end_epoch(void);

/* So many records at least can still be queued. */
uint32_t touches_room(void);

/* So many records wait. */
uint32_t touches_waiting(void);

/*
 * Takes at most count records of one volume, or one mark, off the queue. Returns
 * how many; *volume is theirs.
 */
uint32_t touches_take(uint32_t *to, uint32_t count, uint32_t *volume);

/* Forgets all that waits and all that was seen. */
void touches_reset(void);

#endif
