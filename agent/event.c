// SPDX-License-Identifier: MIT
#include "event.h"

#define PAGE_OF(address)	((unsigned long)((address) >> EVENT_PAGE_SHIFT))
#define MINOR_BITS		20

/* The layout behind a record's header, all of it multiples of 8 bytes long. */
struct sample {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time;
	uint64_t address;
	uint32_t raw_size;		/* from here on with raw data alone */
	uint8_t raw[];
};

struct mapping_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct task_record {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

/* Behind every record but a sample. */
struct sample_id {
	uint32_t pid, tid;
	uint64_t time;
};

#define RECORD_EXEC	(1 << 13)	/* PERF_RECORD_MISC_COMM_EXEC */
#define PROT_WRITE	2		/* <asm/mman.h> has functions' names besides */
#define PROT_EXEC	4
#define MAP_SHARED	1		/* also of MAP_SHARED_VALIDATE; not of MAP_PRIVATE */

/* Text */

/* The text behind prefix in text, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return NULL;
	return text;
}

static const char *find(const char *text, const char *wanted)
{
	for (; *text; text++) {
		const char *found = behind(text, wanted);

		if (found)
			return found;
	}
	return NULL;
}

/* Reads digits and what ends them; NULL: there are none, or something else ends them. */
static const char *number(const char *text, unsigned int base, char end, uint64_t *value)
{
	const char *at = text;

	*value = 0;
	for (;; at++) {
		unsigned int digit = (unsigned char)*at - '0';

		if (digit > 9)
			digit = ((unsigned char)*at | 0x20) - 'a' + 10;
		if (digit >= base)
			break;
		*value = *value * base + digit;
	}
	return at > text && *at == end ? at + 1 : NULL;
}

static uint16_t field(const char *format, const char *name)
{
	uint64_t offset;

	format = find(format, name);
	if (!format || !number(format, 10, ';', &offset) || offset > UINT16_MAX)
		return 0;
	return (uint16_t)offset;
}

bool event_fields(struct event_fields *fields, const char *format)
{
	fields->inode = field(format, " i_ino;\toffset:");
	fields->index = field(format, " index;\toffset:");
	fields->device = field(format, " s_dev;\toffset:");
	fields->order = field(format, " order;\toffset:");
	return fields->inode && fields->index && fields->device;
}

/* Records */

size_t event_time_at(const struct perf_event_header *header)
{
	size_t least = header->type == PERF_RECORD_SAMPLE ?
		offsetof(struct sample, raw_size) : sizeof(*header) + sizeof(struct sample_id);

	if (header->size < least)
		return 0;
	return header->type == PERF_RECORD_SAMPLE ?
		offsetof(struct sample, time) : header->size - sizeof(uint64_t);
}

static unsigned long word_at(const uint8_t *raw, uint16_t offset)
{
	unsigned long value = 0;
	uint8_t *to = (uint8_t *)&value;

	for (size_t i = 0; i < sizeof(value); i++)
		to[i] = raw[offset + i];
	return value;
}

static void read_cached(struct event *e, const struct sample *sample, size_t size,
			const struct event_fields *fields)
{
	size_t raw = size - offsetof(struct sample, raw);
	uint32_t device;

	if (!fields->inode || fields->inode + sizeof(long) > raw ||
	    fields->index + sizeof(long) > raw || fields->device + sizeof(device) > raw ||
	    fields->order >= raw)
		return;
	e->type = EVENT_CACHED;
	e->inode = word_at(sample->raw, fields->inode);
	e->offset = (uint32_t)word_at(sample->raw, fields->index);
	for (size_t i = 0; i < sizeof(device); i++)
		((uint8_t *)&device)[i] = sample->raw[fields->device + i];
	e->device = device;
	e->pages = 1;
	if (fields->order && sample->raw[fields->order] <= 9)
		e->pages <<= sample->raw[fields->order];
}

static void read_sample(struct event *e, const uint8_t *record, size_t size,
			const struct event_fields *fields)
{
	const struct sample *sample = (const void *)record;

	if (size < offsetof(struct sample, raw_size))
		return;
	e->pid = sample->pid;
	e->tid = sample->tid;
	e->page = PAGE_OF(sample->address);
	if (size == offsetof(struct sample, raw_size))
		e->type = EVENT_TOUCH;
	else if (size > offsetof(struct sample, raw))
		read_cached(e, sample, size, fields);
}

static void read_mapping(struct event *e, const uint8_t *record, size_t size)
{
	const struct mapping_record *map = (const void *)record;
	size_t end;

	if (size < sizeof(*map) + sizeof(struct sample_id) + 1)
		return;
	for (end = size - sizeof(*map) - sizeof(struct sample_id); map->path[end - 1];)
		if (!--end)
			return;
	e->type = EVENT_MAP;
	e->pid = map->pid;
	e->page = PAGE_OF(map->address);
	e->pages = PAGE_OF(map->length);
	e->device = map->major << MINOR_BITS | map->minor;
	e->inode = map->inode;
	e->generation = (uint32_t)map->generation;
	e->offset = (uint32_t)PAGE_OF(map->offset);
	e->executable = map->protection & PROT_EXEC;
	e->writable = map->protection & PROT_WRITE;
	e->shared = map->flags & MAP_SHARED;
	e->path = map->path;
}

static void read_task(struct event *e, const uint8_t *record, size_t size, enum event_type type)
{
	const struct task_record *task = (const void *)record;

	if (size < sizeof(*task))
		return;
	e->type = type;
	e->pid = task->pid;
	e->tid = task->tid;
	e->parent = task->parent;
}

void event_read(struct event *e, const uint8_t *record, size_t size,
		const struct event_fields *fields)
{
	const struct perf_event_header *header = (const void *)record;
	const struct lost_record *lost = (const void *)record;

	*e = (struct event){ .type = EVENT_NONE };
	switch (header->type) {
	case PERF_RECORD_SAMPLE:
		read_sample(e, record, size, fields);
		break;
	case PERF_RECORD_MMAP2:
		read_mapping(e, record, size);
		break;
	case PERF_RECORD_FORK:
		read_task(e, record, size, EVENT_FORK);
		break;
	case PERF_RECORD_EXIT:
		read_task(e, record, size, EVENT_EXIT);
		break;
	case PERF_RECORD_COMM:
		if (!(header->misc & RECORD_EXEC) || size < sizeof(struct comm_record))
			break;
		e->type = EVENT_EXEC;
		e->pid = ((const struct comm_record *)record)->pid;
		break;
	case PERF_RECORD_LOST:
		if (size < sizeof(*lost))
			break;
		e->type = EVENT_LOST;
		e->lost = (uint32_t)lost->lost;
		break;
	}
}

void event_from_maps(struct event *e, uint32_t pid, const char *line)
{
	uint64_t begin, end, offset, major, minor;

	*e = (struct event){ .type = EVENT_NONE, .pid = pid };
	line = number(line, 16, '-', &begin);
	line = line ? number(line, 16, ' ', &end) : NULL;
	/* Four letters: "rwxp". */
	for (int i = 0; line && i < 4; i++)
		line = line[i] ? line : NULL;
	if (!line || line[4] != ' ')
		return;
	e->writable = line[1] == 'w';
	e->executable = line[2] == 'x';
	e->shared = line[3] == 's';
	line = number(line + 5, 16, ' ', &offset);
	line = line ? number(line, 16, ':', &major) : NULL;
	line = line ? number(line, 16, ' ', &minor) : NULL;
	line = line ? number(line, 10, ' ', &e->inode) : NULL;
	if (!line || end < begin)
		return;
	while (*line == ' ')
		line++;
	e->page = PAGE_OF(begin);
	e->pages = PAGE_OF(end - begin);
	e->offset = (uint32_t)PAGE_OF(offset);
	e->device = (uint32_t)(major << MINOR_BITS | minor);
	e->path = line;
	e->type = EVENT_MAP;
}
