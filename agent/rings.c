// SPDX-License-Identifier: MIT
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/perf_event.h>

#include "rings.h"
#include "sys.h"

#define CLOCK_MONOTONIC_ID	1

enum {
	TASKS,				/* its ring takes the records of the others, too */
	TOUCHES,
	CACHED,
	EVENTS,
};

struct ring {
	int fds[EVENTS];		/* negative, or in a ring without page: not open */
	struct perf_event_mmap_page *page;
	unsigned long tail, head;	/* records from tail to head were looked at */
	uint64_t enabled;		/* ns for which TASKS was enabled, when it was last asked */
};

static struct ring rings[RINGS_MAX];
static uint32_t rings_used;
static size_t ring_size;
static int epoll;
static bool has_epoll;
static uint64_t horizon;		/* events after it may have earlier ones yet to come */
static struct proc_tracepoint point;

/* The kernel counts bytes in 64 bits; a machine's own word is what it computes with. */
static volatile unsigned long *low_word(void *value)
{
	volatile unsigned long *words = value;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return words + sizeof(uint64_t) / sizeof(long) - 1;
#else
	return words;
#endif
}

/* Opening */

static int open_event(int cpu, uint32_t type, uint64_t config)
{
	struct perf_event_attr attributes = {
		.type = type,
		.size = sizeof(attributes),
		.config = config,
		.sample_period = 1,
		.sample_type = EVENT_SAMPLE_TYPE,
		.disabled = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC_ID,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED,
		.watermark = 1,
		.wakeup_watermark = ring_size / 2,
	};

	if (type == PERF_TYPE_TRACEPOINT)
		attributes.sample_type |= PERF_SAMPLE_RAW;
	if (config == PERF_COUNT_SW_DUMMY && type == PERF_TYPE_SOFTWARE) {
		attributes.mmap = 1;
		attributes.mmap2 = 1;
		attributes.mmap_data = 1;
		attributes.comm = 1;
		attributes.comm_exec = 1;
		attributes.task = 1;
	}
	return (int)sys_perf_event(&attributes, cpu);
}

static bool map_ring(struct ring *r)
{
	r->page = sys_map(r->fds[TASKS], RINGS_PAGE + ring_size, true);
	if (!r->page)
		return false;
	/* Where pages are larger, the data is elsewhere, and nothing of this is right. */
	if (r->page->data_offset != RINGS_PAGE) {
		sys_unmap(r->page, RINGS_PAGE + ring_size);
		r->page = NULL;
		return false;
	}
	r->tail = *low_word(&r->page->data_tail);
	r->head = r->tail;
	return true;
}

static void close_ring(struct ring *r)
{
	if (!r->page)
		return;
	sys_unmap(r->page, RINGS_PAGE + ring_size);
	for (int i = 0; i < EVENTS; i++)
		if (r->fds[i] >= 0)
			sys_close(r->fds[i]);
	*r = (struct ring){ 0 };
}

static void add_event(struct ring *r, int which, int fd)
{
	r->fds[which] = fd;
	if (fd >= 0)
		sys_ioctl_number(fd, PERF_EVENT_IOC_SET_OUTPUT, r->fds[TASKS]);
}

static int open_ring(struct ring *r, int cpu)
{
	int fd = open_event(cpu, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);

	if (fd < 0)
		return fd;
	r->fds[TASKS] = fd;
	if (!map_ring(r)) {
		sys_close(fd);
		return -ENOMEM;
	}
	add_event(r, TOUCHES, open_event(cpu, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS));
	add_event(r, CACHED, point.id ? open_event(cpu, PERF_TYPE_TRACEPOINT, point.id) : -1);
	sys_ioctl(fd, PERF_EVENT_IOC_ENABLE, NULL);
	sys_epoll_add(epoll, fd);
	return 0;
}

int rings_none(void)
{
	int ends[2];

	if (has_epoll)
		return epoll;
	epoll = (int)sys_epoll();
	/* Never readable; the rings are looked at by the clock anyway. */
	if (epoll < 0 && !sys_pipe(ends))
		epoll = ends[0];
	has_epoll = epoll >= 0;
	return epoll;
}

static unsigned long written(const struct ring *r)
{
	return __atomic_load_n(low_word(&r->page->data_head), __ATOMIC_ACQUIRE);
}

/*
 * perf_event_exit_cpu() takes the events of a processor that goes offline away
 * from it for good, and so does a suspend. Nobody is told; but the time for which
 * the event is enabled stands still.
 */
