// SPDX-License-Identifier: MIT
/*
 * The best source of a small machine: the kernel's own part, or where the kernel has none, the
 * mappings in /proc.
 */
#include <asm/errno.h>

#include "maps.h"
#include "own.h"
#include "settings.h"
#include "sys.h"
#include "tracer.h"

/* What TINYPROF_SOURCE does not want. */
static bool refuses_own, refuses_maps;
static bool may_look, looking, is_from_start;

int tracer_open(void)
{
	int tracer = refuses_own ? -ENODEV : own_open();

	looking = tracer < 0 && may_look && !refuses_maps;
	if (looking)
		tracer = maps_open(is_from_start);
	looking &= tracer >= 0;
	return tracer;
}

void tracer_close(int tracer)
{
	if (looking)
		maps_close(tracer);
	else
		sys_close(tracer);
	looking = false;
}

long tracer_read(int tracer, struct tracer_batch *batch)
{
	return looking ? maps_read(batch) : sys_read(tracer, batch, sizeof(*batch));
}

long tracer_command(int tracer, unsigned int command, void *argument)
{
	return looking ? maps_command(command, argument) : sys_ioctl(tracer, command, argument);
}

bool tracer_has_others(void)
{
	return true;
}

void tracer_choose(struct settings *s, char **environment)
{
	const char *wanted = settings_text(environment, "SOURCE=", "");

	(void)s;
	/* The first letters of the names differ. */
	refuses_maps = *wanted == 'k';
	refuses_own = *wanted == 'm';
}

void tracer_allow_others(bool from_start)
{
	may_look = true;
	is_from_start = from_start;
}

const struct wire_source *tracer_source(void)
{
	return looking ? maps_source() : NULL;
}

int tracer_patience(void)
{
	return looking ? maps_patience() : INT32_MAX;
}

bool tracer_gather(void)
{
	return looking && maps_gather();
}

uint32_t tracer_lost(void)
{
	return 0;
}

const struct wire_mapping *tracer_mappings(uint32_t volume, size_t *count)
{
	*count = 0;
	return looking ? maps_held(volume, count) : NULL;
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
