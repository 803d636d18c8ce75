// SPDX-License-Identifier: MIT
/* Threads that do one operation after the other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>

#include "stress.h"

#define THREADS		2

#define AS_FUNCTION(name)	op_##name,
static void (*const operations[])(struct worker *) = { OPERATIONS(AS_FUNCTION) };

/* These take seconds under a checker. */
static int is_slow(uint32_t what)
{
	return what == OP_huge || what == OP_dump;
}

/* Each once, so that a short run on a slow machine has them all, and then any. */
static uint32_t choose(struct worker *worker)
{
	uint32_t what = atomic_fetch_add(&shared->begun, 1);

	if (what < OPERATIONS_END)
		return what;
	what = pick(worker, OPERATIONS_END);
	return is_slow(what) && pick(worker, 8) ? OP_touch : what;
}

void operate(struct worker *worker)
{
	uint32_t what = choose(worker);

	begin(worker, (enum counted)what);
	operations[what](worker);
}

void serve(struct worker *worker)
{
	while (!shared->stop)
		operate(worker);
	worker->beat->who = NULL;
}

static void *thread(void *data)
{
	struct worker worker = new_worker("worker", &root);

	(void)data;
	serve(&worker);
	return NULL;
}

void work(void)
{
	pthread_t threads[THREADS];

	for (int n = 0; n < THREADS; n++)
		pthread_create(&threads[n], NULL, thread, NULL);
	for (int n = 0; n < THREADS; n++)
		pthread_join(threads[n], NULL);
}
