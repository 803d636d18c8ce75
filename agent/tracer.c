// SPDX-License-Identifier: MIT
#include "sys.h"
#include "tracer.h"

#define DEVICE	"/dev/tinyprof"

int tracer_open(void)
{
	return (int)sys_open(DEVICE, O_RDONLY | O_NONBLOCK);
}

void tracer_close(int tracer)
{
	sys_close(tracer);
}

long tracer_read(int tracer, struct tracer_batch *batch)
{
	return sys_read(tracer, batch, sizeof(*batch));
}

long tracer_command(int tracer, unsigned int command, void *argument)
{
	return sys_ioctl(tracer, command, argument);
}

/* There is nothing but the kernel's own part. */

bool tracer_has_others(void)
{
	return false;
}

void tracer_choose(const struct settings *settings)
{
	(void)settings;
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

bool tracer_file(struct wire_file *file)
{
	(void)file;
	return false;
}

void tracer_tell_files(bool all)
{
	(void)all;
}
