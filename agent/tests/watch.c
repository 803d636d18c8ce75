// SPDX-License-Identifier: MIT
/*
 * The tracer of perf events (watch.h) without a kernel, for tests/agent: the
 * test plays rings.h and proc.h. Each line of standard input is a command; "-"
 * ends what it gave.
 *
 *	record HEX		a record comes into the ring
 *	fields FORMAT		the tracepoint's format; \t and \n are spelled so
 *	maps PID LINE		/proc/PID/maps has this line, too
 *	page PID PAGE ENTRY	/proc/PID/pagemap has this entry
 *	volume DEVICE		a CramFS is on this device
 *	size BYTES		of each file from now on; -1: not known
 *	name DEVICE INODE PATH	a walk through the folders finds this file
 *	accessed 0|1		what idle page tracking says of every page
 *	faults 0|1		whether an old entry faults, told at "open"
 *	open			watch_open(): tracer, rearm, around, kinds, late
 *	stop			recording ends
 *	read			watch_read(): volume, epoch, then PAGE ID:KINDS
 *	file			watch_file(): volume, page id, pages, size, path
 *	rearm VOLUME		the epoch, and its records by kind
 *	processes VOLUME	page id and processes of each file told
 *	old			pids whose entries were made old since
 *	lost			events, and touches without room
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"
#include "rings.h"
#include "sys.h"
#include "watch.h"

#define OWN_MAPPING	"00010000-00011000 r-xp 00000000 1f:00 4000 /sbin/tinyprof-agent"
#define OWN_ADDRESS	0x10010
#define THREADED	44	/* the pid of a process that has two threads at "open" */
#define LINE_MAX	70000
#define ENTRIES_MAX	4096
#define RING_MAX	4096

static char line[LINE_MAX];
static struct proc_tracepoint tracepoint;

static struct ring_record {
	uint8_t *bytes;
	size_t size;
} ring[RING_MAX];
static size_t ring_first, ring_end;

static struct entry {
	uint32_t pid;
	unsigned long page;
	uint64_t entry;
} entries[ENTRIES_MAX];
static size_t entries_used;

static struct maps_line {
	uint32_t pid;
	char *text;
} maps[ENTRIES_MAX];
static size_t maps_used;

/* The files that a walk finds. */
static struct named {
	uint32_t device;
	uint64_t inode;
	char *path;
} named[ENTRIES_MAX];
static size_t named_used;

static uint32_t devices[8], devices_used;
static uint32_t size = 1 << 20;
static bool accessed, faults = true, telling, opening;
static uint32_t made_old[ENTRIES_MAX], made_old_used;

/* rings.h */

int rings_open(const struct proc_tracepoint *point, uint32_t kib)
{
	(void)point;
	(void)kib;
	return 0;
}

int rings_none(void)
{
	return 0;
}

void rings_close(void)
{
}

void rings_tell_touches(bool on)
{
	telling = on;
}

void rings_look(void)
{
}

bool rings_next(struct event *e)
{
	static struct ring_record last;

	free(last.bytes);
	last.bytes = NULL;
	if (ring_first == ring_end)
		return false;
	last = ring[ring_first++];
	event_read(e, last.bytes, last.size, &tracepoint.fields);
	if (ring_first == ring_end)
		ring_first = ring_end = 0;
	return true;
}

/* proc.h */

void proc_mount(struct proc_tracepoint *point)
{
	*point = tracepoint;
}

void proc_inform(struct tinyprof_info *to, uint32_t volumes)
{
	*to = (struct tinyprof_info){ .volumes = volumes };
}

uint32_t proc_fault_around(void)
{
	return 16;
}

bool proc_set_fault_around(bool off)
{
	(void)off;
	return true;
}

bool proc_cramfs(uint32_t device, struct tinyprof_volume *volume)
{
	for (uint32_t i = 0; i < devices_used; i++) {
		if (devices[i] != device)
			continue;
		volume->crc = device;
		return true;
	}
	return false;
}

bool proc_file_size(uint32_t pid, const char *path, uint32_t *bytes)
{
	(void)pid;
	*bytes = size;
	return strncmp(path, "/dev/", 5) != 0;
}

