// SPDX-License-Identifier: MIT
#include <linux/utsname.h>

#include "agent.h"
#include "port.h"
#include "sys.h"
#include "tracer.h"

#define AGENT_VERSION	"0.1.0"

#define GATHER_MS	200	/* touches come in bursts: let frames fill */
#define STATUS_MS	1000
#define HELLO_MS	10000
#define LOOK_MS		2000	/* between looks for a tracer, each with a hello */
#define RETRY_MS	1000	/* between looks for the port */
#define REPEAT_MS	500	/* without an acknowledgement, until a frame is repeated */
#define REPEAT_BAUD	19200	/* on a line of that rate or more; twice as long for half of it */
#define GONE		(POLLERR | POLLHUP | POLLNVAL)

/* Time and epochs */

static int ms_until(uint32_t since, uint32_t period)
{
	uint32_t gone = sys_now_ms() - since;

	if (gone >= period)
		return 0;
	return period - gone < INT32_MAX ? (int)(period - gone) : INT32_MAX;
}

static int sooner(int one, int other)
{
	return one < other ? one : other;
}

/* Where no page is seen again there is one epoch. */
static bool has_epochs(const struct agent *a)
{
	return !a->stopped && (!tracer_source() || tracer_source()->rearm != WIRE_NEVER);
}

static void begin_end(struct agent *a)
{
	if (has_epochs(a))
		a->ending = (1u << a->info.volumes) - 1;
}

static int ms_until_epoch_end(const struct agent *a)
{
	return a->settings.epoch_ms && has_epochs(a) ? ms_until(a->epoch_began, a->settings.epoch_ms) : INT32_MAX;
}

/* The volumes */

static bool describe(struct agent *a, uint32_t index, struct tinyprof_volume *volume)
{
	volume->volume = index;
	return !tracer_command(a->tracer, TINYPROF_IOC_VOLUME, volume);
}

/*
 * Start or stop a volume where that is wanted. With a stop its epoch ends, so
 * that it is no longer than what was recorded of it. A start forgets what is
 * queued, so it waits until that end is on the line.
 */
static bool is_recorded(struct agent *a, uint32_t index, bool recorded)
{
	if (a->stopped && recorded) {
		a->ending |= 1u << index;
		return tracer_command(a->tracer, TINYPROF_IOC_STOP, &index);
	}
	if (!a->stopped && !recorded && !(a->ending >> index & 1))
		return !tracer_command(a->tracer, TINYPROF_IOC_START, &index);
	return recorded;
}

/*
 * Running the agent asks for a recording of every volume, also of one mounted
 * later, until the host says otherwise. A change is told at once.
 */
static void look_at_volumes(struct agent *a)
{
	struct tinyprof_volume volume;
	uint32_t seen = 0;

	a->status.queued = 0;
	a->status.untraced = 0;
	for (uint32_t i = 0; i < a->info.volumes; i++) {
		seen *= 31;
		if (!describe(a, i, &volume))
			continue;
		seen += volume.crc + 1;
		seen += is_recorded(a, i, volume.flags & TINYPROF_RECORDING);
		a->status.queued += volume.queued;
		a->status.untraced += volume.untraced;
	}
	a->say_hello |= seen != a->seen;
	a->seen = seen;
}

/* While nothing is recorded no epoch ends. */
static void trace(struct agent *a, bool on)
{
	if (on != a->stopped)
		return;
	/* Before a stop, so that it is an end for all of them. */
	if (!on)
		a->ending = (1u << a->info.volumes) - 1;
	a->stopped = !on;
	a->epoch_began = sys_now_ms();
	look_at_volumes(a);
}

/* The port */

/*
 * Wait for a port to have data, and room too if that is wanted, for at most ms.
 * A source's buffers are emptied meanwhile. Returns what the port has, 0 if the
 * time is up. poll() passes over a negative descriptor.
 */
static int wait_for(int port, int events, int ms)
{
	struct pollfd fd = { .fd = port, .events = (short)events };
	uint32_t began;

	if (tracer_patience() == INT32_MAX) {
		sys_poll(&fd, 1, ms);
		return fd.revents;
	}
	began = sys_now_ms();
	do {
		tracer_gather();
		sys_poll(&fd, 1, sooner(ms_until(began, (uint32_t)ms), tracer_patience()));
	} while (!fd.revents && ms_until(began, (uint32_t)ms));
	return fd.revents;
}

static void wait_ms(int ms)
{
	wait_for(-1, 0, ms);
}

