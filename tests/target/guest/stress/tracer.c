// SPDX-License-Identifier: MIT
/*
 * The reader of /dev/tinyprof. By turns it does what it may not rely on, in any
 * order and from two threads, and records epoch by epoch as the agent does. Then
 * each page that a witness touched has to be in the records of its epoch, once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stress.h"

#include "../../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define DEVICE		"/dev/tinyprof"
#define SWITCH		"/sys/module/cramfs/parameters/xip"
#define CHAOS_STEPS	300
#define EPOCHS		40
#define VOLUMES		8

struct batch {
	struct tinyprof_batch head;
	uint32_t records[1024];
};

static int device;
static atomic_int second_reader;
static unsigned int recorded[WITNESS_KINDS][WITNESS_PAGES];

/* Whether a batch is as a batch has to be. */
static int is_whole(const struct batch *batch, ssize_t size)
{
	size_t expected = sizeof(batch->head) + batch->head.count * sizeof(uint32_t);

	if ((size_t)size != expected || !batch->head.count ||
	    (batch->head.volume >= VOLUMES && batch->head.volume != TINYPROF_MARK)) {
		wrong("batch", NULL, (size_t)size);
		return 0;
	}
	for (uint32_t n = 0; n < batch->head.count; n++)
		if (!(batch->records[n] >> TINYPROF_KIND_SHIFT))
			wrong("record", NULL, n);
	count(EVENT_batch, 1);
	count(EVENT_record, batch->head.count);
	return 1;
}

/* Read once, with a buffer of that size. */
static ssize_t read_batch(struct batch *batch, size_t size)
{
	ssize_t got = read(device, batch, size);

	if (got > 0)
		is_whole(batch, got);
	else if (!got || (errno != EAGAIN && errno != EINVAL && errno != EINTR))
		wrong("read of records", NULL, (size_t)errno);
	return got;
}

static void *read_too(void *data)
{
	static struct batch batch;

	(void)data;
	while (second_reader) {
		struct pollfd wait = { .fd = device, .events = POLLIN };

		poll(&wait, 1, 10);
		read_batch(&batch, sizeof(batch));
	}
	return NULL;
}

static void write_mark_text(struct worker *worker)
{
	static const char text[] = "a mark of a length that is longer than one may be";
	int fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	ssize_t size = 1 + (ssize_t)pick(worker, sizeof(text) - 1);

	if (write(fd, text, (size_t)size) == size)
		count(EVENT_mark, 1);
	else if (errno != ENOSPC)
		wrong("mark", NULL, (size_t)errno);
	close(fd);
}

static void turn_switch(const char *to)
{
	int fd = open(SWITCH, O_WRONLY | O_CLOEXEC);

	if (write(fd, to, 1) != 1)
		wrong("switch", NULL, (size_t)errno);
	close(fd);
}

/* A command with any argument, the former letter or a size that is wrong. */
static void command_wrongly(struct worker *worker)
{
	static uint8_t argument[256];
	unsigned int type = pick(worker, 2) ? TINYPROF_IOC_TYPE : 'T';
	unsigned int command = _IOC(_IOC_READ | _IOC_WRITE, type, 0xc0 + pick(worker, 7),
				    pick(worker, sizeof(argument)));

	argument[0] = (uint8_t)pick(worker, VOLUMES + 2);
	ioctl(device, command, pick(worker, 8) ? argument : NULL);
}

static void command(struct worker *worker)
{
	union {
		uint32_t volume;
		struct tinyprof_info info;
		struct tinyprof_volume description;
		struct tinyprof_epoch epoch;
		struct tinyprof_processes processes;
	} argument = { .volume = pick(worker, 4) };

	count(EVENT_command, 1);
	switch (pick(worker, 7)) {
	case 0:
		if (!ioctl(device, TINYPROF_IOC_START, &argument))
			count(EVENT_start, 1);
		break;
	case 1:
		if (!ioctl(device, TINYPROF_IOC_STOP, &argument))
			count(EVENT_stop, 1);
		break;
	case 2:
		if (!ioctl(device, TINYPROF_IOC_REARM, &argument))
			count(EVENT_rearm, 1);
		break;
	case 3:
		ioctl(device, TINYPROF_IOC_VOLUME, &argument);
		break;
	case 4:
		argument.processes.count = pick(worker, 2);
		ioctl(device, TINYPROF_IOC_PROCESSES, &argument);
		break;
	case 5:
		ioctl(device, TINYPROF_IOC_INFO, &argument);
		break;
	default:
		command_wrongly(worker);
	}
}

