// SPDX-License-Identifier: MIT
/*
 * As init: uses /dev/tinyprof as its header says, by itself and on an image in
 * which /longer has the page ids of /empty. Prints "good WHAT" or "bad WHAT"
 * for each, then "device done".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define DEVICE		"/dev/tinyprof"
#define PAGE		4096
#define LONGER_PAGES	64

static sigjmp_buf past_the_touch;

static void say(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
}

static void no_such_page(int signal)
{
	(void)signal;
	siglongjmp(past_the_touch, 1);
}

static void touch(const char *path, size_t pages)
{
	int fd = open(path, O_RDONLY);
	const volatile uint8_t *bytes = mmap(NULL, pages * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	for (volatile size_t page = 0; page < pages; page++)
		if (!sigsetjmp(past_the_touch, 1))
			(void)bytes[page * PAGE];
	munmap((void *)bytes, pages * PAGE);
	close(fd);
}

static struct tinyprof_volume volume(int reader)
{
	struct tinyprof_volume volume = { 0 };

	say(!ioctl(reader, TINYPROF_IOC_VOLUME, &volume), "a volume is described");
	return volume;
}

static void a_writer_only_writes(void)
{
	int writer = open(DEVICE, O_WRONLY);
	struct pollfd may = { .fd = writer, .events = POLLIN | POLLOUT };
	struct tinyprof_volume volume = { 0 };

	say(poll(&may, 1, 0) == 1 && may.revents == POLLOUT, "a writer may write and not read");
	say(ioctl(writer, TINYPROF_IOC_VOLUME, &volume) && errno == EBADF, "a writer commands nothing");
	close(writer);
}

static void one_reader_at_a_time(void)
{
	say(open(DEVICE, O_RDONLY) < 0 && errno == EBUSY, "a second reader is busy");
}

static void a_mark_wakes(int reader)
{
	uint32_t batch[1024];
	struct pollfd may = { .fd = reader, .events = POLLIN };
	int writer = open(DEVICE, O_WRONLY);

	fcntl(reader, F_SETFL, O_NONBLOCK);
	while (read(reader, batch, sizeof(batch)) > 0)
		;
	fcntl(reader, F_SETFL, 0);
	if (!fork()) {
		usleep(100000);
		_exit(write(writer, "here", 4) != 4);
	}
	/* The child's own touches may come before its mark. */
	do
		say(read(reader, batch, sizeof(batch)) > 0, "a sleeping reader is woken");
	while (batch[0] != TINYPROF_MARK);
	say(poll(&may, 1, 0) >= 0, "a reader may poll");
	close(writer);
	wait(NULL);
}

/* How many files are told of, and the first one's processes. */
static struct tinyprof_processes told(int reader, int anew)
{
	struct tinyprof_processes told = { .count = anew };

	ioctl(reader, TINYPROF_IOC_PROCESSES, &told);
	return told;
}

static bool is_one_of_two(struct tinyprof_processes told)
{
	return told.count == 1 && told.files[0].processes == 2;
}

static void end_epoch(int reader)
{
	struct tinyprof_epoch ended = { 0 };
	uint32_t batch[1024];

	fcntl(reader, F_SETFL, O_NONBLOCK);
	do
		while (read(reader, batch, sizeof(batch)) > 0)
			;
	while (ioctl(reader, TINYPROF_IOC_REARM, &ended) && errno == EAGAIN);
	fcntl(reader, F_SETFL, 0);
}

static void mappings_of_page_0_are_counted(int reader)
{
	static const off_t offsets[] = { 0, 0, PAGE };
	int fd = open("/pattern", O_RDONLY);
	void *places[3];

	for (int n = 0; n < 3; n++) {
		places[n] = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, offsets[n]);
		(void)*(volatile uint8_t *)places[n];
	}
	close(fd);
	end_epoch(reader);
	say(is_one_of_two(told(reader, 0)), "mappings of page 0 are counted");
	for (int n = 0; n < 3; n++)
		munmap(places[n], PAGE);
	end_epoch(reader);
	say(!told(reader, 0).count, "fewer than before are not told");
	say(is_one_of_two(told(reader, 1)), "all is told anew to who asks");
}

static void page_ids_taken_twice(int reader)
{
	uint32_t before = volume(reader).untraced;

	touch("/empty", 1);
	touch("/longer", LONGER_PAGES);
	say(volume(reader).untraced >= before + LONGER_PAGES, "a longer file gets no shorter one's ranks");
}

int main(void)
{
	int reader = open(DEVICE, O_RDONLY);

	signal(SIGBUS, no_such_page);
	a_writer_only_writes();
	one_reader_at_a_time();
	a_mark_wakes(reader);
	mappings_of_page_0_are_counted(reader);
	page_ids_taken_twice(reader);
	puts("device done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
