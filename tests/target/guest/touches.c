// SPDX-License-Identifier: MIT
/*
 * As the real init behind the agent: touches chosen pages of /pattern in chosen
 * ways, and says on the console which, so that a recording can be held to it:
 *
 *	touch KIND PAGE...	kinds as on the wire: 0 exec, 1 read, 2 write, 3 file
 *
 * Each round touches the same pages, ROUND_MS apart; with epochs shorter than
 * that, each of them must be seen again in each round. Each runs on the next
 * processor. With OFFLINE in the environment, that of the last round is switched
 * off in the middle, and comes back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define ROUNDS		4
#define ROUND_MS	1500

static const int executed[] = { 0, 17, 18, 40, -1 };
static const int mapped[] = { 3, 5, 41, -1 };
static const int written[] = { 9, 17, -1 };

static void touch(const uint8_t *bytes, const int *pages)
{
	for (; *pages >= 0; pages++)
		(void)*(const volatile uint8_t *)(bytes + *pages * PAGE);
}

static void tell(int kind, const int *pages)
{
	printf("touch %d", kind);
	for (; *pages >= 0; pages++)
		printf(" %d", *pages);
	puts("");
}

static void one_round(int fd, size_t size, const uint8_t *exec, const uint8_t *read_only)
{
	uint8_t *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	uint8_t bytes[2 * PAGE];

	touch(exec, executed);
	touch(read_only, mapped);
	for (const int *page = written; *page >= 0; page++)
		copy[*page * PAGE] = 1;
	/* From the middle of page 20 to the middle of page 22. */
	if (pread(fd, bytes, sizeof(bytes), 20 * PAGE + PAGE / 2) != sizeof(bytes))
		puts("bad read");
	munmap(copy, size);
}

static const struct timespec pause_of_round = { ROUND_MS / 1000, ROUND_MS % 1000 * 1000000L };

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		puts("bad processor");
}

static void set_online(int processor, const char *online)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/devices/system/cpu/cpu%d/online", processor);
	fd = open(name, O_WRONLY);
	if (fd < 0 || write(fd, online, 1) != 1)
		puts("bad online");
	close(fd);
	/* Longer than a round: the agent looks for processors once a second. */
	nanosleep(&pause_of_round, NULL);
}

static void switch_off_and_on(int processor)
{
	if (mount("sysfs", "/proc", "sysfs", 0, NULL))
		puts("bad sysfs");
	set_online(processor, "0");
	set_online(processor, "1");
}

int main(void)
{
	int processors = (int)sysconf(_SC_NPROCESSORS_CONF);
	int fd = open("/pattern", O_RDONLY);
	struct stat status;
	const uint8_t *exec, *read_only;

	fstat(fd, &status);
	exec = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	read_only = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	for (int round = 0; round < ROUNDS; round++) {
		if (getenv("OFFLINE") && round == ROUNDS / 2)
			switch_off_and_on(ROUNDS - 1);
		run_on(round % processors);
		one_round(fd, (size_t)status.st_size, exec, read_only);
		nanosleep(&pause_of_round, NULL);
	}
	tell(0, executed);
	tell(1, mapped);
	tell(2, written);
	puts("touch 3 20 21 22");
	printf("rounds %d\ntouches done\n", ROUNDS);
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