bool proc_walk(bool (*wanted)(uint32_t device),
	       void (*take)(uint32_t found_on, uint64_t inode, const char *path))
{
	for (size_t i = 0; i < named_used; i++)
		if (wanted(named[i].device))
			take(named[i].device, named[i].inode, named[i].path);
	return true;
}

void proc_flush(uint32_t pid)
{
	(void)pid;
}

uint32_t proc_threads(uint32_t pid)
{
	return pid == THREADED ? 2 : 1;
}

int proc_open(uint32_t pid, const char *name, const char *path, int flags)
{
	(void)name;
	(void)path;
	(void)flags;
	/* A descriptor that close() refuses, and that tells the process. */
	return (int)(pid | 1 << 30);
}

void proc_each(void (*take)(uint32_t pid))
{
	take((uint32_t)getpid());
	for (size_t i = 0; i < maps_used; i++)
		if (!i || maps[i].pid != maps[i - 1].pid)
			take(maps[i].pid);
}

void proc_maps(uint32_t pid, void (*take)(struct event *e))
{
	struct event e;

	event_from_maps(&e, pid, OWN_MAPPING);
	if (pid == (uint32_t)getpid())
		take(&e);
	for (size_t i = 0; i < maps_used; i++) {
		if (maps[i].pid != pid)
			continue;
		event_from_maps(&e, pid, maps[i].text);
		if (e.type == EVENT_MAP)
			take(&e);
	}
}

/* The agent itself runs on, and faults on the page that it runs in. */
static void fault(void)
{
	const uint32_t pid = (uint32_t)getpid();
	uint64_t *record = calloc(4, sizeof(*record));

	if (!record)
		exit(EXIT_FAILURE);
	record[0] = PERF_RECORD_SAMPLE | 4 * sizeof(*record) << 48;
	record[1] = (uint64_t)pid << 32 | pid;
	record[3] = OWN_ADDRESS;
	ring[ring_end].size = 4 * sizeof(*record);
	ring[ring_end++].bytes = (uint8_t *)record;
}

long proc_make_old(uint32_t pid)
{
	if (pid == (uint32_t)getpid()) {
		if (faults && opening)
			fault();
		return 0;
	}
	if (made_old_used < ENTRIES_MAX)
		made_old[made_old_used++] = pid;
	return 0;
}

uint32_t proc_pages(int pagemap, unsigned long page, uint64_t *found, uint32_t count)
{
	uint32_t pid = (uint32_t)pagemap & ~(1u << 30);

	memset(found, 0, count * sizeof(*found));
	for (size_t i = 0; i < entries_used; i++)
		if (entries[i].pid == pid && entries[i].page - page < count)
			found[entries[i].page - page] = entries[i].entry;
	return count;
}

bool proc_tracks_idle(void)
{
	return !faults;
}

bool proc_is_accessed(uint64_t frame)
{
	(void)frame;
	return accessed;
}

void proc_make_idle(uint64_t frame)
{
	(void)frame;
	accessed = false;
}

size_t proc_mark(char *text, size_t max)
{
	if (max)
		*text = 0;
	return 0;
}

/* Commands */

static void take_record(const char *hex)
{
	struct ring_record *to = &ring[ring_end];
	char digits[3] = { 0 };

	to->size = strlen(hex) / 2;
	to->bytes = malloc(to->size + !to->size);
	for (size_t i = 0; i < to->size; i++) {
		memcpy(digits, hex + 2 * i, 2);
		to->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	/* The rings give no record that is shorter than its header, or than it says. */
	if (to->size < sizeof(struct perf_event_header)) {
		free(to->bytes);
		return;
	}
	if (++ring_end == RING_MAX)
		watch_gather();
}

/* Writes the tabs and line ends that are spelled \t and \n. */
static void take_fields(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\\' && (from[1] == 't' || from[1] == 'n'))
			*to++ = *++from == 't' ? '\t' : '\n';
		else
			*to++ = *from;
	}
	*to = 0;
	tracepoint.id = event_fields(&tracepoint.fields, text);
	printf("%d %d %d %d\n", tracepoint.fields.inode, tracepoint.fields.index, tracepoint.fields.device,
	       tracepoint.fields.order);
}

static void open_it(void)
{
	const struct wire_source *source;

	opening = true;
	watch_open(WATCH_BEST, 256, false);
	opening = false;
	source = watch_source();
	printf("%u %u %u %u %u\n", source->tracer, source->rearm, source->around, source->kinds,
	       source->late);
}

