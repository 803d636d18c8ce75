// SPDX-License-Identifier: MIT
/*
 * What needs a program's headers in memory: backtrace() and a thread's
 * cancellation unwind through frames of a library, and thread-local variables
 * of program and library are each thread's own. Prints "good WHAT" or
 * "bad WHAT" for each, then "unwinds done".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRAMES	12

int deeper(int (*then)(void), int frames);
const char *named(const char *name);
int deepest(void);

static __thread int own = 7;
static int cleaned, loaded;

static void say(int good, const char *what)
{
	printf("%s %s\n", good ? "good" : "bad", what);
}

static int look_back(void)
{
	void *frames[64];

	return backtrace(frames, 64);
}

static void clean(void *count)
{
	++*(int *)count;
}

static int wait_in_vain(void)
{
	for (;;)
		pause();
	return 0;
}

static void *cancelled(void *unused)
{
	pthread_cleanup_push(clean, &cleaned);
	deeper(wait_in_vain, FRAMES);
	pthread_cleanup_pop(0);
	return unused;
}

static void *threaded(void *good)
{
	*(int *)good = own == 7 && !strcmp(named("second"), "second");
	own = 8;
	return NULL;
}

/* The headers that a program sees are those of the file that it was loaded from. */
static int count(struct dl_phdr_info *info, size_t size, void *unused)
{
	int loads = 0;

	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++)
		loads += info->dlpi_phdr[i].p_type == PT_LOAD;
	if (loads >= 3)
		loaded++;
	return 0;
}

int main(void)
{
	pthread_t thread;
	int good = 0;
	void *library;

	say(deeper(look_back, FRAMES) > FRAMES, "backtrace through a library");
	pthread_create(&thread, NULL, cancelled, NULL);
	usleep(100000);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	say(cleaned == 1, "a cancelled thread unwinds");
	named("first");
	pthread_create(&thread, NULL, threaded, &good);
	pthread_join(thread, NULL);
	say(good && own == 7, "a thread has its own variables");
	say(!strcmp(named("first"), "first") && deepest() == 0, "and so has a library");
	library = dlopen("libz.so.1", RTLD_NOW);
	say(library && dlsym(library, "inflate"), "a library is opened later");
	dl_iterate_phdr(count, NULL);
	say(loaded >= 4, "split segments are seen in memory");
	puts("unwinds done");
	return 0;
}
