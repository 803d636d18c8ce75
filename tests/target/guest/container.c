// SPDX-License-Identifier: MIT
/*
 * As the real init behind the agent: reaches /pattern as containers do, and says
 * which of its pages were touched on the way.
 *
 * 1. Through an overlay that has the CramFS below, in a mount namespace whose root
 *    it is.
 * 2. Through a bind mount.
 * 3. A copy in a tmpfs that is deleted while it is mapped: no page of /pattern.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096
#define PAGES	24

static void check(int failed, const char *what)
{
	if (failed)
		printf("bad %s\n", what);
}

static void touch(const char *path, int protection, int page)
{
	int fd = open(path, O_RDONLY);
	const uint8_t *bytes = mmap(NULL, PAGES * PAGE, protection, MAP_PRIVATE, fd, 0);

	check(fd < 0 || bytes == MAP_FAILED, path);
	check(bytes[page * PAGE] != page + 1, "content");
	close(fd);
}

static void in_a_container(void)
{
	check(unshare(CLONE_NEWNS), "namespace");
	check(mount("overlay", "/dev", "overlay", 0,
		    "lowerdir=/,upperdir=/proc/upper,workdir=/proc/work"), "overlay");
	check(chroot("/dev"), "root");
	check(chdir("/"), "folder");
	touch("/pattern", PROT_READ | PROT_EXEC, 4);
	exit(0);
}

static void deleted(void)
{
	static uint8_t bytes[PAGES * PAGE];
	int from = open("/pattern", O_RDONLY);
	int to = open("/proc/copy", O_RDWR | O_CREAT, 0600);
	const uint8_t *copy;

	check(read(from, bytes, PAGE) != PAGE, "read");
	check(write(to, bytes, sizeof(bytes)) != sizeof(bytes), "write");
	copy = mmap(NULL, sizeof(bytes), PROT_READ, MAP_SHARED, to, 0);
	check(unlink("/proc/copy"), "delete");
	check(copy[0] != 1, "copy");
}

int main(void)
{
	const struct timespec pause = { 1, 0 };

	check(mount("tmpfs", "/proc", "tmpfs", 0, NULL), "tmpfs");
	check(mkdir("/proc/upper", 0755) || mkdir("/proc/work", 0755), "folders");
	if (!fork())
		in_a_container();
	wait(NULL);
	close(open("/proc/bound", O_CREAT | O_WRONLY, 0644));
	check(mount("/pattern", "/proc/bound", NULL, MS_BIND, NULL), "bind");
	touch("/proc/bound", PROT_READ, 6);
	deleted();
	nanosleep(&pause, NULL);
	puts("touch 0 4\ntouch 1 6\ntouch 3 0\nrounds 1\ntouches done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