static void read_it(void)
{
	static struct tracer_batch batch;

	while (watch_read(&batch) >= 0) {
		printf("%u %u", batch.head.volume, batch.head.epoch);
		for (uint32_t i = 0; i < batch.head.count; i++)
			printf(" %u:%u", batch.records[i] & TINYPROF_PAGE_ID_MASK,
			       batch.records[i] >> TINYPROF_KIND_SHIFT);
		puts("");
	}
}

static void tell_files(void)
{
	struct wire_file f;

	while (watch_file(&f))
		printf("%u %u %u %u %.*s\n", f.volume, f.page_id, f.pages, f.size, (int)f.path_size,
		       f.path);
}

static void end_epoch(uint32_t volume)
{
	struct tinyprof_epoch end = { .volume = volume };
	long ret = watch_command(TINYPROF_IOC_REARM, &end);

	if (ret)
		printf("%ld\n", ret);
	else
		printf("%u %u %u %u %u\n", end.epoch, end.records[0], end.records[1], end.records[2],
		       end.records[3]);
}

static void tell_processes(uint32_t volume)
{
	struct tinyprof_processes p = { .volume = volume };

	watch_command(TINYPROF_IOC_PROCESSES, &p);
	for (uint32_t i = 0; i < p.count; i++)
		printf("%u %u\n", p.files[i].page_id, p.files[i].processes);
}

static void tell_old(void)
{
	for (uint32_t i = 0; i < made_old_used; i++)
		printf("%u\n", made_old[i]);
	made_old_used = 0;
}

static void tell_lost(void)
{
	struct tinyprof_volume v = { 0 };

	watch_command(TINYPROF_IOC_VOLUME, &v);
	printf("%u %u\n", watch_lost(), v.untraced);
}

static void obey(char *command, char *rest)
{
	char *end = rest;

	if (!strcmp(command, "record")) {
		take_record(rest);
	} else if (!strcmp(command, "fields")) {
		take_fields(rest);
	} else if (!strcmp(command, "maps") && maps_used < ENTRIES_MAX) {
		maps[maps_used].pid = (uint32_t)strtoul(rest, &end, 10);
		maps[maps_used++].text = strdup(end + !!*end);
	} else if (!strcmp(command, "page") && entries_used < ENTRIES_MAX) {
		entries[entries_used].pid = (uint32_t)strtoul(rest, &end, 10);
		entries[entries_used].page = strtoul(end, &end, 10);
		entries[entries_used++].entry = strtoull(end, &end, 16);
	} else if (!strcmp(command, "name") && named_used < ENTRIES_MAX) {
		named[named_used].device = (uint32_t)strtoul(rest, &end, 10);
		named[named_used].inode = strtoull(end, &end, 10);
		named[named_used++].path = strdup(end + !!*end);
	} else if (!strcmp(command, "stop")) {
		watch_command(TINYPROF_IOC_STOP, NULL);
	} else if (!strcmp(command, "volume") && devices_used < 8) {
		devices[devices_used++] = (uint32_t)strtoul(rest, NULL, 10);
	} else if (!strcmp(command, "size")) {
		size = (uint32_t)strtol(rest, NULL, 10);
	} else if (!strcmp(command, "accessed")) {
		accessed = *rest == '1';
	} else if (!strcmp(command, "faults")) {
		faults = *rest == '1';
	} else if (!strcmp(command, "open")) {
		open_it();
	} else if (!strcmp(command, "read")) {
		read_it();
	} else if (!strcmp(command, "file")) {
		tell_files();
	} else if (!strcmp(command, "rearm")) {
		end_epoch((uint32_t)strtoul(rest, NULL, 10));
	} else if (!strcmp(command, "processes")) {
		tell_processes((uint32_t)strtoul(rest, NULL, 10));
	} else if (!strcmp(command, "old")) {
		tell_old();
	} else if (!strcmp(command, "lost")) {
		tell_lost();
	}
}

int main(void)
{
	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line + strcspn(line, " \n");

		line[strcspn(line, "\n")] = 0;
		if (*rest)
			*rest++ = 0;
		obey(line, rest);
		puts("-");
		(void)fflush(stdout);
	}
	return EXIT_SUCCESS;
}
