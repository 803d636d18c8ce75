// SPDX-License-Identifier: MIT
/*
 * The best source of touches that the kernel has: its own part, perf events, or
 * residency.
 */
#include <asm/errno.h>

#include "own.h"
#include "settings.h"
#include "sys.h"
#include "tracer.h"
#include "watch.h"

#define RING_KIB	256

/* What TINYPROF_SOURCE does not want. */
static bool refuses_own, refuses_watch;
static enum watch_choice choice;
static uint32_t ring_kib;
static bool may_watch, watching, is_from_start;

int tracer_open(void)
{
	int tracer = refuses_own ? -ENODEV : own_open();

	watching = tracer < 0 && may_watch && !refuses_watch;
	if (watching)
		tracer = watch_open(choice, ring_kib, is_from_start);
	watching &= tracer >= 0;
	return tracer;
}

void tracer_close(int tracer)
{
	if (watching)
		watch_close();
	else
		sys_close(tracer);
	watching = false;
}

long tracer_read(int tracer, struct tracer_batch *batch)
{
	return watching ? watch_read(batch) : sys_read(tracer, batch, sizeof(*batch));
}

long tracer_command(int tracer, unsigned int command, void *argument)
{
	return watching ? watch_command(command, argument) : sys_ioctl(tracer, command, argument);
}

bool tracer_has_others(void)
{
	return true;
}

void tracer_choose(struct settings *s, char **environment)
{
	/* The first letters of the names differ. */
	switch (*settings_text(environment, "SOURCE=", "")) {
	case 'k':
		refuses_watch = true;
		break;
	case 'e':
		refuses_own = true;
		choice = WATCH_EVENTS;
		break;
	case 'r':
		refuses_own = true;
		choice = WATCH_RESIDENCY;
		break;
	}
	ring_kib = settings_number(s, environment, "RING=", RING_KIB);
}

void tracer_allow_others(bool from_start)
{
	may_watch = true;
	is_from_start = from_start;
}

const struct wire_source *tracer_source(void)
{
	return watching ? watch_source() : NULL;
}

int tracer_patience(void)
{
	return watching ? watch_patience() : INT32_MAX;
}

bool tracer_gather(void)
{
	return watching && watch_gather();
}

uint32_t tracer_lost(void)
{
	return watching ? watch_lost() : 0;
}

const struct wire_mapping *tracer_mappings(uint32_t volume, size_t *count)
{
	(void)volume;
	*count = 0;
	return NULL;
}

bool tracer_file(struct wire_file *file)
{
	return watching && watch_file(file);
}

void tracer_tell_files(bool all)
{
	if (watching)
		watch_tell_files(all);
}
