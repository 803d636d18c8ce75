// SPDX-License-Identifier: MIT
/*
 * Processes that touch the pages of a file that nobody else touches, and note in
 * which epoch they did, for the tracer's reader to hold its records against.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

#include "../../../../firmware/linux/overlay/include/uapi/linux/cramfs_tinyprof.h"

static struct mapping to_read, to_execute;

static void touch(struct worker *worker, int kind, size_t page)
{
	uint8_t byte;

	switch (kind) {
	case TINYPROF_READ:
		check_page("witness", &to_read, page);
		break;
	case TINYPROF_EXEC:
		check_page("witness", &to_execute, page);
		break;
	default:
		if (pread(to_read.file->fd, &byte, 1, (off_t)(page * PAGE + pick(worker, PAGE))) < 0)
			wrong("witness", to_read.file, page * PAGE);
	}
}

static void run(void)
{
	static const int kinds[] = { TINYPROF_READ, TINYPROF_EXEC, TINYPROF_FILE };
	struct worker worker = new_worker("witness", &root);

	while (!shared->stop) {
		int kind = kinds[pick(&worker, 3)];
		size_t page = pick(&worker, (uint32_t)to_read.pages);
		unsigned int epoch = shared->epoch;

		begin(&worker, EVENT_witness);
		touch(&worker, kind, page);
		/* Between the two looks it was the same epoch all the time. */
		if (epoch && shared->epoch == epoch)
			shared->touched[kind][page] = epoch;
		if (!pick(&worker, 4))
			usleep(pick(&worker, 2000));
	}
	worker.beat->who = NULL;
}

static struct mapping whole(const struct file *file, int access)
{
	struct mapping mapping = { .file = file, .pages = file->pages };

	mapping.at = mmap(NULL, file->pages * PAGE, access, MAP_PRIVATE, file->fd, 0);
	return mapping;
}

void witness(void)
{
	to_read = whole(&root.files[FILE_WITNESS], PROT_READ);
	to_execute = whole(&root.files[FILE_WITNESS], PROT_READ | PROT_EXEC);
	run();
}
