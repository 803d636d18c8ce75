// SPDX-License-Identifier: MIT
/*
 * As init: makes a huge page of blocks of /pattern that are in place, then lets
 * threads touch new mappings of these blocks at once while the tracer records.
 * /pattern has 4 MiB, in page n each word is n, and no block of its first half is
 * in place. Prints "good WHAT" or "bad WHAT", then "huge done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define PAGE	4096u
#define HUGE	(2u << 20)
#define ROUNDS	200
#define THREADS	4
#define TRIES	50

static int fd;
static pthread_barrier_t together;
static const uint8_t *shown;
static int wrong;

static void say(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
	fflush(stdout);
}

static int is_page(const uint8_t *bytes, size_t page)
{
	const uint32_t *words = (const uint32_t *)bytes;

	for (size_t n = 0; n < PAGE / 4; n++)
		if (words[n] != page)
			return 0;
	return 1;
}

/* A place for 4 MiB that begins at a multiple of 2 MiB. */
static uint8_t *place(void)
{
	static uint8_t *at;

	if (!at)
		at = mmap(NULL, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return (uint8_t *)(((uintptr_t)at + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
}

static void *map(off_t from)
{
	return mmap(place(), HUGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, from);
}

/* A mapping that grew over blocks in place shows none of them in place. */
static void make_huge_page(void)
{
	uint8_t *bytes = map(0);
	int good = 1, collapsed = 0;

	munmap(bytes + HUGE, HUGE);
	good &= mremap(bytes, HUGE, 2 * HUGE, 0) == bytes;
	say(good, "a mapping grows over blocks in place");
	for (size_t page = HUGE / PAGE; page < 2 * HUGE / PAGE; page++)
		good &= is_page(bytes + page * PAGE, page);
	for (int n = 0; n < TRIES && !collapsed; n++) {
		collapsed = !madvise(bytes + HUGE, HUGE, MADV_COLLAPSE);
		usleep(10000);
	}
	say(good && collapsed, "these become a huge page");
	munmap(bytes, 2 * HUGE);
}

static void *touch(void *data)
{
	size_t thread = (size_t)data;

	for (int n = 0; n < ROUNDS; n++) {
		size_t page = (HUGE / PAGE + thread * 101 + (size_t)n) % (HUGE / PAGE);

		pthread_barrier_wait(&together);
		if (!is_page(shown + page * PAGE, HUGE / PAGE + page))
			wrong = 1;
		pthread_barrier_wait(&together);
		if (!thread)
			shown = map(HUGE);
		pthread_barrier_wait(&together);
	}
	return NULL;
}

int main(void)
{
	int tracer = open("/dev/tinyprof", O_RDONLY);
	pthread_t threads[THREADS];
	uint32_t volume = 0;

	fd = open("/pattern", O_RDONLY);
	make_huge_page();
	say(!ioctl(tracer, TINYPROF_IOC_START, &volume), "a recording starts");
	shown = map(HUGE);
	pthread_barrier_init(&together, NULL, THREADS);
	for (size_t n = 0; n < THREADS; n++)
		pthread_create(&threads[n], NULL, touch, (void *)n);
	for (size_t n = 0; n < THREADS; n++)
		pthread_join(threads[n], NULL);
	say(!wrong, "each thread sees its pages");
	puts("huge done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