static void close_port(struct agent *a)
{
	port_close(a->port);
	a->port = -1;
}

/* Returns how many bytes the port had not taken when it vanished; 0: it took all. */
static size_t write_all(int port, const uint8_t *bytes, size_t size)
{
	while (size) {
		long taken = port_write(port, bytes, size);

		if (taken < 0 || (!taken && wait_for(port, POLLOUT, INT32_MAX) & GONE))
			break;
		bytes += taken;
		size -= (size_t)taken;
	}
	return size;
}

/*
 * Put a frame on the line. A port that vanished is opened again, and gets the
 * whole frame again: its records are no longer in the kernel. Without its
 * closing zero alone it is whole, for the next frame opens with one.
 */
static void transmit(struct agent *a, struct wire_frame *f)
{
	size_t unsent;

	f->sent = ++a->sendings;
	for (;;) {
		while (a->port < 0) {
			a->port = port_open(a->settings.tty, a->settings.baud);
			if (a->port < 0)
				wait_ms(RETRY_MS);
		}
		unsent = write_all(a->port, f->line, f->len);
		if (!unsent)
			break;
		/* With repetition the host gets what the driver has lost, too. */
		a->status.write_errors += !a->session;
		close_port(a);
		if (unsent == 1)
			break;
		wait_ms(RETRY_MS);
	}
	a->last_sent = sys_now_ms();
}

static void repeat(struct agent *a, struct wire_frame *f)
{
	a->status.repeats++;
	transmit(a, f);
}

/* Frames */

static struct wire_frame *kept(struct agent *a, uint16_t seq)
{
	return &a->window[seq % AGENT_WINDOW];
}

static uint16_t count_kept(const struct agent *a)
{
	return a->seq - a->oldest;
}

/* A slow line takes its time to carry what was sent before, and for the answers in between. */
static uint32_t repeat_ms(const struct agent *a)
{
	uint32_t ms = REPEAT_MS;

	for (uint32_t rate = a->settings.baud; rate && rate < REPEAT_BAUD; rate *= 2)
		ms *= 2;
	return ms;
}

static int ms_until_repeat(const struct agent *a)
{
	return count_kept(a) ? ms_until(a->last_sent, repeat_ms(a)) : INT32_MAX;
}

/*
 * Without an answer for so long, the oldest frame is sent once more. The
 * answer to that tells which other frames are missing.
 */
static void repeat_oldest(struct agent *a)
{
	if (!ms_until_repeat(a))
		repeat(a, kept(a, a->oldest));
}

/*
 * The host has all frames before next, and those beyond it whose bit is set, the
 * lowest for next + 1. The line keeps the order of what it carries: a frame is
 * lost if the host has one that was sent after it.
 */
static void take_ack(struct agent *a, uint16_t next, uint32_t beyond)
{
	uint16_t before = next - a->oldest;
	uint32_t last = 0;

	if (before > count_kept(a))
		return;
	for (uint16_t i = 0; i < count_kept(a); i++) {
		struct wire_frame *f = kept(a, a->oldest + i);

		if (i >= before && (i == before || !(beyond >> (i - before - 1) & 1)))
			continue;
		f->len = 0;
		if (last < f->sent)
			last = f->sent;
	}
	a->oldest = next;
	a->last_sent = sys_now_ms();
	for (uint16_t seq = next; seq != a->seq; seq++) {
		struct wire_frame *f = kept(a, seq);

		if (f->len && f->sent < last)
			repeat(a, f);
	}
}

/*
 * The frame that was sent last is still here, though it was meant to be sent
 * once.
 */
static void keep_what_was_sent(struct agent *a)
{
	while (count_kept(a) < AGENT_WINDOW && kept(a, a->oldest - 1)->len)
		wire_repeat(kept(a, --a->oldest));
}

/*
 * Tell the host from where on it gets every frame; it tells what of that it
 * lacks. One that asks again may have been away: what was sent meanwhile, its
 * answer to the oldest frame tells.
 */
static void begin_repetition(struct agent *a)
{
	struct wire_frame begin = { 0 };
	bool again = a->session;

	a->say_begin = false;
	if (!again) {
		a->session = (sys_now_ms() ^ (uint32_t)a->info.boot_id) | 1;
		keep_what_was_sent(a);
	}
	begin.seq = a->oldest;
	wire_begin(&begin, a->session);
	transmit(a, &begin);
	if (again && count_kept(a))
		repeat(a, kept(a, a->oldest));
}

