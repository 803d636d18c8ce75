// SPDX-License-Identifier: MIT
/*
 * As init: writes into a process that maps /pattern, as debuggers do. Every
 * byte of page n of /pattern is n + 1. Prints for each way "WAY ERRNO WRONG":
 * 0 or the error of the write, and how many bytes other than the written ones
 * the process sees changed afterwards. Then "remote done".
 *
 * Ways: poke, mem and writev write to a mapping that was there before. traced
 * is a poke into a process that was traced when it mapped; switched one with
 * cramfs.xip=0 when it mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096u
#define PAGES	48u
#define TARGET	3u

static const char word[sizeof(long)] = "word";

static int poke(pid_t pid, uint8_t *at)
{
	long value;

	memcpy(&value, word, sizeof(value));
	return ptrace(PTRACE_POKEDATA, pid, at, value) ? errno : 0;
}

static int write_mem(pid_t pid, uint8_t *at)
{
	char path[32];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR);
	ret = pwrite(fd, word, sizeof(word), (uintptr_t)at) == sizeof(word) ? 0 : errno;
	close(fd);
	return ret;
}

static int write_vector(pid_t pid, uint8_t *at)
{
	struct iovec from = { (void *)word, sizeof(word) }, to = { at, sizeof(word) };

	return process_vm_writev(pid, &from, 1, &to, 1, 0) == sizeof(word) ? 0 : errno;
}

struct way {
	const char *name;
	int (*write)(pid_t pid, uint8_t *at);
	int access;
	int traced;
};

static size_t wrong_bytes(const uint8_t *bytes, const uint8_t *written)
{
	size_t wrong = 0;

	for (const uint8_t *at = bytes; at < bytes + (PAGES - 1) * PAGE; at++)
		if (at < written || at >= written + sizeof(word))
			wrong += *at != (size_t)(at - bytes) / PAGE + 1;
	return wrong;
}

/* The other process: maps and reads all, waits for the write, counts. */
static void be_written(const struct way *way, int told, int answer)
{
	int fd = open("/pattern", O_RDONLY);
	uint8_t *bytes, *at;
	size_t wrong;

	if (way->traced)
		ptrace(PTRACE_TRACEME, 0, 0, 0);
	bytes = mmap(NULL, PAGES * PAGE, way->access, MAP_PRIVATE, fd, 0);
	at = bytes + TARGET * PAGE + 256;
	if (wrong_bytes(bytes, at))
		puts("bad before the write");
	write(told, &at, sizeof(at));
	raise(SIGSTOP);
	wrong = wrong_bytes(bytes, at);
	write(answer, &wrong, sizeof(wrong));
	_exit(0);
}

static void try(const struct way *way)
{
	int told[2], answer[2], ret;
	size_t wrong = 0;
	uint8_t *at;
	pid_t pid;

	pipe(told);
	pipe(answer);
	pid = fork();
	if (!pid)
		be_written(way, told[1], answer[1]);
	read(told[0], &at, sizeof(at));
	waitpid(pid, NULL, WUNTRACED);
	if (!way->traced) {
		ptrace(PTRACE_ATTACH, pid, 0, 0);
		waitpid(pid, NULL, WUNTRACED);
	}
	ret = way->write(pid, at);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	kill(pid, SIGCONT);
	read(answer[0], &wrong, sizeof(wrong));
	waitpid(pid, NULL, 0);
	printf("%s %d %zu\n", way->name, ret, wrong);
	fflush(stdout);
}

/* The board's image has no /sys: sysfs goes over /dev, which nobody needs here. */
static void switch_off(void)
{
	int fd = -1;

	if (!mount("sys", "/dev", "sysfs", 0, NULL))
		fd = open("/dev/module/cramfs/parameters/xip", O_WRONLY);
	write(fd, "0", 1);
	close(fd);
}

int main(void)
{
	static const struct way ways[] = {
		{ "poke", poke, PROT_READ, 0 },
		{ "mem", write_mem, PROT_READ, 0 },
		{ "writev", write_vector, PROT_READ | PROT_WRITE, 0 },
		{ "traced", poke, PROT_READ, 1 },
	};
	static const struct way switched = { "switched", poke, PROT_READ, 0 };

	mount("proc", "/proc", "proc", 0, NULL);
	for (size_t n = 0; n < sizeof(ways) / sizeof(ways[0]); n++)
		try(&ways[n]);
	switch_off();
	try(&switched);
	puts("remote done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
