// SPDX-License-Identifier: MIT
/* Volumes that come and go, and memory that is taken away. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define OPERATIONS_A_MOUNT	12
#define SPARED_KIB		(24 << 10)
#define CHUNK			(1 << 20)

/* A child still maps a file when the volume is taken off its place. */
static void outlive(struct worker *worker)
{
	struct mapping mapping = map_some(worker, PROT_READ, 0);

	if (!fork()) {
		for (int n = 0; n < 4; n++) {
			check_mapping("outlive", &mapping);
			usleep(5000);
		}
		_exit(0);
	}
	unmap(&mapping);
}

static void use_volume(struct worker *worker, const char *place, uint32_t first_id)
{
	static struct volume volume;

	open_volume(&volume, place, first_id);
	worker->volume = &volume;
	for (int n = 0; n < OPERATIONS_A_MOUNT && !shared->stop; n++)
		operate(worker);
	if (!pick(worker, 3))
		outlive(worker);
	close_volume(&volume);
}

void mount_volumes(const char *device, const char *place, uint32_t first_id)
{
	struct worker worker = new_worker("volumes", &root);

	while (!shared->stop) {
		begin(&worker, EVENT_mount);
		if (mount(device, place, "cramfs", MS_RDONLY, NULL)) {
			wrong("mount", NULL, (size_t)errno);
			return;
		}
		if (!pick(&worker, 4))
			mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
		use_volume(&worker, place, first_id);
		if (umount2(place, pick(&worker, 2) ? MNT_DETACH : 0) && umount2(place, MNT_DETACH))
			wrong("unmount", NULL, (size_t)errno);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (wait(NULL) > 0)
		;
	worker.beat->who = NULL;
}

void drop_caches(void)
{
	static const char *const what[] = { "1", "2", "3" };
	struct worker worker = new_worker("caches", &root);

	while (!shared->stop) {
		begin(&worker, EVENT_drop);
		write_to("/proc/sys/vm/drop_caches", what[pick(&worker, 3)]);
		if (!pick(&worker, 16))
			write_to("/proc/sys/vm/compact_memory", "1");
		usleep(1000 * pick(&worker, 1000));
	}
	worker.beat->who = NULL;
}

static long available_kib(void)
{
	char line[128];
	long kib = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %ld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* Fill memory nearly up, so that pages of files have to go. */
static void fill(struct worker *worker)
{
	long size = (available_kib() - SPARED_KIB) * 1024;

	write_to("/proc/self/oom_score_adj", "1000");
	for (long at = 0; at < size && !shared->stop; at += CHUNK) {
		worker->beat->since = now();
		mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
		     0);
	}
	usleep(100000);
	_exit(0);
}

void press(void)
{
	struct worker worker = new_worker("pressure", &root);

	while (!shared->stop) {
		int child;

		begin(&worker, EVENT_press);
		child = fork();
		if (!child)
			fill(&worker);
		wait_for(child, "press");
		usleep(1000 * pick(&worker, 4000));
	}
	worker.beat->who = NULL;
}