static void obey(struct agent *a, const struct wire_command *command)
{
	switch (command->type) {
	case WIRE_HELLO_PLEASE:
		a->say_hello = true;
		tracer_tell_files(true);
		break;
	case WIRE_EPOCH_LENGTH:
		a->settings.epoch_ms = command->arguments[0];
		break;
	case WIRE_REARM:
		begin_end(a);
		break;
	case WIRE_ACK:
		if (command->arguments[0] == a->session)
			take_ack(a, command->arguments[1], command->arguments[2]);
		break;
	case WIRE_REPEAT_PLEASE:
		a->say_begin = true;
		break;
	case WIRE_TRACE:
		trace(a, command->arguments[0]);
		break;
	}
}

static void listen(struct agent *a)
{
	struct wire_command command;
	uint8_t bytes[256];
	long size = port_read(a->port, bytes, sizeof(bytes));

	/* A port that hung up would wake poll() again at once. */
	if (size < 0)
		close_port(a);
	for (long i = 0; i < size; i++)
		if (wire_receive(&a->receiver, bytes[i], &command))
			obey(a, &command);
	/* Once, however often it was asked for while nobody listened. */
	if (a->say_begin)
		begin_repetition(a);
}

/* The frame to be made next. Waits for the host to have one of those kept. */
static struct wire_frame *next_frame(struct agent *a)
{
	struct wire_frame *f = kept(a, a->seq);
	uint32_t began = sys_now_ms();

	while (count_kept(a) == AGENT_WINDOW) {
		if (wait_for(a->port, POLLIN, ms_until_repeat(a)))
			listen(a);
		repeat_oldest(a);
	}
	a->status.waited += sys_now_ms() - began;
	f->seq = a->seq;
	f->repeated = a->session;
	return f;
}

static void send(struct agent *a)
{
	struct wire_frame *f = kept(a, a->seq++);

	if (!f->repeated)
		a->oldest = a->seq;
	transmit(a, f);
}

/* The tracer */

static void lose_tracer(struct agent *a)
{
	tracer_close(a->tracer);
	a->tracer = -1;
	a->info.volumes = 0;
}

void agent_find_tracer(struct agent *a)
{
	a->info = (struct tinyprof_info){ 0 };
	a->ending = 0;
	a->tracer = tracer_open();
	if (a->tracer < 0)
		return;
	if (tracer_command(a->tracer, TINYPROF_IOC_INFO, &a->info) || a->info.abi != TINYPROF_ABI)
		lose_tracer(a);
	if (a->info.volumes > AGENT_VOLUMES_MAX)
		a->info.volumes = AGENT_VOLUMES_MAX;
	look_at_volumes(a);
}

/* A host knows a file before its pages come. */
static void tell_files(struct agent *a)
{
	struct wire_file file;

	while (tracer_file(&file)) {
		uint32_t told = 0;

		do {
			told += wire_file(next_frame(a), &file, told);
			send(a);
		} while (told < file.path_size);
	}
}

/* Send some of what the kernel has queued. */
static void drain(struct agent *a)
{
	struct tracer_batch batch;
	uint32_t done = 0;
	long size;

	if (!a->more && !a->ending)
		wait_ms(sooner(GATHER_MS, ms_until_epoch_end(a)));
	batch.head.count = 0;
	size = tracer_read(a->tracer, &batch);
	if (size <= 0 && size != -EAGAIN && size != -EINTR)
		lose_tracer(a);
	tell_files(a);
	while (done < batch.head.count) {
		done += wire_pages(next_frame(a), &batch.head, batch.records + done,
				   batch.head.count - done);
		send(a);
	}
	a->more = done == TRACER_BATCH_RECORDS;
	/* So that a phase begins with an epoch. */
	if (done && batch.head.volume == TINYPROF_MARK)
		begin_end(a);
}

/*
 * The files whose processes the next epoch end tells. All are told anew only
 * when the round before is over. Otherwise the last files' turn might never
 * come.
 */
static bool count_processes(struct agent *a, uint32_t index, struct tinyprof_processes *processes)
{
	uint32_t bit = 1u << index;
	uint32_t anew = a->anew & ~a->untold & bit;

	processes->volume = index;
	processes->count = !!anew;
	a->anew &= ~anew;
	if (tracer_command(a->tracer, TINYPROF_IOC_PROCESSES, processes))
		return false;
	a->untold &= ~bit;
	if (processes->count == TINYPROF_PROCESSES_MAX)
		a->untold |= bit;
	return true;
}

