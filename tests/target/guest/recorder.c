// SPDX-License-Identifier: MIT
/*
 * As init: runs /sbin/init, which has to end by itself, and records meanwhile
 * which pages of the root are touched. The kernel's command line says how:
 *
 *	SOURCE=events	the events of cramfs and of the page cache, by perf
 *	SOURCE=kernel	/dev/tinyprof
 *	SOURCE=none	not at all
 *	EPOCH_MS=N	how long an epoch is (1000)
 *	AGAIN=unmap	how SOURCE=events ends an epoch: by cramfs.unmap,
 *	AGAIN=old	by /proc/PID/clear_refs,
 *	AGAIN=		or never
 *
 * It prints for each page that was touched its page id, its kinds as on the
 * wire (bit 0 exec, 1 read, 2 write, 3 file) and the number of its epochs:
 *
 *	touch PAGE_ID KINDS EPOCHS
 *
 * and "records N", "lost N", "epochs N", "own MS" (the time that it took for
 * itself), "recorder done".
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define PAGE		4096u
#define RING_BYTES	(64 * PAGE)	/* as the agent's */
#define TURN_MS		100		/* between two looks, as the agent's */
#define PLACES		(1u << 14)	/* of the hash table: twice the pages of an image */

static struct page {
	uint32_t id;			/* 0: a free place */
	uint32_t kinds, epochs, last;
} pages[PLACES];

static uint32_t epoch = 1;
static unsigned long records, lost;

static void touch(uint32_t id, uint32_t kinds)
{
	uint32_t place = id * 2654435761u % PLACES;

	while (pages[place].id && pages[place].id != id)
		place = (place + 1) % PLACES;
	pages[place].id = id;
	pages[place].kinds |= kinds;
	pages[place].epochs += pages[place].last != epoch;
	pages[place].last = epoch;
	records++;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "bad %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Events */

enum { MAP_BLOCK, READ_BLOCK, CACHED, FAULT, EVENTS };

static const char *const names[EVENTS] = {
	[MAP_BLOCK] = "cramfs/cramfs_map_block",
	[READ_BLOCK] = "cramfs/cramfs_read_block",
	[CACHED] = "filemap/mm_filemap_add_to_page_cache",
	[FAULT] = "filemap/mm_filemap_fault",	/* 6.12 has it, 6.1 has not */
};

static struct event {
	uint16_t type;
	int inode, index, device, exec;	/* where these fields stand; -1: there is none */
} events[EVENTS];

static struct perf_event_mmap_page *ring;
static dev_t root;

static char *text_of(const char *event, const char *file)
{
	static char text[PAGE];
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/sys/events/%s/%s", event, file);
	fd = open(path, O_RDONLY);
	size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static int field(const char *format, const char *name)
{
	const char *found = strstr(format, name);

	return found ? atoi(found + strlen(name)) : -1;
}

static int open_event(struct event *event, const char *name)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attributes),
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_RAW,
		.watermark = 1,
		.wakeup_watermark = RING_BYTES / 2,
	};
	const char *format;

	event->type = (uint16_t)atoi(text_of(name, "id"));
	if (!event->type)
		return -1;
	attributes.config = event->type;
	format = text_of(name, "format");
	event->inode = field(format, " i_ino;\toffset:");
	event->index = field(format, " index;\toffset:");
	event->device = field(format, " s_dev;\toffset:");
	event->exec = field(format, " exec;\toffset:");
	return (int)syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0);
}

/* The first event has the ring, and the others write to it. */
static void open_ring(void)
{
	int first = -1;

	for (int n = 0; n < EVENTS; n++) {
		int fd = open_event(&events[n], names[n]);

		if (fd < 0) {
			printf("without %s\n", names[n]);
		} else if (first >= 0) {
			ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, first);
		} else {
			first = fd;
			ring = mmap(NULL, PAGE + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		}
	}
}

/* Fault-around of cached pages, and the events. Both stand below /sys for a moment. */
static void open_events(void)
{
	struct stat facts;

	stat("/", &facts);
	root = facts.st_dev;
	mount("debugfs", "/sys", "debugfs", 0, NULL);
	put("/sys/fault_around_bytes", "4096");
	umount("/sys");
	mount("tracefs", "/sys", "tracefs", 0, NULL);
	open_ring();
	umount("/sys");
}

static uint32_t word_at(const uint8_t *raw, int offset)
{
	uint32_t value;

	memcpy(&value, raw + offset, sizeof(value));
	return value;
}

/* Only cramfs_map_block tells whether a mapping may be executed. */
static uint32_t kinds_of(int which, const uint8_t *raw)
{
	if (which == MAP_BLOCK && raw[events[which].exec])
		return 1 << TINYPROF_EXEC;
	return which == MAP_BLOCK || which == FAULT ? 1 << TINYPROF_READ : 1 << TINYPROF_FILE;
}

