// SPDX-License-Identifier: MIT
/*
 * The agent: page accesses from /dev/tinyprof out of a serial port.
 *
 * As init (init=/sbin/tinyprof-agent) it forks; the parent becomes the real
 * init and the child records, so that nothing waits for it. What the line
 * cannot take stays in the kernel's queue: a slow line stretches the epoch.
 *
 * Settings come as environment, which is where the kernel puts the words
 * NAME=value of its command line that it does not know itself:
 *
 *	TINYPROF_TTY	the port, /dev/ttyAMA1
 *	TINYPROF_BAUD	its rate, 115200; 0 leaves the port as it is
 *	TINYPROF_EPOCH	milliseconds an epoch lasts, 1000; 0 for ever
 *	TINYPROF_INIT	the real init, /sbin/init
 */
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/utsname.h>

#include "sys.h"
#include "wire.h"

#define AGENT_VERSION	"0.1.0"
#define TRACER		"/dev/tinyprof"
#define BATCH_RECORDS	1020

#define GATHER_MS	20	/* touches come in bursts: let a frame fill */
#define STATUS_MS	1000
#define HELLO_MS	10000
#define RETRY_MS	1000

struct agent {
	const char *tty_path;
	uint32_t baud;
	uint32_t epoch_ms;
	int tty, tracer;	/* negative: not open */
	bool rearm;		/* the host asked for it */
	struct wire_frame frame;
	struct wire_receiver receiver;
	uint32_t write_errors;
	uint32_t epoch_began, said_hello, said_status;	/* ms */
};

struct batch {
	struct tinyprof_batch head;
	uint32_t records[BATCH_RECORDS];
};

static void wait_ms(int ms)
{
	sys_poll(NULL, 0, ms);
}

/* The port */

static int open_port(const char *path, uint32_t baud)
{
	int fd = sys_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	struct termios2 mode;

	if (fd < 0 || sys_ioctl(fd, TCGETS2, &mode))
		return fd < 0 ? -1 : fd;
	mode.c_iflag = 0;
	mode.c_oflag = 0;
	mode.c_lflag = 0;
	mode.c_cc[VMIN] = 1;	/* read() of 0 bytes then means a hang-up */
	mode.c_cc[VTIME] = 0;
	if (baud) {
		mode.c_cflag = CS8 | CREAD | CLOCAL | BOTHER;
		mode.c_ispeed = baud;
		mode.c_ospeed = baud;
	}
	sys_ioctl(fd, TCSETS2, &mode);
	return fd;
}

/* Returns how many bytes the port did not take before it vanished; 0: all sent. */
static size_t write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		struct pollfd port = { .fd = fd, .events = POLLOUT };
		long written = sys_write(fd, bytes, size);

		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		} else if (written != -EAGAIN && written != -EINTR) {
			break;
		} else if (sys_poll(&port, 1, -1) > 0 && port.revents & (POLLERR | POLLHUP | POLLNVAL)) {
			break;
		}
	}
	return size;
}

static void close_port(struct agent *a)
{
	sys_close(a->tty);
	a->tty = -1;
}

/*
 * Send the frame that was just made. A port that vanished is opened again, and
 * gets the whole frame again: its records are no longer in the kernel. Without
 * its closing zero alone it is whole, for the next frame opens with one.
 */
static void send(struct agent *a)
{
	for (;;) {
		while (a->tty < 0) {
			a->tty = open_port(a->tty_path, a->baud);
			if (a->tty < 0)
				wait_ms(RETRY_MS);
		}
		size_t unsent = write_all(a->tty, a->frame.line, a->frame.len);

		if (!unsent)
			return;
		a->write_errors++;
		close_port(a);
		if (unsent == 1)
			return;
		wait_ms(RETRY_MS);
	}
}

/* The tracer */

static bool describe(struct agent *a, uint32_t index, struct tinyprof_volume *volume)
{
	volume->volume = index;
	return a->tracer >= 0 && !sys_ioctl(a->tracer, TINYPROF_IOC_VOLUME, volume);
}

/* Volumes that nobody records yet are recorded from here on. */
static void start(struct agent *a)
{
	struct tinyprof_volume volume;

	a->tracer = sys_open(TRACER, O_RDONLY | O_NONBLOCK);
	if (a->tracer < 0)
		return;
	for (uint32_t i = 0; i < WIRE_VOLUMES_MAX; i++)
		if (describe(a, i, &volume) && !(volume.flags & TINYPROF_RECORDING))
			sys_ioctl(a->tracer, TINYPROF_IOC_START, &i);
}

static void say_hello(struct agent *a)
{
	struct tinyprof_volume volumes[WIRE_VOLUMES_MAX];
	struct wire_hello hello = { .agent = AGENT_VERSION, .epoch_ms = a->epoch_ms, .volumes = volumes };
	struct new_utsname uts;

	sys_uname(&uts);
	hello.kernel = uts.release;
	hello.arch = uts.machine;
	if (a->tracer >= 0)
		sys_ioctl(a->tracer, TINYPROF_IOC_INFO, &hello.tracer);
	for (uint32_t i = 0; i < WIRE_VOLUMES_MAX; i++)
		if (describe(a, i, &volumes[hello.count]))
			hello.count++;
	wire_hello(&a->frame, &hello);
	send(a);
	a->said_hello = now_ms();
}

