// SPDX-License-Identifier: MIT
/*
 * As the real init behind the agent: touches more pages at once than the agent's ring
 * has room for, while the agent is stopped. Nothing else faults meanwhile, so each of
 * those touches is either recorded or lost:
 *
 *	flood PAGES		pages of /pattern that were touched, each once
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define PIDS		100

static uint8_t buffer[64 * PAGE];

/* The agent has the processor meanwhile, and empties its ring. */
static const struct timespec breath = { 0, 20000000 };

/* The agent gathers ten times a second, and its epochs are shorter than this. */
static void wait_for_the_agent(void)
{
	const struct timespec pause = { 2, 0 };

	nanosleep(&pause, NULL);
}

static int agent(void)
{
	char name[64], text[64];

	for (int pid = 2; pid < PIDS; pid++) {
		int fd;

		snprintf(name, sizeof(name), "/proc/%d/comm", pid);
		fd = open(name, O_RDONLY);
		memset(text, 0, sizeof(text));
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !strncmp(text, "tinyprof", 8))
			return pid;
		close(fd);
	}
	puts("bad agent");
	return 0;
}

static void touch(const uint8_t *bytes, size_t first, size_t end)
{
	for (size_t page = first; page < end; page++)
		(void)*(const volatile uint8_t *)(bytes + page * PAGE);
}

int main(void)
{
	int fd = open("/pattern", O_RDONLY);
	struct stat status;
	const uint8_t *bytes;
	size_t pages;
	int pid;

	mount("proc", "/proc", "proc", 0, NULL);
	fstat(fd, &status);
	pages = (size_t)status.st_size / PAGE;
	/* Into the page cache, so that a touch is one event and no more. */
	while (read(fd, buffer, sizeof(buffer)) > 0)
		nanosleep(&breath, NULL);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	pid = agent();
	/* After an epoch's end no page around a fault is mapped. */
	wait_for_the_agent();
	kill(pid, SIGSTOP);
	touch(bytes, 0, pages - 1);
	kill(pid, SIGCONT);
	wait_for_the_agent();
	/* The kernel tells a loss before the next event that finds room. */
	touch(bytes, pages - 1, pages);
	wait_for_the_agent();
	printf("flood %zu\nflood done\n", pages);
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
