// SPDX-License-Identifier: MIT
/*
 * As init: threads touch pages of /pattern while the tracer is re-armed without
 * a pause. Each touch of which it is sure that it fell into one epoch has to be
 * in the records of that epoch. Prints "rearms N", "touches N" (sure ones) and
 * "missed N", then "rearms done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define PAGE		4096u
#define PAGES_MAX	64
#define THREADS		4
#define REARMS		1000

static const uint8_t *bytes;
static uint32_t pages, first_page_id;
static atomic_uint epoch, touched[PAGES_MAX];
static atomic_ulong touches;
static unsigned int recorded[PAGES_MAX];
static atomic_int ends;

static void *touch(void *data)
{
	uint32_t random = (uint32_t)(uintptr_t)data;

	while (!ends) {
		unsigned int before = epoch, page;

		random = random * 1664525 + 1013904223;
		page = (random >> 16) % pages;
		(void)*(const volatile uint8_t *)(bytes + page * PAGE);
		if (before && epoch == before) {
			touched[page] = before;
			touches++;
		}
	}
	return NULL;
}

/* Note the records that wait. */
static void drain(int reader, unsigned int now)
{
	static struct {
		struct tinyprof_batch head;
		uint32_t records[512];
	} batch;

	while (read(reader, &batch, sizeof(batch)) > 0)
		for (uint32_t n = 0; n < batch.head.count; n++) {
			uint32_t page = (batch.records[n] & TINYPROF_PAGE_ID_MASK) - first_page_id;

			if (page < pages)
				recorded[page] = now;
		}
}

/* The pages that were touched in an epoch and are not in its records. */
static unsigned int end_epoch(int reader, unsigned int now)
{
	struct tinyprof_epoch ended = { 0 };
	unsigned int missed = 0;

	do
		drain(reader, now);
	while (ioctl(reader, TINYPROF_IOC_REARM, &ended) && errno == EAGAIN);
	for (uint32_t page = 0; page < pages; page++)
		missed += touched[page] == now && recorded[page] != now;
	return missed;
}

int main(void)
{
	int fd = open("/pattern", O_RDONLY), reader = open("/dev/tinyprof", O_RDONLY | O_NONBLOCK);
	struct tinyprof_volume volume = { 0 };
	unsigned int now, missed = 0;
	pthread_t threads[THREADS];
	struct stat facts;

	fstat(fd, &facts);
	pages = (uint32_t)((facts.st_size + PAGE - 1) / PAGE);
	first_page_id = (uint32_t)(facts.st_ino >> 2);
	bytes = mmap(NULL, pages * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	for (uintptr_t n = 0; n < THREADS; n++)
		pthread_create(&threads[n], NULL, touch, (void *)(n + 1));
	ioctl(reader, TINYPROF_IOC_START, &volume.volume);
	ioctl(reader, TINYPROF_IOC_VOLUME, &volume);
	now = volume.epoch;
	for (int n = 0; n < REARMS; n++, now++) {
		epoch = now;
		drain(reader, now);
		epoch = 0;
		missed += end_epoch(reader, now);
	}
	ends = 1;
	for (int n = 0; n < THREADS; n++)
		pthread_join(threads[n], NULL);
	printf("rearms %d\ntouches %lu\nmissed %u\nrearms done\n", REARMS, touches, missed);
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
