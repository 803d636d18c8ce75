// SPDX-License-Identifier: MIT
/*
 * As init: processes that share /pattern in all ways, epoch by epoch, and what
 * the tracer has to say of it. Reads /dev/tinyprof and re-arms by itself, and
 * prints for each epoch and kind (as on the wire: 0 exec, 1 read, 2 write,
 * 3 file) the pages, in order, a page as often as it was recorded:
 *
 *	truth EPOCH KIND PAGE...	what the processes did
 *	seen EPOCH KIND PAGE...		what was recorded
 *
 * Where somebody else reads the device it only acts, EPOCHS times, PAUSE_MS
 * apart. Ends with "shares done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define PAGE		4096
#define PAGES_MAX	64
#define EPOCHS		16
#define REARM_MS	50
#define PAUSE_MS	300

/* How often each page was touched, or recorded, as each kind. */
typedef unsigned int counts[TINYPROF_KINDS][PAGES_MAX];

static int fd;
static size_t size;
static uint32_t first_page_id, pages;
static const uint8_t *inherited;

static uint8_t *map(int access)
{
	uint8_t *bytes = mmap(NULL, size, access, MAP_PRIVATE, fd, 0);

	if (bytes == MAP_FAILED)
		perror("bad mmap");
	return bytes;
}

static void touch(const uint8_t *bytes, int page)
{
	(void)*(const volatile uint8_t *)(bytes + page * PAGE);
}

static void write_to(uint8_t *bytes, int page)
{
	*(volatile uint8_t *)(bytes + page * PAGE) = 1;
}

/* Both of two processes, each with a mapping of its own, as of a library. */
static void use_library(void)
{
	static const uint8_t *bytes;

	if (!bytes)
		bytes = map(PROT_READ | PROT_EXEC);
	touch(bytes, 0);
	touch(bytes, 17);
	touch(bytes, 18);
}

/* A child with the mapping and the page tables of its parent. */
static void use_inheritance(void)
{
	touch(inherited, 3);
	touch(inherited, 5);
	touch(inherited, 6);
}

/* Private copies, of a page that was never read before and of one that was; and a page left clean. */
static void write_privately(void)
{
	static uint8_t *bytes;

	if (!bytes)
		bytes = map(PROT_READ | PROT_WRITE);
	write_to(bytes, 9);
	touch(bytes, 9);
	touch(bytes, 10);
	write_to(bytes, 10);
	touch(bytes, 11);
}

/* From the middle of page 20 to the middle of page 22, and page 17, which others map. */
static void read_file(void)
{
	uint8_t bytes[2 * PAGE];

	if (pread(fd, bytes, sizeof(bytes), 20 * PAGE + PAGE / 2) != sizeof(bytes) ||
	    pread(fd, bytes, 1, 17 * PAGE) != 1)
		puts("bad read");
}

static void run_another_program(void)
{
	pid_t child = vfork();
	int status;

	if (!child) {
		execl("/sbin/visits", "visits", "17", "40", NULL);
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child || status)
		puts("bad visit");
}

static void use_parent(void)
{
	touch(inherited, 3);
}

/* Who acts: in a process of its own or in this one, and what of it is to be recorded. */
static const struct actor {
	void (*act)(void);
	int own_process;
	int first_only[8];	/* kind, page, ... -1: the first time alone */
	int always[16];
} actors[] = {
	{ use_library, 1, { -1 }, { 0, 0, 0, 17, 0, 18, -1 } },
	{ use_library, 1, { -1 }, { 0, 0, 0, 17, 0, 18, -1 } },
	{ use_inheritance, 1, { -1 }, { 1, 3, 1, 5, 1, 6, -1 } },
	{ use_parent, 0, { -1 }, { 1, 3, -1 } },
	/* The copies stay when an epoch ends: they are no use of the flash any more. */
	{ write_privately, 1, { 2, 9, 1, 10, -1 }, { 1, 11, -1 } },
	{ read_file, 1, { -1 }, { 3, 17, 3, 20, 3, 21, 3, 22, -1 } },
	{ run_another_program, 0, { -1 }, { 0, 17, 0, 40, -1 } },
};

#define ACTORS	(sizeof(actors) / sizeof(*actors))