/* Before the end of the epoch that they were held in. */
static void tell_mappings(struct agent *a, const struct tinyprof_epoch *end)
{
	size_t count;
	const struct wire_mapping *mappings = tracer_mappings(end->volume, &count);

	for (size_t done = 0; done < count; send(a))
		done += wire_mappings(next_frame(a), end->volume, end->epoch, mappings + done,
				      count - done);
}

/*
 * End the epoch of each volume whose queue is empty: every record of an epoch
 * is on the line before its end is. The others follow when they are drained.
 */
static void end_epochs(struct agent *a)
{
	struct tinyprof_processes processes;
	struct tinyprof_epoch end;
	bool counted;
	long ret;

	for (uint32_t i = 0; i < a->info.volumes; i++) {
		if (!(a->ending >> i & 1))
			continue;
		end.volume = i;
		ret = tracer_command(a->tracer, TINYPROF_IOC_REARM, &end);
		if (ret == -EAGAIN)
			continue;
		a->ending &= ~(1u << i);
		/* Epoch 0: this volume could not be started. */
		if (ret || !end.epoch)
			continue;
		for (int kind = 0; kind < TINYPROF_KINDS; kind++)
			a->ended += end.records[kind];
		tell_mappings(a, &end);
		counted = count_processes(a, i, &processes);
		wire_epoch_end(next_frame(a), &end, a->ended, counted ? &processes : NULL);
		send(a);
	}
	if (!a->ending)
		a->epoch_began = sys_now_ms();
	/* For a host that only listens. */
	tracer_tell_files(false);
	tell_files(a);
}

/* Messages */

/* One hello after the other until every volume is named; always at least one. */
static void say_hello(struct agent *a)
{
	struct tinyprof_volume volumes[WIRE_VOLUMES_MAX];
	struct wire_hello hello = {
		.agent = AGENT_VERSION,
		.volumes = volumes,
		.window = AGENT_WINDOW,
	};
	struct new_utsname uts;
	uint32_t next = 0;
	bool said = false;

	if (a->tracer < 0)
		agent_find_tracer(a);
	sys_uname(&uts);
	hello.kernel = uts.release;
	hello.arch = uts.machine;
	hello.epoch_ms = a->settings.epoch_ms;
	hello.tracer = a->info;
	hello.source = tracer_source();
	a->say_hello = false;
	do {
		hello.count = 0;
		while (next < a->info.volumes && hello.count < WIRE_VOLUMES_MAX)
			hello.count += describe(a, next++, &volumes[hello.count]);
		if (said && !hello.count)
			break;
		wire_hello(next_frame(a), &hello);
		send(a);
		said = true;
	} while (next < a->info.volumes);
	a->said_hello = sys_now_ms();
	/* A host that has only now begun to listen is told everything. */
	a->anew = UINT32_MAX;
}

static void say_status(struct agent *a)
{
	a->status.ms = sys_now_ms();
	look_at_volumes(a);
	a->status.has_events = tracer_source() && tracer_source()->tracer == WIRE_EVENTS;
	a->status.lost = tracer_lost();
	wire_status(next_frame(a), &a->status);
	send(a);
	a->said_status = a->status.ms;
}

/* What is due */

static int ms_until_hello(const struct agent *a)
{
	if (a->say_hello)
		return 0;
	return ms_until(a->said_hello, a->tracer < 0 ? LOOK_MS : HELLO_MS);
}

static int ms_until_due(const struct agent *a)
{
	int ms = sooner(ms_until_hello(a), ms_until_repeat(a));

	if (a->tracer < 0)
		return ms;
	return sooner(ms, sooner(ms_until(a->said_status, STATUS_MS), ms_until_epoch_end(a)));
}

_Noreturn void agent_run(struct agent *a)
{
	a->say_hello = true;
	a->epoch_began = sys_now_ms();
	if (a->settings.wait)
		begin_repetition(a);
	for (;;) {
		/* poll() passes over a negative descriptor. */
		struct pollfd events[] = {
			{ .fd = a->port, .events = POLLIN },
			{ .fd = a->tracer, .events = POLLIN },
		};

		sys_poll(events, 2, sooner(ms_until_due(a), tracer_patience()));
		if (events[0].revents)
			listen(a);
		repeat_oldest(a);
		if (!ms_until_hello(a))
			say_hello(a);
		if (a->tracer < 0)
			continue;
		if (tracer_gather() || events[1].revents)
			drain(a);
		if (!a->ending && !ms_until_epoch_end(a))
			begin_end(a);
		if (a->ending)
			end_epochs(a);
		if (!ms_until(a->said_status, STATUS_MS))
			say_status(a);
	}
}
