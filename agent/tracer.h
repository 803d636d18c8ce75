/* SPDX-License-Identifier: MIT */
/*
 * The kernel's tracer: batches of records come in, commands go out. tracer.c
 * has it from /dev/tinyprof; tests/hosted/tracer.c from a test that plays the
 * kernel. Each call returns a negative errno for an error and never blocks.
 */
#ifndef TRACER_H
#define TRACER_H

#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

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

#endif
