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
