// SPDX-License-Identifier: MIT
/* Operations with processes of their own: forked, started, traced, dumped. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define VISITED_PAGES	24

void op_fork(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_WRITE, 0);
	int child;

	if (!mapping.pages)
		return;
	write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
	child = fork();
	if (!child) {
		check_mapping("fork, child", &mapping);
		write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
		check_mapping("fork, child", &mapping);
		_exit(0);
	}
	check_mapping("fork, parent", &mapping);
	write_mark(&mapping, pick(worker, (uint32_t)mapping.pages));
	wait_for(child, "fork");
	check_mapping("fork, parent", &mapping);
	unmap(&mapping);
}

/* A program of the volume is started there, and looks at the volume's files. */
void op_exec(struct worker *worker)
{
	char id[16], choice[16], top[32];
	char *words[] = { "init", "visit", top, id, choice, NULL };
	size_t prefix = strlen(worker->volume->program) - strlen("/sbin/init");
	int child;

	snprintf(top, sizeof(top), "%.*s", (int)prefix, worker->volume->program);
	snprintf(id, sizeof(id), "%u", worker->volume->files[0].id);
	snprintf(choice, sizeof(choice), "%u", pick(worker, 1u << 30));
	child = vfork();
	if (!child) {
		execv(worker->volume->program, words);
		_exit(1);
	}
	wait_for(child, "exec");
}

/* The started program: visit TOP ID SEED. */
int visit(int words, char **word)
{
	static struct shared own;
	static struct volume volume;
	struct worker worker;

	if (words < 5)
		return 1;
	shared = &own;
	seed = (uint64_t)atol(word[4]);
	open_volume(&volume, word[2], (uint32_t)atol(word[3]));
	root = volume;
	worker = new_worker("visit", &volume);
	for (int n = 0; n < VISITED_PAGES / 8; n++)
		op_touch(&worker);
	op_read(&worker);
	return own.wrong != 0;
}

/* What a child under trace does. The debugger may have written into a page. */
static void be_traced(struct mapping *mapping, size_t page, int traced_first)
{
	const uint32_t *words = (uint32_t *)(mapping->at + page * PAGE);

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	/* What is mapped from now on is mapped from the page cache. */
	if (traced_first)
		mmap(mapping->at, mapping->pages * PAGE, PROT_READ | PROT_EXEC,
		     MAP_PRIVATE | MAP_FIXED, mapping->file->fd, (off_t)(mapping->first * PAGE));
	check_page("trace, before", mapping, page);
	raise(SIGSTOP);
	if (words[MARK_WORD] == MARK)
		mapping->written |= UINT64_C(1) << page;
	check_mapping("trace, after", mapping);
	_exit(0);
}

/* Read and write a page of a stopped child. Where it is in place both may fail. */
static void debug(int child, const struct mapping *mapping, size_t page)
{
	uint8_t *at = mapping->at + page * PAGE + MARK_WORD * 4;
	size_t from = (mapping->first + page) * PAGE + MARK_WORD * 4;
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, child, at, NULL);
	if (errno) {
		if (errno != EIO && errno != EFAULT)
			wrong("peek", mapping->file, from);
		return;
	}
	if (from + sizeof(word) > mapping->file->size)
		return;
	is_right("peek", mapping->file, &word, from, sizeof(word));
	word |= MARK;
	if (ptrace(PTRACE_POKEDATA, child, at, word) && errno != EIO)
		wrong("poke", mapping->file, from);
}

void op_trace(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ | PROT_EXEC, 0);
	int status, child, traced_first = (int)pick(worker, 2);
	size_t page;

	if (!mapping.pages)
		return;
	page = pick(worker, (uint32_t)mapping.pages);
	child = fork();
	if (!child)
		be_traced(&mapping, page, traced_first);
	if (child > 0 && waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
		debug(child, &mapping, page);
		if (pick(worker, 2))
			ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
		else
			ptrace(PTRACE_DETACH, child, NULL, NULL);
		while (waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, child, NULL, NULL);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			wrong("trace", mapping.file, page * PAGE);
	}
	unmap(&mapping);
}

/* What a dump has: private and shared mappings of files, and ELF headers. */
#define FILES_FILTER	"0x1c"

/*
 * A core dump with all mappings of files in it, for which swallow() of main.c is
 * started. Anonymous memory is mostly holes, which go through the pipe as zeros.
 */
void op_dump(struct worker *worker)
{
	struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };
	struct mapping mapping = map_some(worker, PROT_READ, 0);
	int status, child = fork();

	if (!child) {
		setrlimit(RLIMIT_CORE, &no_limit);
		write_to("/proc/self/coredump_filter", FILES_FILTER);
		check_mapping("dump", &mapping);
		abort();
	}
	if (child > 0)
		waitpid(child, &status, 0);
	unmap(&mapping);
}
