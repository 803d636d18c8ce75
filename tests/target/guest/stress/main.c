// SPDX-License-Identifier: MIT
/*
 * As init: stresses the volume it is on, and volumes "mtd:other" and "mtd:slow"
 * that it mounts and unmounts, for STRESS_SECONDS, with choices made from
 * STRESS_SEED. Both stand on the kernel's command line. Prints
 *
 *	seed N			first of all
 *	bad WHAT: WHERE		a wrong byte, a missed page, an error that may not be
 *	hang WHO WHAT		a worker that has done nothing for HANG_MS
 *	count WHAT N MS		how often each was done, and for how long in all
 *	leak ...		what kmemleak reports, a line each
 *	tainted N		/proc/sys/kernel/tainted
 *
 * and "stress done". What the kernel says of itself is on the console too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
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

#include "stress.h"

#define HANG_MS		300000
#define WORK_PROCESSES	3
#define OTHER_ID	16u
#define SLOW_ID		32u

/* kmemleak reports no object younger than 5 s (MSECS_MIN_AGE). */
#define LEAK_SECONDS	6
#define LEAKS		"/sys/kernel/debug/kmemleak"

#define AS_NAME(name)	#name,
const char *const counted_names[] = { OPERATIONS(AS_NAME) "", EVENTS(AS_NAME) "" };

struct shared *shared;
struct volume root;
uint64_t seed;

long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* xorshift64* */
uint32_t pick(struct worker *worker, uint32_t below)
{
	worker->random ^= worker->random >> 12;
	worker->random ^= worker->random << 25;
	worker->random ^= worker->random >> 27;
	return (uint32_t)((worker->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) % below);
}

struct worker new_worker(const char *who, struct volume *volume)
{
	int number = atomic_fetch_add(&shared->workers, 1);
	struct worker worker = { .volume = volume, .beat = &shared->beats[number % WORKERS_MAX] };

	worker.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)number * 0x10001;
	worker.beat->since = now();
	worker.beat->who = who;
	return worker;
}

void begin(struct worker *worker, enum counted what)
{
	long time = now();

	shared->spent[worker->beat->doing] += (unsigned long)(time - worker->beat->since);
	worker->beat->since = time;
	worker->beat->doing = (int)what;
	count(what, 1);
}

/* A process has to end well, unless memory was short. */
static void ended(int status, const char *what)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		count(EVENT_killed, 1);
	else if (status)
		wrong(what, NULL, (size_t)status);
}

void wait_for(int pid, const char *what)
{
	int status;

	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		ended(status, what);
}

static long from_environment(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value ? atol(value) : otherwise;
}

void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void prepare(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	mkdir("/tmp/other", 0700);
	mkdir("/tmp/slow", 0700);
	write_to("/proc/sys/kernel/core_pattern", "|/sbin/init core");
	write_to("/proc/sys/kernel/core_pipe_limit", "4");
	write_to("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "10");
	write_to("/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan", "8192");
}

static void start(void (*process)(void))
{
	if (!fork()) {
		process();
		_exit(0);
	}
}

static void other(void)
{
	mount_volumes("mtd:other", "/tmp/other", OTHER_ID);
}

static void slow(void)
{
	mount_volumes("mtd:slow", "/tmp/slow", SLOW_ID);
}

static int hangs(void)
{
	int found = 0;

	for (int n = 0; n < WORKERS_MAX; n++) {
		struct beat *beat = &shared->beats[n];

		if (!beat->who || now() - beat->since < HANG_MS)
			continue;
		printf("hang %s %s\n", beat->who, counted_names[beat->doing]);
		found = 1;
	}
	return found;
}

/* Whether no process is left. None may end before it is told to. */
static int all_ended(void)
{
	int status, pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended(status, "process");
	return pid < 0;
}

/* 0 where everybody has ended by itself. */
static int watch(long seconds)
{
	long end = now() + seconds * 1000;

	while (!hangs()) {
		if (now() >= end)
			shared->stop = 1;
		if (all_ended())
			return 0;
		usleep(200000);
	}
	fflush(stdout);
	/* All tasks, then those that wait for something. */
	write_to("/proc/sysrq-trigger", "t");
	write_to("/proc/sysrq-trigger", "w");
	return 1;
}

static void tell_leaks(void)
{
	char line[256];
	FILE *found;

	if (access(LEAKS, F_OK))
		return;
	for (int scan = 0; scan < 2; scan++) {
		sleep(LEAK_SECONDS);
		write_to(LEAKS, "scan");
	}
	found = fopen(LEAKS, "r");
	while (found && fgets(line, sizeof(line), found))
		printf("leak %s", line);
	printf("kmemleak scanned\n");
}

static void tell(void)
{
	char taints[32] = "";
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");

	for (int n = 0; n < COUNTED_END; n++)
		if (*counted_names[n])
			printf("count %s %lu %lu\n", counted_names[n], shared->counts[n], shared->spent[n]);
	if (file && fgets(taints, sizeof(taints), file))
		printf("tainted %s", taints);
}

static void stress(void)
{
	seed = (uint64_t)from_environment("STRESS_SEED", 1);
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	prepare();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	open_volume(&root, "", 1);
	write_to(LEAKS, "clear");
	for (int n = 0; n < WORK_PROCESSES; n++)
		start(work);
	start(witness);
	start(witness);
	start(trace);
	start(other);
	start(slow);
	start(drop_caches);
	start(press);
	if (!watch(from_environment("STRESS_SECONDS", 20)))
		tell_leaks();
	tell();
	puts("stress done");
	fflush(stdout);
}

/* Takes a core dump from the kernel. */
static int swallow(void)
{
	static char bytes[1 << 16];

	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		;
	return 0;
}

int main(int words, char **word)
{
	if (words > 1 && !strcmp(word[1], "core"))
		return swallow();
	if (words > 1 && !strcmp(word[1], "visit"))
		return visit(words, word);
	stress();
	reboot(RB_AUTOBOOT);
	return 0;
}
