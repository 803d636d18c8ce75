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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

#define DEVICE		"/dev/tinyprof"
#define PAGE		4096
#define LONGER_PAGES	64
#define PATTERN_PAGES	48

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

static void a_mark_is_never_cut(int reader)
{
	static const char text[] = "a mark of some length";
	uint32_t batch[1024];
	int writer = open(DEVICE, O_WRONLY);

	fcntl(reader, F_SETFL, O_NONBLOCK);
	while (read(reader, batch, sizeof(batch)) > 0)
		;
	say(write(writer, text, strlen(text)) == (ssize_t)strlen(text), "a mark is set");
	say(read(reader, batch, 20) < 0 && errno == EINVAL, "a small buffer gets no part of a mark");
	say(read(reader, batch, sizeof(batch)) > 0 && batch[0] == TINYPROF_MARK &&
	    batch[3] == strlen(text), "a larger one gets it whole");
	fcntl(reader, F_SETFL, 0);
	close(writer);
}

/* How many records of /pattern's pages are waiting. The file does not block. */
static size_t take_pattern(int reader)
{
	uint32_t batch[1024];
	struct stat facts;
	size_t found = 0;

	stat("/pattern", &facts);
	while (read(reader, batch, sizeof(batch)) > 0)
		for (uint32_t n = 0; n < batch[3]; n++)
			found += (batch[4 + n] & TINYPROF_PAGE_ID_MASK) - (facts.st_ino >> 2) <
				 PATTERN_PAGES;
	return found;
}

/* The same through a file that blocks, and that nobody else has open. */
static size_t drain_pattern(int reader)
{
	size_t found;

	fcntl(reader, F_SETFL, O_NONBLOCK);
	found = take_pattern(reader);
	fcntl(reader, F_SETFL, 0);
	return found;
}

static int a_batch_is_never_lost(int reader)
{
	void *volatile nowhere = (void *)16;

	drain_pattern(reader);
	end_epoch(reader);
	touch("/pattern", PATTERN_PAGES);
	say(read(reader, nowhere, 4096) < 0 && errno == EFAULT, "a bad buffer is refused");
	close(reader);
	reader = open(DEVICE, O_RDONLY);
	say(drain_pattern(reader) == PATTERN_PAGES, "the next reader gets what that one did not");
	return reader;
}

/* Two processes read one open file: each record comes once, in a whole batch. */
static void two_readers_share_a_file(int reader)
{
	int told[2];
	size_t found = 0, one;

	drain_pattern(reader);
	end_epoch(reader);
	/* O_NONBLOCK is the open file's, so neither process may change it for the other. */
	fcntl(reader, F_SETFL, O_NONBLOCK);
	pipe(told);
	for (int n = 0; n < 2; n++)
		if (!fork()) {
			one = 0;
			for (int round = 0; round < 100; round++) {
				one += take_pattern(reader);
				usleep(1000);
			}
			write(told[1], &one, sizeof(one));
			_exit(0);
		}
	touch("/pattern", PATTERN_PAGES);
	for (int n = 0; n < 2; n++) {
		read(told[0], &one, sizeof(one));
		found += one;
		wait(NULL);
	}
	fcntl(reader, F_SETFL, 0);
	say(found == PATTERN_PAGES, "two readers of one file get each record once");
}

static void a_stopped_volume_starts_anew(int reader)
{
	struct tinyprof_epoch ended = { 0 };
	uint32_t index = 0;

	say(!ioctl(reader, TINYPROF_IOC_STOP, &index), "a volume is stopped");
	drain_pattern(reader);
	say(!ioctl(reader, TINYPROF_IOC_REARM, &ended), "its last epoch is ended");
	touch("/pattern", PATTERN_PAGES);
	say(!drain_pattern(reader), "it records nothing");
	say(!ioctl(reader, TINYPROF_IOC_START, &index), "it is started again");
	touch("/longer", 1);
	touch("/pattern", PATTERN_PAGES);
	say(drain_pattern(reader) == PATTERN_PAGES, "each page has its own number again");
}

static void the_former_letter_is_answered(int reader)
{
	struct tinyprof_info info = { 0 };

	say(!ioctl(reader, _IOR('T', 0xc0, struct tinyprof_info), &info) &&
	    info.abi == TINYPROF_ABI, "the former letter is answered");
	say(ioctl(reader, _IOR('U', 0xc0, struct tinyprof_info), &info) && errno == ENOTTY,
	    "another letter is not");
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
	a_mark_is_never_cut(reader);
	reader = a_batch_is_never_lost(reader);
	two_readers_share_a_file(reader);
	a_stopped_volume_starts_anew(reader);
	the_former_letter_is_answered(reader);
	puts("device done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
