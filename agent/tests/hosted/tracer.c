// SPDX-License-Identifier: MIT
/*
 * tracer.h over a socket, at the other end of which a test plays the kernel
 * (tests/link/tracer.py). TINYPROF_TRACER names the socket; while nobody
 * listens there, there is no tracer.
 *
 * A request is a command's number and its argument; 0 is read(). The reply is
 * the return value and the argument or the batch. Besides replies, a bell comes
 * whenever records wait: left unread, it makes the socket readable for poll().
 * Every request takes the bell away, and the reply is followed by a new one if
 * records still wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tracer.h"

#define ARGUMENT_MAX	sizeof(struct tinyprof_processes)
#define BELL		INT32_MAX
#define READ		0

struct reply {
	int32_t ret;
	union {
		struct tracer_batch batch;
		uint8_t argument[ARGUMENT_MAX];
	};
};

/* Returns the reply's return value, or -EIO when the test hung up. */
static long request(int tracer, uint32_t command, void *argument, size_t size)
{
	struct {
		uint32_t command;
		uint8_t argument[ARGUMENT_MAX];
	} request = { .command = command };
	struct reply reply;
	ssize_t got;

	if (command != READ)
		memcpy(request.argument, argument, size);
	if (send(tracer, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		return -EIO;
	do {
		got = recv(tracer, &reply, sizeof(reply), 0);
		if (got < (ssize_t)sizeof(reply.ret))
			return -EIO;
	} while (reply.ret == BELL);
	got -= sizeof(reply.ret);
	memcpy(argument, reply.argument, (size_t)got < size ? (size_t)got : size);
	return reply.ret;
}

int tracer_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("TINYPROF_TRACER");
	int tracer;

	if (!path || strlen(path) >= sizeof(address.sun_path))
		return -ENOENT;
	memcpy(address.sun_path, path, strlen(path));
	tracer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (tracer < 0)
		return -errno;
	if (!connect(tracer, (struct sockaddr *)&address, sizeof(address)))
		return tracer;
	close(tracer);
	return -ENOENT;
}

void tracer_close(int tracer)
{
	close(tracer);
}

long tracer_read(int tracer, struct tracer_batch *batch)
{
	return request(tracer, READ, batch, sizeof(*batch));
}

long tracer_command(int tracer, unsigned int command, void *argument)
{
	return request(tracer, command, argument, _IOC_SIZE(command));
}
