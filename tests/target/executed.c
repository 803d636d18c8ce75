// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU's TCG, ABI version 1: which bytes of an image in flash a
 * guest executes. A block of the guest's code is noted when it is executed for
 * the first time.
 *
 * The executed runs go, "OFFSET LENGTH" a line, to the file named by out=FILE.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "flash.h"

struct qemu_plugin_insn;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t number);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int cpu, void *block), int flags,
					  void *block);

#define NO_REGISTERS	0

struct block {
	uint32_t at, size;
};

static bool executed[PAGES_MAX * PAGE];

static void on_execution(unsigned int cpu, void *data)
{
	const struct block *block = data;

	(void)cpu;
	if (!executed[block->at] || !executed[block->at + block->size - 1])
		memset(executed + block->at, true, block->size);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t number, count = qemu_plugin_tb_n_insns(tb);
	struct block *block = NULL;

	(void)id;
	if (!flash)
		find_flash();
	for (number = 0; number < count; number++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, number);
		unsigned char *code = qemu_plugin_insn_haddr(insn);
		size_t size = qemu_plugin_insn_size(insn);

		if (code < flash || code + size > flash + pages * PAGE)
			continue;
		/* A block may go on in another page, which lies elsewhere. */
		if (block && block->at + block->size == (size_t)(code - flash)) {
			block->size += size;
			continue;
		}
		block = malloc(sizeof(*block));
		if (!block)
			abort();
		block->at = code - flash;
		block->size = size;
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execution, NO_REGISTERS, block);
	}
}

static void write_seen(FILE *file)
{
	size_t at, start;

	for (at = 0; at < pages * PAGE; at++) {
		if (!executed[at])
			continue;
		for (start = at; at < pages * PAGE && executed[at]; at++)
			;
		fprintf(file, "%zu %zu\n", start, at - start);
	}
}
