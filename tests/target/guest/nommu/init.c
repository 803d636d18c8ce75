// SPDX-License-Identifier: MIT
/*
 * The init of a machine without an MMU: start-up, a daemon, and a steady state in which
 * workers come and go. Then it shows the mappings of all processes and the memory,
 * and reboots.
 *
 * Epochs of a second end about half a second before the moments at which something
 * begins or ends, so that a look sees each program in just the epochs that it lives in.
 */
#include "guest.h"

#define PROCESSES	64
#define REBOOT_1	0xfee1dead
#define REBOOT_2	672274793
#define REBOOT_NOW	0x01234567

static void spawn(const char *path, uint32_t until)
{
	static char digits[12];
	const char *words[] = { path, digits_of(until, digits + sizeof(digits)), NULL };
	long child = my_syscall5(__NR_clone, CLONE_VM | CLONE_VFORK | CHILD_SIGNAL, 0, 0, 0, 0);

	if (child)
		return;
	my_syscall3(__NR_execve, path, words, NULL);
	my_syscall1(__NR_exit, 127);
}

static void wait_for_children(int count)
{
	while (count--)
		my_syscall4(__NR_wait4, -1, NULL, 0, NULL);
}

static void show(const char *path)
{
	static char text[1024];
	int fd = (int)my_syscall4(__NR_openat, AT_FDCWD, path, 0, 0);
	long size;

	while (fd >= 0 && (size = my_syscall3(__NR_read, fd, text, sizeof(text))) > 0)
		my_syscall3(__NR_write, 1, text, size);
	if (fd >= 0)
		my_syscall1(__NR_close, fd);
}

static void show_processes(void)
{
	for (uint32_t pid = 1; pid < PROCESSES; pid++) {
		char path[32] = "/proc/", digits[12];
		const char *parts[] = { digits_of(pid, digits + sizeof(digits)), "/maps" };
		size_t used = 6;

		for (int i = 0; i < 2; i++)
			for (const char *c = parts[i]; *c; c++)
				path[used++] = *c;
		path[used] = 0;
		if (!my_syscall2(__NR_kill, pid, 0)) {
			say("process: ");
			say(parts[0]);
			say("\n");
			show(path);
		}
	}
}

static void write_line(const char *path, const char *line)
{
	int fd = (int)my_syscall4(__NR_openat, AT_FDCWD, path, O_WRONLY, 0);

	my_syscall3(__NR_write, fd, line, length_of(line));
	my_syscall1(__NR_close, fd);
}

/* The moment of each step, how many processes begin then, and for how many milliseconds. */
static const struct {
	const char *path;
	uint16_t ms, processes, lifetime;
} steps[] = {
	{ "/bin/worker", 4300, 1, 2000 },
	{ "/bin/jobs", 4300, 1, 0 },
	{ "/bin/worker", 5300, 1, 1000 },
	{ "/bin/fdpic-one", 5300, 1, 4000 },
	{ "/bin/fdpic-two", 6300, 2, 1000 },
	{ "/bin/worker", 8300, 3, 1000 },
};

__attribute__((used)) int main(int argc, char **argv)
{
	int children = 0;

	(void)argc;
	my_syscall5(__NR_mount, "proc", "/proc", "proc", 0, NULL);
	/* Else the kernel's own limit, which goes by the RAM, ends the work before the RAM does. */
	write_line("/proc/sys/kernel/threads-max", "128\n");
	tell("begin", argv[0]);
	wait_until_ms(600);
	spawn("/bin/daemon", 60000);
	spawn("/bin/setup", 1600);
	wait_for_children(1);
	spawn("/bin/other", 2600);
	wait_for_children(1);
	wait_until_ms(3600);
	write_line("/dev/kmsg", "tinyprof: steady\n");
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		wait_until_ms(steps[i].ms);
		for (uint16_t n = 0; n < steps[i].processes; n++)
			spawn(steps[i].path, steps[i].ms + steps[i].lifetime);
		children += steps[i].processes;
	}
	wait_until_ms(8700);
	show_processes();
	show("/proc/meminfo");
	wait_for_children(children);
	/* Between what the agent says every ten seconds and the end of an epoch. */
	wait_until_ms(10700);
	tell("end", argv[0]);
	my_syscall4(__NR_reboot, REBOOT_1, REBOOT_2, REBOOT_NOW, NULL);
	return 0;
}
