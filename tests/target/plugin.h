/* SPDX-License-Identifier: MIT */
/*
 * What a plugin for QEMU's TCG, ABI version 1, needs to write what it saw into
 * the file named by out=FILE. Include it once, and define the two functions
 * below. What we use of qemu-plugin.h stands here.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_PATH_SIZE	4096

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 1;

/* A block of the guest's code has been translated. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);

/* The guest has ended: write down what was seen. */
static void write_seen(FILE *file);

static char out[OUT_PATH_SIZE];

static void at_exit(qemu_plugin_id_t id, void *unused)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)unused;
	if (!file)
		abort();
	write_seen(file);
	fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 || strlen(argv[0] + 4) >= sizeof(out))
		return -1;
	strcpy(out, argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}

#endif
