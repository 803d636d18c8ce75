// SPDX-License-Identifier: MIT
/*
 * An init that reads and maps pages of /placed and /packed, and starts three programs that live for
 * a while. It ends an epoch after each step by a mark, and reboots.
 */
#include <stdbool.h>

#include "guest.h"

#define READABLE	1	/* PROT_READ */
#define WRITABLE	2	/* PROT_WRITE */
#define EXECUTABLE	4	/* PROT_EXEC */
#define PRIVATE		2	/* MAP_PRIVATE */
#define PAGE		4096
#define STEP_MS		1000
#define REBOOT_1	0xfee1dead
#define REBOOT_2	672274793
#define REBOOT_NOW	0x01234567

static uint8_t bytes[2 * PAGE];
static uint32_t began;

static int open_to_read(const char *path)
{
	return (int)my_syscall4(__NR_openat, AT_FDCWD, path, O_RDONLY, 0);
}

static void must(bool done, const char *what)
{
	if (done)
		return;
	say("bad ");
	say(what);
	say("\n");
}

static void read_pages(int fd, uint32_t first, uint32_t pages)
{
	my_syscall3(__NR_lseek, fd, first * PAGE, 0);
	must(my_syscall3(__NR_read, fd, bytes, pages * PAGE) == (long)(pages * PAGE), "read");
}

static long map_pages(int fd, uint32_t first, uint32_t pages, int protection)
{
	long at = my_syscall6(__NR_mmap2, 0, pages * PAGE, protection, PRIVATE, fd, first);

	must((unsigned long)at < -4095ul, "mmap");
	return at;
}

static void unmap_pages(long at, uint32_t pages)
{
	must(!my_syscall2(__NR_munmap, at, pages * PAGE), "munmap");
}

static void spawn_worker(uint32_t until)
{
	static char digits[12];
	const char *words[] = { "/bin/worker", digits_of(until, digits + sizeof(digits)), NULL };
	long child = my_syscall5(__NR_clone, CLONE_VM | CLONE_VFORK | CHILD_SIGNAL, 0, 0, 0, 0);

	if (child)
		return;
	my_syscall3(__NR_execve, words[0], words, NULL);
	my_syscall1(__NR_exit, 127);
}

/* The epoch has ended when the mark's time is up. */
static void end_step(void)
{
	static uint32_t steps;
	int fd = (int)my_syscall4(__NR_openat, AT_FDCWD, "/dev/tinyprof", O_WRONLY, 0);

	must(my_syscall3(__NR_write, fd, "step", 4) == 4, "mark");
	my_syscall1(__NR_close, fd);
	wait_until_ms(began + ++steps * STEP_MS);
}

__attribute__((used)) int main(void)
{
	int placed = open_to_read("/placed"), packed = open_to_read("/packed");
	long in_place, executed, copied;

	began = now_ms();
	end_step();

	read_pages(placed, 1, 2);
	read_pages(packed, 3, 1);
	end_step();

	in_place = map_pages(placed, 4, 3, READABLE);
	executed = map_pages(placed, 12, 1, READABLE | EXECUTABLE);
	copied = map_pages(packed, 8, 2, READABLE | EXECUTABLE);
	for (int i = 0; i < 3; i++)
		spawn_worker(began + 4 * STEP_MS + STEP_MS / 2);
	end_step();

	end_step();

	unmap_pages(in_place, 3);
	unmap_pages(executed, 1);
	unmap_pages(copied, 2);
	for (int i = 0; i < 3; i++)
		my_syscall4(__NR_wait4, -1, NULL, 0, NULL);
	map_pages(placed, 10, 2, READABLE | WRITABLE);
	end_step();

	end_step();
	say("touched done\n");
	my_syscall4(__NR_reboot, REBOOT_1, REBOOT_2, REBOOT_NOW, NULL);
	return 0;
}
