// SPDX-License-Identifier: MIT
/*
 * A plugin for QEMU's TCG, ABI version 1: how many instructions a guest of one
 * CPU executed, as one number in the file named by out=FILE.
 */
#include <inttypes.h>

#include "plugin.h"

enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *to,
					      uint64_t value);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

static uint64_t executed;

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &executed,
						 qemu_plugin_tb_n_insns(tb));
}

static void write_seen(FILE *file)
{
	fprintf(file, "%" PRIu64 "\n", executed);
}