/* Anything that root may do with the device. */
static void do_anything(struct worker *worker)
{
	static struct batch batch;

	switch (pick(worker, 8)) {
	case 0:
		write_mark_text(worker);
		break;
	case 1:
		/* Somewhere in it, the copy fails. */
		if (read(device, (void *)~UINT64_C(4095), PAGE) >= 0)
			wrong("read to nowhere", NULL, 0);
		break;
	case 2:
		if (open(DEVICE, O_RDWR) >= 0 || errno != EBUSY)
			wrong("second open", NULL, 0);
		break;
	case 3:
	case 4:
		read_batch(&batch, pick(worker, sizeof(batch)));
		break;
	case 5:
		turn_switch(pick(worker, 4) ? "1" : "0");
		break;
	default:
		command(worker);
	}
}

static void open_device(void)
{
	device = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device < 0)
		wrong("open of the tracer", NULL, (size_t)errno);
	count(EVENT_open, 1);
}

static void chaos(struct worker *worker)
{
	pthread_t reader;

	second_reader = 1;
	pthread_create(&reader, NULL, read_too, NULL);
	for (int n = 0; n < CHAOS_STEPS && !shared->stop; n++) {
		begin(worker, EVENT_command);
		do_anything(worker);
		if (!pick(worker, 8))
			usleep(1000);
	}
	turn_switch("1");
	second_reader = 0;
	pthread_join(reader, NULL);
}

/* Note the records of the witness's pages. Returns whether there were any. */
static int take(unsigned int epoch)
{
	static struct batch batch;
	const struct file *file = &root.files[FILE_WITNESS];

	if (read_batch(&batch, sizeof(batch)) <= 0)
		return 0;
	for (uint32_t n = 0; batch.head.volume == 0 && n < batch.head.count; n++) {
		uint32_t page = (batch.records[n] & TINYPROF_PAGE_ID_MASK) - file->page_id;

		for (int kind = 0; page < file->pages && kind < WITNESS_KINDS; kind++) {
			if (!(batch.records[n] >> (TINYPROF_KIND_SHIFT + kind) & 1))
				continue;
			if (batch.head.epoch != epoch || recorded[kind][page] == epoch)
				wrong("twice or late", file, page * PAGE);
			recorded[kind][page] = epoch;
		}
	}
	return 1;
}

static void check_epoch(unsigned int epoch)
{
	for (int kind = 0; kind < WITNESS_KINDS; kind++)
		for (size_t page = 0; page < WITNESS_PAGES; page++)
			if (shared->touched[kind][page] == epoch && recorded[kind][page] != epoch)
				wrong("missed by the tracer", &root.files[FILE_WITNESS], page * PAGE);
	count(EVENT_epoch, 1);
}

static unsigned int current_epoch(void)
{
	struct tinyprof_volume volume = { .volume = 0 };

	ioctl(device, TINYPROF_IOC_VOLUME, &volume);
	return volume.epoch;
}

static void record(struct worker *worker)
{
	static struct batch batch;
	uint32_t volume = 0;
	unsigned int epoch;

	ioctl(device, TINYPROF_IOC_STOP, &volume);
	while (read_batch(&batch, sizeof(batch)) > 0)
		;
	if (ioctl(device, TINYPROF_IOC_START, &volume))
		return;
	count(EVENT_start, 1);
	epoch = current_epoch();
	for (int n = 0; n < EPOCHS && !shared->stop; n++) {
		struct tinyprof_epoch ended = { .volume = 0 };

		begin(worker, EVENT_rearm);
		shared->epoch = epoch;
		usleep(1000 * (1 + pick(worker, 20)));
		take(epoch);
		shared->epoch = 0;
		do
			while (take(epoch))
				;
		while (ioctl(device, TINYPROF_IOC_REARM, &ended) && errno == EAGAIN);
		if (ended.epoch != epoch)
			wrong("another epoch", NULL, ended.epoch);
		check_epoch(epoch++);
	}
}

void trace(void)
{
	struct worker worker = new_worker("tracer", &root);

	while (!shared->stop) {
		open_device();
		chaos(&worker);
		record(&worker);
		close(device);
	}
	worker.beat->who = NULL;
}
