// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU's TCG, ABI version 1: which pages of an image in flash a
 * guest fetches or reads. QEMU executes and reads the flash straight from its
 * own memory; so once the guest has started that memory is closed page by page
 * with mprotect(), and whatever touches a page first opens it and is noted. It
 * knows nothing of the guest's kernel: what our tracer misses shows here.
 *
 * (QEMU's callbacks for reads, which would tell the same, are never made for
 * this flash.)
 *
 * The offsets in the image go, a line each, to the file named by out=FILE.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugin.h"
#include "flash.h"

static volatile bool touched[PAGES_MAX];

static void on_fault(int number, siginfo_t *info, void *context)
{
	size_t page = ((unsigned char *)info->si_addr - flash) / PAGE;

	(void)context;
	if ((unsigned char *)info->si_addr < flash || page >= pages || touched[page]) {
		/* Not ours: let it end QEMU as it would have. */
		signal(number, SIG_DFL);
		return;
	}
	touched[page] = true;
	mprotect(flash + page * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	(void)id;
	(void)tb;
	if (flash)
		return;
	find_flash();
	sigaction(SIGSEGV, &action, NULL);
	if (mprotect(flash, pages * PAGE, PROT_NONE))
		abort();
}

static void write_seen(FILE *file)
{
	size_t page;

	for (page = 0; page < pages; page++)
		if (touched[page])
			fprintf(file, "%zu\n", page * PAGE);
}
