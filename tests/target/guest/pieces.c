// SPDX-License-Identifier: MIT
/*
 * As init: what a mapping costs. Maps the whole pages of /pattern, in place,
 * in PROCESSES processes, once as one mapping and once as one for each page,
 * and prints "cost bytes" and "cost nanoseconds" of one further mapping, then
 * "pieces done". The bytes are those of a process that has it; the time is
 * that of its mmap() and of its share in fork() and exit().
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096u
#define PROCESSES	32
#define ROUNDS		20

static int fd;
static size_t pages;

/* In kB, as /proc/meminfo tells it. */
static long mem_free(void)
{
	static char text[4096];
	int meminfo = open("/proc/meminfo", O_RDONLY);
	ssize_t got = read(meminfo, text, sizeof(text) - 1);

	close(meminfo);
	text[got > 0 ? got : 0] = '\0';
	return strtol(strstr(text, "MemFree:") + strlen("MemFree:"), NULL, 10);
}

/* The pages from `place` on, in as many mappings as `pieces` says. */
static void map(char *place, size_t pieces)
{
	size_t each = pages / pieces;

	for (size_t piece = 0; piece < pieces; piece++)
		if (mmap(place + piece * each * PAGE, each * PAGE, PROT_READ | PROT_EXEC,
			 MAP_PRIVATE | MAP_FIXED, fd, (off_t)(piece * each * PAGE)) == MAP_FAILED)
			perror("mmap");
}

/* Free memory in kB while PROCESSES processes hold these mappings. */
static long free_with(char *place, size_t pieces)
{
	int ready[2], go[2];
	long left;
	char byte;

	if (pipe(ready) || pipe(go))
		perror("pipe");
	for (int process = 0; process < PROCESSES; process++)
		if (!fork()) {
			map(place, pieces);
			close(go[1]);
			if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1))
				_exit(1);
			_exit(0);
		}
	for (int process = 0; process < PROCESSES; process++)
		if (read(ready[0], &byte, 1) != 1)
			perror("read");
	left = mem_free();
	close(go[0]);
	close(go[1]);
	while (wait(NULL) > 0)
		;
	close(ready[0]);
	close(ready[1]);
	return left;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Nanoseconds to map, fork and exit, on average. */
static long long time_with(char *place, size_t pieces)
{
	long long began = now();

	for (int round = 0; round < ROUNDS; round++) {
		map(place, pieces);
		if (!fork())
			_exit(0);
		wait(NULL);
	}
	return (now() - began) / ROUNDS;
}

int main(void)
{
	struct stat status;
	char *place;
	long one, many;
	long long quick, slow;

	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/pattern", O_RDONLY);
	fstat(fd, &status);
	pages = (size_t)status.st_size / PAGE;
	place = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* The kernel's caches grow at first; the rest is an average. */
	free_with(place, pages);
	one = many = 0;
	for (int round = 0; round < ROUNDS; round++) {
		one += free_with(place, 1);
		many += free_with(place, pages);
	}
	printf("cost bytes %ld\n", (one - many) / ROUNDS * 1024 / (long)(PROCESSES * (pages - 1)));
	quick = time_with(place, 1);
	slow = time_with(place, pages);
	printf("cost nanoseconds %lld\n", (slow - quick) / (long long)(pages - 1));
	puts("pieces done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
