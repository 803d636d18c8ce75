// SPDX-License-Identifier: MIT
/*
 * As the real init behind the agent, on a machine whose USB gadget meets its host
 * in the same kernel: one process reads /pattern again and again, and another runs
 * a script on the root filesystem of the machine that runs the tests, which is
 * mounted read-only. GUEST_PYTHON and GUEST_SCRIPT name both.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
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
#define TOP	"/mnt"

static const struct timespec pause_of_round = { 0, 50000000 };

static void read_again_and_again(void)
{
	int fd = open("/pattern", O_RDONLY);
	struct stat status;
	const volatile uint8_t *bytes;

	fstat(fd, &status);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	for (;;) {
		for (off_t at = 0; at < status.st_size; at += PAGE)
			(void)bytes[at];
		nanosleep(&pause_of_round, NULL);
	}
}

static void mount_one(const char *type, const char *to, const char *options)
{
	if (mount("none", to, type, 0, options))
		printf("bad %s\n", type);
}

static void run_script(void)
{
	char *python = getenv("GUEST_PYTHON"), *script = getenv("GUEST_SCRIPT");
	char *argv[] = { python, script, NULL };

	if (mount("host", TOP, "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,cache=loose,msize=262144"))
		puts("bad 9p");
	mount_one("devtmpfs", TOP "/dev", NULL);
	mount_one("proc", TOP "/proc", NULL);
	mount_one("sysfs", TOP "/sys", NULL);
	mount_one("configfs", TOP "/sys/kernel/config", NULL);
	mount_one("tmpfs", TOP "/run", NULL);
	if (chroot(TOP) || chdir("/run"))
		puts("bad root");
	execv(python, argv);
	puts("bad script");
	exit(1);
}

int main(void)
{
	pid_t reader = fork(), script;

	if (!reader)
		read_again_and_again();
	script = fork();
	if (!script)
		run_script();
	waitpid(script, NULL, 0);
	kill(reader, SIGKILL);
	puts("gadget done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
