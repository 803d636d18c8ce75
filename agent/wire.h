/* SPDX-License-Identifier: MIT */
/*
 * docs/wire-format.md in C: messages to frames, and the host's frames back to
 * commands. Bytes come in and go out; nothing here touches a device or a clock.
 * tests/vectors/wire.json holds it to the host's implementation.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cramfs_tinyprof.h>

#include "cobs.h"

/*
 * 0 in the program that knows no source but the kernel's own part, so that
 * nothing of the others is left in it.
 */
#ifndef ALL_SOURCES
#define ALL_SOURCES		1
#endif

#define WIRE_PROTOCOL		1
#define WIRE_PAGE_SIZE		4096

/* Body and CRC together. */
#define WIRE_FRAME_MAX		COBS_PAYLOAD_MAX
#define WIRE_CRC_SIZE		4
#define WIRE_BODY_MAX		(WIRE_FRAME_MAX - WIRE_CRC_SIZE)

/* On the line: a zero, the COBS code byte, body and CRC, a zero. */
#define WIRE_LINE_MAX		(WIRE_FRAME_MAX + 3)

/* A hello names no more, so that it always fits one frame. */
#define WIRE_VOLUMES_MAX	2

/* Added to the type of a frame that is sent again until the host has it. */
#define WIRE_REPEATED		32

/*
 * A frame. The caller sets seq, its number, and whether it is repeated; each
 * function below writes all of it, both zeros included, as len bytes to line.
 */
struct wire_frame {
	uint8_t line[WIRE_LINE_MAX];
	bool repeated;
	uint16_t seq;
	uint16_t len;
	uint32_t sent;				/* for its sender to use */
};

/* Makes a frame that was sent once one that is repeated. */
void wire_repeat(struct wire_frame *f);

/* What sees the touches, where it is not the kernel's own part: docs/wire-format.md. */
struct wire_source {
	uint32_t tracer, rearm, around, kinds, late;
};

enum { WIRE_EVENTS = 1, WIRE_RESIDENCY, WIRE_MAPPINGS };	/* tracer */
enum { WIRE_NEVER, WIRE_CLEAR_REFS, WIRE_READ_BACK, WIRE_LOOK_AGAIN };	/* rearm */

struct wire_hello {
	const char *agent;			/* versions; cut at 31 bytes */
	const char *kernel;
	const char *arch;
	uint32_t epoch_ms;			/* 0: never ends by time */
	struct tinyprof_info tracer;		/* abi 0: none */
	const struct tinyprof_volume *volumes;
	size_t count;				/* at most WIRE_VOLUMES_MAX */
	uint32_t window;			/* frames kept for repetition, below 128 */
	const struct wire_source *source;	/* NULL: the kernel's own part */
};

void wire_hello(struct wire_frame *f, const struct wire_hello *hello);

/*
 * Sends records of one batch, as many as fit.
 *
 * A record with several kind bits is one value for each, and the frame may end
 * between two of them: the bits sent are cleared in records, so that a record
 * holds what is still to be sent.
 *
 * Returns how many records, from the first, are done. Call again for the rest.
 */
size_t wire_pages(struct wire_frame *f, const struct tinyprof_batch *batch,
		  uint32_t *records, size_t count);

/*
 * total: records of all epochs ended so far, on all volumes, this one included.
 * processes: NULL where the kernel does not count them.
 */
void wire_epoch_end(struct wire_frame *f, const struct tinyprof_epoch *epoch, uint32_t total,
		    const struct tinyprof_processes *processes);

struct wire_status {
	uint32_t ms;				/* CLOCK_BOOTTIME, modulo 2^32 */
	uint32_t queued;			/* records */
	uint32_t untraced;			/* touches */
	uint32_t write_errors;			/* frames */
	uint32_t repeats;			/* frames sent again */
	uint32_t waited;			/* ms, for the host to acknowledge */
	bool has_events;			/* the next one is told */
	uint32_t lost;				/* events */
};

void wire_status(struct wire_frame *f, const struct wire_status *status);

struct wire_file {
	uint32_t volume, page_id, pages, size, device, inode;
	const char *path;
	uint32_t path_size;
};

/* Sends the path from an offset on, as much of it as fits. Returns how many bytes that is. */
uint32_t wire_file(struct wire_frame *f, const struct wire_file *file, uint32_t offset);

/* A mapping of a file, and how many processes held it at the same time. */
struct wire_mapping {
	uint32_t page_id, pages, processes;
};

/* Sends the mappings of an epoch, as many as fit. Returns how many, from the first, are done. */
size_t wire_mappings(struct wire_frame *f, uint32_t volume, uint32_t epoch,
		     const struct wire_mapping *mappings, size_t count);

/* Says that frames are repeated from number f->seq on, under that session. */
void wire_begin(struct wire_frame *f, uint32_t session);

enum wire_command_type {
	WIRE_HELLO_PLEASE = 16,
	WIRE_EPOCH_LENGTH = 17,			/* ms */
	WIRE_REARM = 18,
	WIRE_ACK = 19,				/* session, next, beyond */
	WIRE_REPEAT_PLEASE = 20,
	WIRE_TRACE = 21,			/* 0: record no more */
};

#define WIRE_ARGUMENTS_MAX	3

struct wire_command {
	enum wire_command_type type;
	uint32_t arguments[WIRE_ARGUMENTS_MAX];	/* 0 where there is none */
};

/* Bytes since the last zero. Start with all zero. */
struct wire_receiver {
	/* One byte more than any frame has. A full buffer holds no frame. */
	uint8_t run[WIRE_FRAME_MAX + 2];
	size_t len;
};

/*
 * Takes one byte off the line, which may hold anything.
 *
 * Returns true when it ended a valid command, which is then in *command. All
 * else is passed over in silence: console input, noise, unknown types.
 */
bool wire_receive(struct wire_receiver *r, uint8_t byte,
		  struct wire_command *command);

#endif
