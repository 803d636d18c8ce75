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

void operate(struct worker *worker)
{
	uint32_t what = pick(worker, OPERATIONS_END);

	if (is_slow(what) && pick(worker, 8))
		what = OP_touch;
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