/* Everybody in the first two epochs and nobody in the fifth; else some, in changing company. */
static int acts(size_t actor, int epoch)
{
	return epoch <= 2 || (epoch != 5 && (epoch + actor) % 3);
}

static struct process {
	int go[2], done[2];
} processes[ACTORS];

static void serve(size_t actor)
{
	struct process *own = &processes[actor];
	char byte;

	close(own->go[1]);
	while (read(own->go[0], &byte, 1) == 1) {
		actors[actor].act();
		if (write(own->done[1], &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static void start(size_t actor)
{
	struct process *its = &processes[actor];

	if (pipe(its->go) || pipe(its->done))
		perror("bad pipe");
	if (!fork())
		serve(actor);
}

static void act(size_t actor)
{
	struct process *its = &processes[actor];
	char byte = 0;

	if (!actors[actor].own_process)
		actors[actor].act();
	else if (write(its->go[1], &byte, 1) != 1 || read(its->done[0], &byte, 1) != 1)
		puts("bad process");
}

static void add(counts truth, const int *items)
{
	for (; *items >= 0; items += 2)
		truth[items[0]][items[1]] = 1;
}

static void one_epoch(int epoch, counts truth)
{
	static int has_acted[ACTORS];

	for (size_t actor = 0; actor < ACTORS; actor++) {
		if (!acts(actor, epoch))
			continue;
		act(actor);
		if (!has_acted[actor]++)
			add(truth, actors[actor].first_only);
		add(truth, actors[actor].always);
	}
}

static void tell(const char *what, int epoch, counts counted)
{
	for (int kind = 0; kind < TINYPROF_KINDS; kind++) {
		printf("%s %d %d", what, epoch, kind);
		for (uint32_t page = 0; page < pages; page++)
			for (unsigned int n = 0; n < counted[kind][page]; n++)
				printf(" %u", page);
		puts("");
	}
}

/* Count the records of /pattern until none is left. */
static void drain(int reader, counts seen)
{
	static struct {
		struct tinyprof_batch head;
		uint32_t records[512];
	} batch;

	while (read(reader, &batch, sizeof(batch)) > 0) {
		for (uint32_t n = 0; n < batch.head.count; n++) {
			uint32_t page = (batch.records[n] & TINYPROF_PAGE_ID_MASK) - first_page_id;

			for (int kind = 0; page < pages && kind < TINYPROF_KINDS; kind++)
				seen[kind][page] += batch.records[n] >> (TINYPROF_KIND_SHIFT + kind) & 1;
		}
	}
}

/* Re-arms once nothing is queued; what came meanwhile is of the epoch that ends. */
static void end_epoch(int reader, counts seen)
{
	struct tinyprof_epoch ended = { 0 };

	do
		drain(reader, seen);
	while (ioctl(reader, TINYPROF_IOC_REARM, &ended) && errno == EAGAIN);
}

static void record(int reader)
{
	uint32_t volume = 0;
	counts before = { 0 };

	fcntl(reader, F_SETFL, O_NONBLOCK);
	if (ioctl(reader, TINYPROF_IOC_START, &volume))
		perror("bad start");
	end_epoch(reader, before);
	for (int epoch = 1; epoch <= EPOCHS; epoch++) {
		counts truth = { 0 }, seen = { 0 };

		one_epoch(epoch, truth);
		usleep(REARM_MS * 1000);
		end_epoch(reader, seen);
		tell("truth", epoch, truth);
		tell("seen", epoch, seen);
	}
}

static void only_act(void)
{
	for (int epoch = 1; epoch <= EPOCHS; epoch++) {
		counts truth = { 0 };

		one_epoch(epoch, truth);
		usleep(PAUSE_MS * 1000);
		tell("truth", epoch, truth);
	}
}

int main(void)
{
	int reader = open("/dev/tinyprof", O_RDONLY);
	struct stat status;

	fd = open("/pattern", O_RDONLY);
	fstat(fd, &status);
	size = (size_t)status.st_size;
	pages = (uint32_t)((size + PAGE - 1) / PAGE);
	first_page_id = (uint32_t)(status.st_ino >> 2);
	inherited = map(PROT_READ);
	touch(inherited, 3);
	for (size_t actor = 0; actor < ACTORS; actor++)
		if (actors[actor].own_process)
			start(actor);
	if (reader >= 0)
		record(reader);
	else
		only_act();
	puts("shares done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
