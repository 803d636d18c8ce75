// SPDX-License-Identifier: MIT
/* The start of a bFLT program with a libc, and its thread pointer. */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A Cortex-M3 has no register for the thread pointer, and without an MMU the kernel has no page
 * for it. So it is a word of the process, and a process has one thread.
 */
uintptr_t process_thread;

int __set_thread_area(void *thread)
{
	process_thread = (uintptr_t)thread;
	/* Above 0: pthread_create() fails with ENOSYS (__init_tp()). */
	return 1;
}

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
		      void (*first)(void), void (*last)(void), void (*unload)(void));

/*
 * The libc looks for the environment right behind argv, and for an auxiliary vector behind that.
 * The kernel gives a bFLT program no such vector, so it gets a copy of all of it, with one.
 */
__attribute__((noreturn, used)) void begin_program(int argc, char **argv, char **envp)
{
	const size_t arguments = (size_t)argc + 1;
	size_t variables = 0;

	while (envp[variables++])
		;

	uintptr_t words[arguments + variables + 4];
	uintptr_t *to = words;

	for (size_t i = 0; i < arguments; i++)
		*to++ = (uintptr_t)argv[i];
	for (size_t i = 0; i < variables; i++)
		*to++ = (uintptr_t)envp[i];
	*to++ = AT_PAGESZ;
	*to++ = 4096;
	*to++ = AT_NULL;
	*to = 0;
	__libc_start_main(main, argc, (char **)words, NULL, NULL, NULL);
	__builtin_unreachable();
}
