// SPDX-License-Identifier: MIT
/*
 * The part of tracer.h that is about other sources, for a program that has none.
 */
#include <stddef.h>

#include "tracer.h"

bool tracer_has_others(void)
{
	return false;
}

void tracer_choose(struct settings *s, char **environment)
{
	(void)s;
	(void)environment;
}

void tracer_allow_others(bool from_start)
{
	(void)from_start;
}

const struct wire_source *tracer_source(void)
{
	return NULL;
}

int tracer_patience(void)
{
	return INT32_MAX;
}

bool tracer_gather(void)
{
	return false;
}

uint32_t tracer_lost(void)
{
	return 0;
}

const struct wire_mapping *tracer_mappings(uint32_t volume, size_t *count)
{
	(void)volume;
	*count = 0;
	return NULL;
}

bool tracer_file(struct wire_file *file)
{
	(void)file;
	return false;
}

void tracer_tell_files(bool all)
{
	(void)all;
}
