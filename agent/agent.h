/* SPDX-License-Identifier: MIT */
/*
 * The agent: records from the tracer out of a port, the host's commands in.
 *
 * What the line cannot take stays in the kernel's queue: a slow line stretches
 * the epoch. An absent port, tracer or host is waited for; nothing but the
 * agent itself ever waits for them.
 *
 * It sends each frame once until a host asks for repetition. From then on it
 * keeps every frame until the host has it, and when AGENT_WINDOW frames are
 * kept, waits: the kernel's queue holds what comes meanwhile.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#include "settings.h"
#include "wire.h"

/* Volume indices looked at: one bit each in ending. The kernel has 8. */
#define AGENT_VOLUMES_MAX	31

/*
 * Frames kept for repetition. A third of a second of a line of 115,200 baud, so
 * that a host may answer late; and no more than the bits of an ACK can tell.
 */
#define AGENT_WINDOW		32

struct agent {
	struct settings settings;	/* epoch_ms is as the host last asked */

	int port, tracer;		/* negative: not open */
	struct tinyprof_info info;	/* abi 0: no tracer; the boot id stays */
	uint32_t seen;			/* changes when volumes come, go, start or stop */
	uint32_t ending;		/* volumes whose epoch is to end, a bit each */
	uint32_t anew;			/* volumes whose processes are to be told anew, too */
	uint32_t untold;		/* volumes with files whose processes did not fit the last end */
	bool more;			/* the last batch was full */
	bool stopped;			/* the host wants no recording */
	uint32_t ended;			/* records of all epochs that ended */

	uint16_t seq;				/* of the next frame */
	uint16_t oldest;			/* that the host may not have */
	uint32_t session;			/* 0: frames are not repeated */
	uint32_t sendings;			/* of frames, the first of each and repeats */
	uint32_t last_sent;			/* ms; or when the host last acknowledged */

	struct wire_status status;		/* as it was, or will be, said */
	uint32_t epoch_began, said_hello, said_status;	/* ms */
	bool say_hello, say_begin;

	/*
	 * Large members come last: the others are near then, and the code is
	 * smaller.
	 */
	struct wire_receiver receiver;
	struct wire_frame window[AGENT_WINDOW];	/* by seq, modulo its size */
};

/*
 * Opens the tracer and starts every volume that is not being recorded. If
 * there is no tracer, agent_run() looks for it again.
 */
void agent_find_tracer(struct agent *a);

/* Records for ever. Start with settings read, port and tracer negative, the rest zero. */
_Noreturn void agent_run(struct agent *a);

#endif