static void take_sample(const uint8_t *raw)
{
	uint16_t type = (uint16_t)word_at(raw, 0);

	for (int n = 0; n < EVENTS; n++) {
		const struct event *event = &events[n];
		uint32_t device;

		if (event->type != type)
			continue;
		device = word_at(raw, event->device);
		if (makedev(device >> 20, device & 0xfffff) == root)
			touch((word_at(raw, event->inode) >> 2) + word_at(raw, event->index),
			      kinds_of(n, raw));
	}
}

static void take_record(const struct perf_event_header *header)
{
	const uint8_t *body = (const uint8_t *)(header + 1);

	if (header->type == PERF_RECORD_SAMPLE)
		take_sample(body + sizeof(uint32_t));
	else if (header->type == PERF_RECORD_LOST)
		lost += word_at(body, sizeof(uint64_t));
}

static void take_events(void)
{
	const uint8_t *data = (const uint8_t *)ring + PAGE;
	uint64_t tail = ring->data_tail, head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);

	while (tail != head) {
		static uint64_t record[64];
		struct perf_event_header header;

		memcpy(&header, data + tail % RING_BYTES, sizeof(header));
		for (unsigned int n = 0; n < header.size && n < sizeof(record); n += sizeof(uint64_t))
			memcpy((uint8_t *)record + n, data + (tail + n) % RING_BYTES, sizeof(uint64_t));
		take_record((const struct perf_event_header *)record);
		tail += header.size;
	}
	__atomic_store_n(&ring->data_tail, tail, __ATOMIC_RELEASE);
}

static void make_old(void)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	char path[64];

	while (folder && (entry = readdir(folder))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/clear_refs", entry->d_name);
		put(path, "3");
		put(path, "4");
	}
	if (folder)
		closedir(folder);
}

static void end_epoch_of_events(const char *again)
{
	take_events();
	if (!strcmp(again, "unmap"))
		put("/sys/module/cramfs/parameters/unmap", "1");
	else if (!strcmp(again, "old"))
		make_old();
}

/* /dev/tinyprof */

static int device = -1;

static void open_device(void)
{
	uint32_t volume = 0;

	device = open("/dev/tinyprof", O_RDONLY | O_NONBLOCK);
	if (device < 0 || ioctl(device, TINYPROF_IOC_START, &volume))
		fprintf(stderr, "bad /dev/tinyprof: %s\n", strerror(errno));
}

static void take_batches(void)
{
	static struct {
		struct tinyprof_batch head;
		uint32_t records[1024];
	} batch;

	while (read(device, &batch, sizeof(batch)) > 0)
		for (uint32_t n = 0; batch.head.volume != TINYPROF_MARK && n < batch.head.count; n++)
			touch(batch.records[n] & TINYPROF_PAGE_ID_MASK,
			      batch.records[n] >> TINYPROF_KIND_SHIFT);
}

static void end_epoch_of_device(void)
{
	struct tinyprof_epoch ended = { 0 };

	do
		take_batches();
	while (ioctl(device, TINYPROF_IOC_REARM, &ended) && errno == EAGAIN);
}

/* The recording */

static const char *word(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value ? value : otherwise;
}

static bool is(const char *source)
{
	return !strcmp(word("SOURCE", "none"), source);
}

static void open_source(void)
{
	if (is("events"))
		open_events();
	else if (is("kernel"))
		open_device();
}

static void take_all(void)
{
	if (is("events"))
		take_events();
	else if (is("kernel"))
		take_batches();
}

static void end_epoch(void)
{
	if (is("events"))
		end_epoch_of_events(word("AGAIN", ""));
	else if (is("kernel"))
		end_epoch_of_device();
	epoch++;
}

static void record_until_end_of(pid_t child)
{
	const struct timespec turn = { .tv_nsec = TURN_MS * 1000000 };
	unsigned long turns = (unsigned long)atol(word("EPOCH_MS", "1000")) / TURN_MS, n = 0;
	pid_t ended;

	do {
		nanosleep(&turn, NULL);
		take_all();
		if (++n % turns == 0)
			end_epoch();
		do
			ended = waitpid(-1, NULL, WNOHANG);
		while (ended > 0 && ended != child);
	} while (ended != child);
	take_all();
}

static void print_all(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	for (uint32_t n = 0; n < PLACES; n++)
		if (pages[n].id)
			printf("touch %u %u %u\n", pages[n].id, pages[n].kinds, pages[n].epochs);
	printf("records %lu\nlost %lu\nepochs %u\nown %ld\nrecorder done\n", records, lost, epoch,
	       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
	fflush(stdout);
}

int main(void)
{
	pid_t child;

	open_source();
	child = fork();
	if (!child) {
		execl("/sbin/init", "/sbin/init", NULL);
		_exit(1);
	}
	record_until_end_of(child);
	print_all();
	reboot(RB_AUTOBOOT);
	return 0;
}
