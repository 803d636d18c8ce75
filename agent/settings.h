/* SPDX-License-Identifier: MIT */
/*
 * The agent's settings. They come as environment, which is where the kernel
 * puts the words NAME=value of its command line that it does not know itself:
 *
 *	TINYPROF_TTY	the port, /dev/ttyAMA1
 *	TINYPROF_BAUD	its rate, 115200; 0 leaves the port as it is
 *	TINYPROF_EPOCH	milliseconds an epoch lasts, 1000; 0 for ever
 *	TINYPROF_WAIT	1: every frame is kept until a host has it, from the
 *			first one on; else from a host's first request on
 *	TINYPROF_INIT	the real init, /sbin/init
 *	TINYPROF_SOURCE	kernel, events or residency: that source of touches
 *			alone; else the best one that is there (sources.c). In the
 *			program for machines without an MMU: kernel or mappings
 *			(only_maps.c)
 *	TINYPROF_RING	KiB of each processor's ring of events, 256
 *
 * A setting that is empty, or no number of 32 bits where one belongs, counts
 * as not given. NAME in refused is without its TINYPROF_.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdint.h>

struct settings {
	const char *tty;
	const char *init;
	uint32_t baud;
	uint32_t epoch_ms;
	uint32_t wait;			/* 0: what nobody listens to is sent all the same */
	const char *refused;		/* NAME=value that is no number, or NULL */
};

/* environment ends with NULL; the strings stay where they are. */
void settings_read(struct settings *s, char **environment);

/* One setting by its name, without TINYPROF_ and with '='. A number that is none is in refused. */
const char *settings_text(char **environment, const char *name, const char *otherwise);
uint32_t settings_number(struct settings *s, char **environment, const char *name,
			 uint32_t otherwise);

#endif