static void say_status(struct agent *a)
{
	struct wire_status status = { .ms = now_ms(), .write_errors = a->write_errors };
	struct tinyprof_volume volume;

	for (uint32_t i = 0; i < WIRE_VOLUMES_MAX; i++) {
		if (!describe(a, i, &volume))
			continue;
		status.queued += volume.queued;
		status.untraced += volume.untraced;
	}
	wire_status(&a->frame, &status);
	send(a);
	a->said_status = status.ms;
}

/* Send what the kernel has queued, until it has no more. */
static void drain(struct agent *a)
{
	struct batch batch;

	while (a->tracer >= 0 && sys_read(a->tracer, &batch, sizeof(batch)) > 0) {
		for (uint32_t done = 0; done < batch.head.count;) {
			done += wire_pages(&a->frame, &batch.head, batch.records + done,
					   batch.head.count - done);
			send(a);
		}
	}
}

/* Every record of an epoch is on the line before its end is. */
static void end_epoch(struct agent *a)
{
	struct tinyprof_epoch end;
	int ret;

	for (uint32_t i = 0; a->tracer >= 0 && i < WIRE_VOLUMES_MAX; i++) {
		end.volume = i;
		while ((ret = sys_ioctl(a->tracer, TINYPROF_IOC_REARM, &end)) == -EAGAIN)
			drain(a);
		if (ret)
			continue;
		wire_epoch_end(&a->frame, &end);
		send(a);
	}
	a->epoch_began = now_ms();
	a->rearm = false;
}

/* Commands */

static void obey(struct agent *a, const struct wire_command *command)
{
	switch (command->type) {
	case WIRE_HELLO_PLEASE:
		say_hello(a);
		break;
	case WIRE_EPOCH_LENGTH:
		a->epoch_ms = command->epoch_ms;
		break;
	case WIRE_REARM:
		a->rearm = true;
		break;
	}
}

static void listen(struct agent *a)
{
	struct wire_command command;
	uint8_t bytes[64];
	long size = -EAGAIN;

	while (a->tty >= 0 && (size = sys_read(a->tty, bytes, sizeof(bytes))) > 0)
		for (long i = 0; i < size; i++)
			if (wire_receive(&a->receiver, bytes[i], &command))
				obey(a, &command);
	/* A port that hung up would wake poll() again at once. */
	if (a->tty >= 0 && size != -EAGAIN && size != -EINTR)
		close_port(a);
}

static int ms_until(uint32_t since, uint32_t period)
{
	uint32_t gone = now_ms() - since;

	if (gone >= period)
		return 0;
	return period - gone < INT32_MAX ? (int)(period - gone) : INT32_MAX;
}

static int sooner(int one, int other)
{
	return one < other ? one : other;
}

static int ms_until_due(const struct agent *a)
{
	int wait = sooner(ms_until(a->said_status, STATUS_MS), ms_until(a->said_hello, HELLO_MS));

	return a->epoch_ms ? sooner(wait, ms_until(a->epoch_began, a->epoch_ms)) : wait;
}

static void record(struct agent *a)
{
	start(a);
	say_hello(a);
	say_status(a);
	a->epoch_began = now_ms();
	for (;;) {
		/* poll() passes over a negative descriptor. */
		struct pollfd events[] = {
			{ .fd = a->tracer, .events = POLLIN },
			{ .fd = a->tty, .events = POLLIN },
		};

		sys_poll(events, 2, ms_until_due(a));
		listen(a);
		if (events[0].revents & POLLIN) {
			wait_ms(GATHER_MS);
			drain(a);
		}
		if (a->rearm || (a->epoch_ms && !ms_until(a->epoch_began, a->epoch_ms)))
			end_epoch(a);
		if (!ms_until(a->said_status, STATUS_MS))
			say_status(a);
		if (!ms_until(a->said_hello, HELLO_MS))
			say_hello(a);
	}
}

/* Settings */

static const char *setting(char **environment, const char *name, const char *otherwise)
{
	for (; *environment; environment++) {
		const char *word = *environment, *letter = name;

		while (*letter && *letter == *word)
			letter++, word++;
		if (!*letter && *word == '=')
			return word + 1;
	}
	return otherwise;
}

static uint32_t number(const char *digits)
{
	uint32_t value = 0;

	while (*digits >= '0' && *digits <= '9')
		value = value * 10 + (uint32_t)(*digits++ - '0');
	return value;
}

static void become_init(char **argv, char **environment)
{
	static const char inits[][sizeof("/sbin/init")] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };

	argv[0] = (char *)setting(environment, "TINYPROF_INIT", inits[0]);
	sys_execve(argv[0], argv, environment);
	for (unsigned int i = 0; i < sizeof(inits) / sizeof(inits[0]); i++) {
		argv[0] = (char *)inits[i];
		sys_execve(inits[i], argv, environment);
	}
	sys_exit(127);
}

__attribute__((used)) int main(int argc, char **argv, char **environment)
{
	struct agent a = {
		.tty_path = setting(environment, "TINYPROF_TTY", "/dev/ttyAMA1"),
		.baud = number(setting(environment, "TINYPROF_BAUD", "115200")),
		.epoch_ms = number(setting(environment, "TINYPROF_EPOCH", "1000")),
		.tty = -1,
	};

	(void)argc;
	if (sys_getpid() == 1) {
		int tracer = sys_open(TRACER, O_RDONLY);

		if (tracer < 0)
			sys_mount("devtmpfs", "/dev");
		else
			sys_close(tracer);
		if (sys_fork())
			become_init(argv, environment);
		sys_setsid();
	}
	record(&a);
	return 0;
}
