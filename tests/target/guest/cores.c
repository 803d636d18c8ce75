// SPDX-License-Identifier: MIT
/*
 * As init, with all its pages in place: lets a child that has the same contents
 * dump its core, ELF headers included, and looks for them and for pages of data
 * that nobody wrote. Prints "core PAGES ZEROED": pages of the program that were
 * dumped, and those that are nothing but zeros there and are not here. Then
 * "cores done".
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096u
#define CORE		"/tmp/core"
#define DATA_PAGES	8

/* Of the program, as far as its file goes. */
extern const char __ehdr_start[], _edata[];

/* Data that could be written, and is only read. */
static volatile uint8_t data[DATA_PAGES][PAGE] __attribute__((aligned(PAGE))) = {
	{ 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 }, { 7 }, { 8 },
};

/* A page beside them that is written, or the kernel dumps none of them. */
static volatile uint8_t written[PAGE] __attribute__((aligned(PAGE))) = { 1 };

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void dump_core(void)
{
	struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &no_limit);
	/* Private and shared memory without a file, and ELF headers. */
	write_to("/proc/self/coredump_filter", "0x13");
	written[0] = 2;
	for (int page = 0; page < DATA_PAGES; page++)
		(void)data[page][0];
	abort();
}

static int is_zero(const uint8_t *bytes)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, PAGE - 1);
}

static void look_at(const uint8_t *core)
{
	const Elf64_Ehdr *head = (const void *)core;
	const Elf64_Phdr *part = (const void *)(core + head->e_phoff);
	unsigned int pages = 0, zeroed = 0;

	for (int n = 0; n < head->e_phnum; n++, part++) {
		if (part->p_type != PT_LOAD || part->p_vaddr < (uintptr_t)__ehdr_start)
			continue;
		for (size_t at = 0; at < part->p_filesz; at += PAGE, pages++) {
			if (part->p_vaddr + at >= (uintptr_t)_edata)
				break;
			zeroed += is_zero(core + part->p_offset + at) &&
				  !is_zero((const void *)(uintptr_t)(part->p_vaddr + at));
		}
	}
	printf("core %u %u\n", pages, zeroed);
}

int main(void)
{
	struct stat facts;
	int child, fd;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	write_to("/proc/sys/kernel/core_pattern", CORE);
	child = fork();
	if (!child)
		dump_core();
	waitpid(child, NULL, 0);
	fd = open(CORE, O_RDONLY);
	if (fd >= 0 && !fstat(fd, &facts))
		look_at(mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0));
	puts("cores done");
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 0;
}