static bool has_gone(struct ring *r)
{
	uint64_t counts[2];		/* the event's value, and that time */
	uint64_t before = r->enabled;

	if (sys_read(r->fds[TASKS], counts, sizeof(counts)) != sizeof(counts))
		return true;
	r->enabled = counts[1];
	return r->enabled == before;
}

/* A ring that still has records is closed later. */
static void close_gone(void)
{
	for (uint32_t i = 0; i < rings_used; i++)
		if (rings[i].page && has_gone(&rings[i]) && written(&rings[i]) == rings[i].tail)
			close_ring(&rings[i]);
}

int rings_open(const struct proc_tracepoint *tracepoint, uint32_t kib)
{
	int error = -ENODEV;

	if (tracepoint) {
		point = *tracepoint;
		ring_size = RINGS_PAGE;
		while (ring_size / 1024 <= kib / 2 && ring_size < RINGS_SIZE_MAX)
			ring_size *= 2;
	}
	rings_none();
	/* One processor alone stays. */
	if (rings_used > 1)
		close_gone();
	for (int cpu = 0; cpu < RINGS_MAX; cpu++) {
		struct ring *r = &rings[cpu];
		int ret = r->page ? 0 : open_ring(r, cpu);

		/* Not ENODEV, which is one that sleeps: there are no more. */
		if (ret && ret != -ENODEV) {
			error = cpu ? error : ret;
			break;
		}
		if (ret)
			continue;
		error = 0;
		if (rings_used <= (uint32_t)cpu)
			rings_used = (uint32_t)cpu + 1;
	}
	if (error)
		rings_close();
	return error ? error : epoll;
}

void rings_close(void)
{
	for (uint32_t i = 0; i < rings_used; i++)
		close_ring(&rings[i]);
	rings_used = 0;
	if (has_epoll)
		sys_close(epoll);
	has_epoll = false;
}

void rings_tell_touches(bool on)
{
	unsigned long request = on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;

	for (uint32_t i = 0; i < rings_used; i++)
		for (int which = TOUCHES; which < EVENTS; which++)
			if (rings[i].page && rings[i].fds[which] >= 0)
				sys_ioctl(rings[i].fds[which], request, NULL);
}

/* Reading */

void rings_look(void)
{
	/* With one ring the order is that of the ring. */
	horizon = rings_used > 1 ? sys_monotonic_ns() : UINT64_MAX;
	for (uint32_t i = 0; i < rings_used; i++) {
		struct ring *r = &rings[i];

		if (r->page)
			r->head = written(r);
	}
}

/* Eight bytes that lie behind tail. Records are multiples of 8 bytes long: nothing is cut. */
static const uint64_t *data_at(const struct ring *r, size_t behind)
{
	const uint8_t *data = (const uint8_t *)r->page + RINGS_PAGE;

	return (const void *)(data + ((r->tail + behind) & (ring_size - 1) & ~7ul));
}

/* The size of the record at tail, 0 if there is none. */
static size_t next_size(const struct ring *r)
{
	const struct perf_event_header *header = (const void *)data_at(r, 0);

	if (r->head == r->tail || header->size < sizeof(*header) ||
	    header->size > r->head - r->tail)
		return 0;
	return header->size;
}

static void copy_out(const struct ring *r, uint64_t *to, size_t size)
{
	for (size_t at = 0; at < size; at += sizeof(*to))
		*to++ = *data_at(r, at);
}

static uint64_t time_of(const struct ring *r)
{
	size_t at = event_time_at((const void *)data_at(r, 0));

	return at ? *data_at(r, at) : 0;
}

static struct ring *earliest(size_t *size)
{
	uint64_t first = horizon;
	struct ring *best = NULL;

	for (uint32_t i = 0; i < rings_used; i++) {
		struct ring *r = &rings[i];
		size_t next = r->page ? next_size(r) : 0;
		uint64_t time = next ? time_of(r) : 0;

		if (!next || (best && time >= first) || time >= horizon)
			continue;
		first = time;
		best = r;
		*size = next;
	}
	return best;
}

bool rings_next(struct event *e)
{
	static uint64_t record[EVENT_SIZE_MAX / sizeof(uint64_t)];
	size_t size = 0;
	struct ring *r = earliest(&size);

	if (!r)
		return false;
	e->type = EVENT_NONE;
	if (size <= sizeof(record)) {
		copy_out(r, record, size);
		event_read(e, (const uint8_t *)record, size, &point.fields);
	}
	r->tail += size;
	__atomic_store_n(low_word(&r->page->data_tail), r->tail, __ATOMIC_RELEASE);
	return true;
}
