// SPDX-License-Identifier: MIT
/*
 * The tracer of mappings (maps.h) without a kernel, for tests/agent: the test plays
 * proc.h and what is needed of sys.h. Each line of standard input is a command; "-" ends what it gave.
 *
 *	maps PID LINE		/proc/PID/maps has this line, too
 *	none			no process has a mapping any more
 *	mmu 0|1			whether the kernel has an MMU, told at "open"
 *	volume DEVICE		a CramFS is on this device
 *	mark TEXT		somebody wrote a mark
 *	open FROM_START		maps_open(): tracer, rearm, around, kinds, late
 *	look			the time of a look at all processes has come
 *	read			maps_read(): volume, epoch, then PAGE ID:KINDS
 *	rearm VOLUME		the epoch, and its records by kind, or the error
 *	held VOLUME		maps_held(): page id, pages, processes
 *	untraced		pages of mappings that there was no room for
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maps.h"
#include "proc.h"
#include "sys.h"

#define DEVICES_MAX	8
#define TEXT_MAX	512
#define LINES_MAX	4096

static struct maps_line {
	uint32_t pid;
	char text[TEXT_MAX];
} lines[LINES_MAX];
static size_t lines_used;
static uint32_t cramfs_devices[DEVICES_MAX];
static size_t cramfs_used;
static char waiting_mark[TINYPROF_MARK_MAX + 1];
static uint32_t clock_ms = 1000;
static bool has_mmu;

uint32_t sys_now_ms(void)
{
	return clock_ms;
}

long sys_getpid(void)
{
	return 1;
}

long sys_pipe(int ends[2])
{
	ends[0] = 0;
	ends[1] = 1;
	return 0;
}

long sys_close(int fd)
{
	return fd;
}

long sys_residency(void *at, size_t size, uint8_t *pages)
{
	(void)at;
	(void)size;
	if (has_mmu && pages)
		*pages = 0;
	return has_mmu ? 0 : -ENOSYS;
}

void proc_mount(struct proc_tracepoint *point)
{
	*point = (struct proc_tracepoint){ 0 };
}

void proc_inform(struct tinyprof_info *to, uint32_t volumes)
{
	*to = (struct tinyprof_info){ .volumes = volumes };
}

bool proc_cramfs(uint32_t device, struct tinyprof_volume *volume)
{
	for (size_t i = 0; i < cramfs_used; i++)
		if (cramfs_devices[i] == device) {
			*volume = (struct tinyprof_volume){ .crc = device };
			return true;
		}
	return false;
}

void proc_each(void (*take_pid)(uint32_t pid))
{
	for (size_t i = 0; i < lines_used; i++)
		if (!i || lines[i].pid != lines[i - 1].pid)
			take_pid(lines[i].pid);
}

void proc_maps(uint32_t pid, void (*take_event)(struct event *e))
{
	struct event e;

	for (size_t i = 0; i < lines_used; i++) {
		if (lines[i].pid != pid)
			continue;
		event_from_maps(&e, pid, lines[i].text);
		if (e.type == EVENT_MAP)
			take_event(&e);
	}
}

size_t proc_mark(char *text, size_t max)
{
	size_t size = 0;

	for (; size < max && waiting_mark[size]; size++)
		text[size] = waiting_mark[size];
	waiting_mark[0] = 0;
	return size;
}

static void print_read(void)
{
	static struct tracer_batch batch;

	if (maps_read(&batch) < 0)
		return;
	printf("%" PRIu32 " %" PRIu32, batch.head.volume, batch.head.epoch);
	for (uint32_t i = 0; i < batch.head.count; i++)
		printf(" %" PRIu32 ":%" PRIu32, batch.records[i] & TINYPROF_PAGE_ID_MASK,
		       batch.records[i] >> TINYPROF_KIND_SHIFT);
	puts("");
}

static void print_rearm(uint32_t volume)
{
	struct tinyprof_epoch end = { .volume = volume };
	long ret = maps_command(TINYPROF_IOC_REARM, &end);

	if (ret)
		printf("%s\n", strerror((int)-ret));
	else
		printf("%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", end.epoch, end.records[TINYPROF_EXEC],
		       end.records[TINYPROF_READ]);
}

static void print_held(uint32_t volume)
{
	size_t count;
	const struct wire_mapping *all = maps_held(volume, &count);

	for (size_t i = 0; i < count; i++)
		printf("%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", all[i].page_id, all[i].pages,
		       all[i].processes);
}

static void print_open(bool from_start)
{
	const struct wire_source *s = maps_source();

	if (maps_open(from_start) < 0)
		exit(EXIT_FAILURE);
	printf("%" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", s->tracer, s->rearm,
	       s->around, s->kinds, s->late);
}

static void print_untraced(void)
{
	struct tinyprof_volume volume = { 0 };

	maps_command(TINYPROF_IOC_VOLUME, &volume);
	printf("%" PRIu32 "\n", volume.untraced);
}

static void look(void)
{
	clock_ms += MAPS_LOOK_MS;
	maps_gather();
}

static void copy(char *to, size_t max, const char *text)
{
	size_t size = 0;

	for (; size < max - 1 && text[size]; size++)
		to[size] = text[size];
	to[size] = 0;
}

static void obey(const char *command, char *rest)
{
	uint32_t number = (uint32_t)strtoul(rest, &rest, 10);

	if (!strcmp(command, "maps")) {
		if (lines_used == LINES_MAX)
			exit(EXIT_FAILURE);
		lines[lines_used].pid = number;
		copy(lines[lines_used++].text, TEXT_MAX, rest + 1);
	} else if (!strcmp(command, "none")) {
		lines_used = 0;
	} else if (!strcmp(command, "mmu")) {
		has_mmu = number;
	} else if (!strcmp(command, "volume") && cramfs_used < DEVICES_MAX) {
		cramfs_devices[cramfs_used++] = number;
	} else if (!strcmp(command, "mark")) {
		copy(waiting_mark, sizeof(waiting_mark), rest);
	} else if (!strcmp(command, "open")) {
		print_open(number);
	} else if (!strcmp(command, "look")) {
		look();
	} else if (!strcmp(command, "read")) {
		print_read();
	} else if (!strcmp(command, "rearm")) {
		print_rearm(number);
	} else if (!strcmp(command, "held")) {
		print_held(number);
	} else if (!strcmp(command, "untraced")) {
		print_untraced();
	} else {
		exit(EXIT_FAILURE);
	}
}

int main(void)
{
	static char line[2 * TEXT_MAX];

	if (setvbuf(stdout, NULL, _IOLBF, 0))
		return EXIT_FAILURE;
	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line + strcspn(line, " \n");

		line[strcspn(line, "\n")] = 0;
		if (*rest)
			*rest++ = 0;
		obey(line, rest);
		puts("-");
	}
	return EXIT_SUCCESS;
}
