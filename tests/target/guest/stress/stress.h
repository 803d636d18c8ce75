/* SPDX-License-Identifier: MIT */
/*
 * A stress of everything that programs can do with files of a CramFS, for
 * kernels that check themselves. main.c says how it is run and what it prints.
 *
 * Word n of a file is its id and n, so every byte that is seen anywhere can be
 * checked, and tells where it is from.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096u
#define WORDS		(PAGE / 4)
#define HUGE		(2u << 20)

/* No file has this id, so no file has this word. */
#define MARK		0xffffffffu

/* What threads do with pages, each a function op_NAME(). */
#define OPERATIONS(DO)                                                                             \
	DO(touch) DO(populate) DO(copy) DO(protect) DO(move) DO(advise) DO(lock) DO(keep) DO(huge) \
	DO(fork) DO(exec) DO(trace) DO(dump) DO(remote) DO(read) DO(read_into) DO(splice)          \
	DO(write_out) DO(cache) DO(proc)

/* What else is counted. */
#define EVENTS(DO)                                                                                 \
	DO(page) DO(start) DO(stop) DO(rearm) DO(batch) DO(record) DO(mark) DO(open) DO(command)   \
	DO(epoch) DO(witness) DO(mount) DO(drop) DO(press) DO(killed) DO(huge_page)

#define AS_OPERATION(name)	OP_##name,
#define AS_EVENT(name)		EVENT_##name,
enum counted { OPERATIONS(AS_OPERATION) OPERATIONS_END, EVENTS(AS_EVENT) COUNTED_END };

extern const char *const counted_names[];

enum file_name { FILE_NONE, FILE_HALF, FILE_ALL, FILE_RUNS, FILE_BIG, FILE_WITNESS, FILES };

struct file {
	uint32_t id;
	int fd;
	size_t size, pages;
	uint32_t page_id;		/* of page 0, as the tracer has it */
};

struct volume {
	struct file files[FILES];
	char program[32];		/* this one, on that volume */
};

#define WORKERS_MAX	32
#define WITNESS_PAGES	128
#define WITNESS_KINDS	4

struct beat {
	const char *who;		/* NULL: no such worker */
	_Atomic(long) since;		/* when its operation began, in ms */
	_Atomic(int) doing;
};

/* Shared by all processes. */
struct shared {
	atomic_int stop;
	atomic_ulong wrong, counts[COUNTED_END], spent[COUNTED_END];
	atomic_int workers;
	atomic_uint begun;		/* operations, by all workers */
	struct beat beats[WORKERS_MAX];
	/* The epoch in which touches of the witness count for sure, or 0. */
	atomic_uint epoch;
	/* The last epoch in which each page was touched, by kind. */
	atomic_uint touched[WITNESS_KINDS][WITNESS_PAGES];
};

extern struct shared *shared;
extern struct volume root;
extern uint64_t seed;

/* One thread. */
struct worker {
	uint64_t random;
	struct beat *beat;
	struct volume *volume;
};

struct mapping {
	const struct file *file;
	uint8_t *at;
	size_t first, pages;
	uint64_t written;		/* bits: pages that have a MARK */
};

#define MAPPING_PAGES	64u
#define MARK_WORD	2u

/* pattern.c */
void open_volume(struct volume *volume, const char *top, uint32_t first_id);
void close_volume(struct volume *volume);
void wrong(const char *what, const struct file *file, size_t offset);
void count(enum counted what, unsigned long times);
int is_right(const char *what, const struct file *file, const void *bytes, size_t from, size_t size);
void check_page(const char *what, const struct mapping *mapping, size_t page);
void check_mapping(const char *what, const struct mapping *mapping);
void write_mark(struct mapping *mapping, size_t page);

/* main.c */
long now(void);
uint32_t pick(struct worker *worker, uint32_t below);
struct worker new_worker(const char *who, struct volume *volume);
void begin(struct worker *worker, enum counted what);
void wait_for(int pid, const char *what);
void write_to(const char *path, const char *text);

/* operations.c */
struct mapping map_some(struct worker *worker, int access, int flags);
void unmap(struct mapping *mapping);
void operate(struct worker *worker);
void serve(struct worker *worker);
int visit(int words, char **word);

/* Processes of their own; they end when shared->stop is set. */
void work(void);
void witness(void);
void trace(void);
void mount_volumes(const char *device, const char *place, uint32_t first_id);
void drop_caches(void);
void press(void);

#define OP_FUNCTION(name)	void op_##name(struct worker *worker);
OPERATIONS(OP_FUNCTION)

#endif
