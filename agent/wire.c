// SPDX-License-Identifier: MIT
#include "crc32.h"
#include "msgpack.h"
#include "wire.h"

enum {
	HELLO = 1,
	PAGES = 2,
	EPOCH_END = 3,
	STATUS = 4,
	BEGIN = 5,
	FILE = 6,
	MAPPINGS = 7,
};

/* The most that msgpack takes for each. */
#define UINT_MAX_SIZE		5
#define STR_MAX_SIZE		(1 + MSGPACK_STR_MAX)
#define NAME_MAX_SIZE		(1 + 16)
#define BOOT_ID_SIZE		(2 + 8)
#define HEAD_MAX_SIZE		(1 + 1 + 3)
#define VOLUME_MAX_SIZE		(1 + 7 * UINT_MAX_SIZE + NAME_MAX_SIZE)
#define SOURCE_SIZE		(1 + 5)	/* numbers below 128 */
#define BIN_HEAD_SIZE		2

_Static_assert(HEAD_MAX_SIZE + 1 + 3 * STR_MAX_SIZE + 3 + BOOT_ID_SIZE +
	       2 * UINT_MAX_SIZE + 1 + WIRE_VOLUMES_MAX * VOLUME_MAX_SIZE + 1 + SOURCE_SIZE <=
	       WIRE_BODY_MAX, "every hello fits one frame");

_Static_assert(HEAD_MAX_SIZE + 4 * UINT_MAX_SIZE + 1 + TINYPROF_KINDS * UINT_MAX_SIZE +
	       MSGPACK_ARRAY_SIZE + 2 * TINYPROF_PROCESSES_MAX * UINT_MAX_SIZE <=
	       WIRE_BODY_MAX, "every epoch end fits one frame");

static struct msgpack_writer begin(struct wire_frame *f, uint32_t type,
				   uint32_t elements)
{
	struct msgpack_writer w = {
		.at = f->line + 2,
		.end = f->line + 2 + WIRE_BODY_MAX,
	};

	msgpack_array(&w, 2 + elements);
	msgpack_uint(&w, f->repeated ? type + WIRE_REPEATED : type);
	msgpack_uint(&w, f->seq);
	return w;
}

/* Frames the body that stands at line + 2 and ends at end. */
static void finish_at(struct wire_frame *f, uint8_t *end)
{
	uint8_t *body = f->line + 2;
	uint32_t crc = crc32(body, end - body);
	int i;

	for (i = 0; i < WIRE_CRC_SIZE; i++)
		*end++ = crc >> (8 * i);
	cobs_encode(f->line + 1, end - body);
	f->line[0] = 0;
	*end++ = 0;
	f->len = end - f->line;
}

static void finish(struct wire_frame *f, const struct msgpack_writer *w)
{
	finish_at(f, w->at);
}

void wire_repeat(struct wire_frame *f)
{
	uint8_t *line = f->line;
	size_t i = cobs_decode(line + 1, f->len - 2);
	uint8_t *end = line + 2 + i - WIRE_CRC_SIZE;

	for (; i; i--)
		line[i + 1] = line[i];
	/* The head of the array is one byte, and so is every type. */
	line[3] += WIRE_REPEATED;
	f->repeated = true;
	finish_at(f, end);
}

static void put_volume(struct msgpack_writer *w,
		       const struct tinyprof_volume *v)
{
	msgpack_array(w, 8);
	msgpack_uint(w, v->volume);
	msgpack_uint(w, v->crc);
	msgpack_uint(w, v->edition);
	msgpack_uint(w, v->blocks);
	msgpack_uint(w, v->files);
	msgpack_uint(w, v->size);
	msgpack_str(w, (const char *)v->name, sizeof(v->name));
	msgpack_uint(w, v->flags);
}

void wire_hello(struct wire_frame *f, const struct wire_hello *hello)
{
	struct msgpack_writer w = begin(f, HELLO, ALL_SOURCES && hello->source ? 11 : 10);
	size_t i;

	msgpack_uint(&w, WIRE_PROTOCOL);
	msgpack_str(&w, hello->agent, MSGPACK_STR_MAX);
	msgpack_str(&w, hello->kernel, MSGPACK_STR_MAX);
	msgpack_str(&w, hello->arch, MSGPACK_STR_MAX);
	msgpack_uint(&w, WIRE_PAGE_SIZE);
	msgpack_bin(&w, &hello->tracer.boot_id, sizeof(hello->tracer.boot_id));
	msgpack_uint(&w, hello->epoch_ms);
	msgpack_uint(&w, hello->tracer.abi);
	msgpack_array(&w, hello->count);
	for (i = 0; i < hello->count; i++)
		put_volume(&w, &hello->volumes[i]);
	msgpack_uint(&w, hello->window);
	if (ALL_SOURCES && hello->source) {
		msgpack_array(&w, 5);
		msgpack_uint(&w, hello->source->tracer);
		msgpack_uint(&w, hello->source->rearm);
		msgpack_uint(&w, hello->source->around);
		msgpack_uint(&w, hello->source->kinds);
		msgpack_uint(&w, hello->source->late);
	}
	finish(f, &w);
}

/*
 * Recent places. A record is told by its distance from one of them: from the
 * first place if that is near, else from the nearest.
 */
#define PLACES			4
#define NEAR_MIN		(-128)
#define NEAR_MAX		255

static uint32_t how_far(uint32_t id, uint32_t place)
{
	return id < place ? place - id : id - place;
}

static bool is_near(uint32_t id, uint32_t place)
{
	return id - place - NEAR_MIN <= NEAR_MAX - NEAR_MIN;
}

static int nearest(const uint32_t *places, uint32_t id)
{
	int best = 0;
	int i;

	for (i = 1; i < PLACES && !is_near(id, places[0]); i++)
		if (how_far(id, places[i]) < how_far(id, places[best]))
			best = i;
	return best;
}

static void put_in_front(uint32_t *places, int from, uint32_t id)
{
	for (; from; from--)
		places[from] = places[from - 1];
	places[0] = id;
}

/* Returns how many elements it took to tell the touch, 0 if they do not fit. */
static uint32_t put_touch(struct msgpack_writer *w, uint32_t *places,
			  uint32_t id, int kind)
{
	static const uint8_t markers[PLACES] = {
		0, MSGPACK_NIL, MSGPACK_FALSE, MSGPACK_TRUE,
	};
	int i = nearest(places, id);
	uint32_t place = places[i];
	uint32_t elements = i ? 2 : 1;
	uint8_t *before = w->at;

	if ((i && !msgpack_constant(w, markers[i])) ||
	    (kind && !(msgpack_array(w, 2) && msgpack_uint(w, kind))) ||
	    !msgpack_int(w, (int32_t)(id - place))) {
		w->at = before;
		return 0;
	}
	if (!is_near(id, place)) {
		put_in_front(places, i, place);
		i = PLACES - 1;
	}
	put_in_front(places, i, id);
	return elements;
}

/* Moves a record's touches to w, as many as fit; returns their elements. */
static uint32_t put_record(struct msgpack_writer *w, uint32_t *places,
			   uint32_t *record)
{
	uint32_t elements = 0;
	int kind;

	for (kind = 0; kind < TINYPROF_KINDS; kind++) {
		uint32_t bit = 1u << (TINYPROF_KIND_SHIFT + kind);
		uint32_t n;

		if (!(*record & bit))
			continue;
		n = put_touch(w, places, *record & TINYPROF_PAGE_ID_MASK, kind);
		if (!n)
			break;
		*record &= ~bit;
		elements += n;
	}
	return elements;
}

size_t wire_pages(struct wire_frame *f, const struct tinyprof_batch *batch,
		  uint32_t *records, size_t count)
{
	struct msgpack_writer head = begin(f, PAGES, 4);
	uint32_t places[PLACES] = { 0 };
	struct msgpack_writer w;
	uint32_t elements = 0;
	uint8_t *from;
	size_t done;

	msgpack_uint(&head, batch->volume);
	msgpack_uint(&head, batch->epoch);
	msgpack_uint(&head, batch->ms);

	/* How many elements there are, and so the head's size, shows afterwards. */
	w = head;
	w.at += MSGPACK_ARRAY_SIZE;
	from = w.at;
	for (done = 0; done < count; done++) {
		elements += put_record(&w, places, &records[done]);
		if (records[done] >> TINYPROF_KIND_SHIFT)
			break;
	}
	msgpack_array(&head, elements);
	while (from < w.at)
		*head.at++ = *from++;
	finish(f, &head);
	return done;
}

static void put_processes(struct msgpack_writer *w, const struct tinyprof_processes *p)
{
	uint32_t before = 0;

	msgpack_array(w, 2 * p->count);
	for (uint32_t i = 0; i < p->count; i++) {
		msgpack_int(w, (int32_t)(p->files[i].page_id - before));
		msgpack_uint(w, p->files[i].processes);
		before = p->files[i].page_id;
	}
}

void wire_epoch_end(struct wire_frame *f, const struct tinyprof_epoch *epoch, uint32_t total,
		    const struct tinyprof_processes *processes)
{
	struct msgpack_writer w = begin(f, EPOCH_END, processes ? 6 : 5);
	int kind;

	msgpack_uint(&w, epoch->volume);
	msgpack_uint(&w, epoch->epoch);
	msgpack_uint(&w, epoch->ms);
	msgpack_array(&w, TINYPROF_KINDS);
	for (kind = 0; kind < TINYPROF_KINDS; kind++)
		msgpack_uint(&w, epoch->records[kind]);
	msgpack_uint(&w, total);
	if (processes)
		put_processes(&w, processes);
	finish(f, &w);
}

void wire_status(struct wire_frame *f, const struct wire_status *status)
{
	struct msgpack_writer w = begin(f, STATUS, ALL_SOURCES && status->has_events ? 7 : 6);

	msgpack_uint(&w, status->ms);
	msgpack_uint(&w, status->queued);
	msgpack_uint(&w, status->untraced);
	msgpack_uint(&w, status->write_errors);
	msgpack_uint(&w, status->repeats);
	msgpack_uint(&w, status->waited);
	if (ALL_SOURCES && status->has_events)
		msgpack_uint(&w, status->lost);
	finish(f, &w);
}

uint32_t wire_file(struct wire_frame *f, const struct wire_file *file, uint32_t offset)
{
	struct msgpack_writer w = begin(f, FILE, 9);
	uint32_t size = file->path_size - offset;
	uint32_t room;

	msgpack_uint(&w, file->volume);
	msgpack_uint(&w, file->page_id);
	msgpack_uint(&w, file->pages);
	msgpack_uint(&w, file->size);
	msgpack_uint(&w, file->device);
	msgpack_uint(&w, file->inode);
	msgpack_uint(&w, file->path_size);
	msgpack_uint(&w, offset);
	room = (uint32_t)(w.end - w.at) - BIN_HEAD_SIZE;
	if (size > room)
		size = room;
	msgpack_bin(&w, file->path + offset, size);
	finish(f, &w);
	return size;
}

static bool put_mapping(struct msgpack_writer *w, const struct wire_mapping *m, uint32_t before)
{
	uint8_t *at = w->at;

	if (msgpack_int(w, (int32_t)(m->page_id - before)) && msgpack_uint(w, m->pages) &&
	    msgpack_uint(w, m->processes))
		return true;
	w->at = at;
	return false;
}

size_t wire_mappings(struct wire_frame *f, uint32_t volume, uint32_t epoch,
		     const struct wire_mapping *mappings, size_t count)
{
	struct msgpack_writer head = begin(f, MAPPINGS, 3);
	struct msgpack_writer w;
	uint32_t before = 0;
	uint8_t *from;
	size_t done;

	msgpack_uint(&head, volume);
	msgpack_uint(&head, epoch);
	/* As in wire_pages(). */
	w = head;
	w.at += MSGPACK_ARRAY_SIZE;
	from = w.at;
	for (done = 0; done < count && put_mapping(&w, &mappings[done], before); done++)
		before = mappings[done].page_id;
	msgpack_array(&head, 3 * (uint32_t)done);
	while (from < w.at)
		*head.at++ = *from++;
	finish(f, &head);
	return done;
}

void wire_begin(struct wire_frame *f, uint32_t session)
{
	struct msgpack_writer w = begin(f, BEGIN, 1);

	msgpack_uint(&w, session);
	finish(f, &w);
}

/* The length of the body of a frame that its CRC proves; 0 for any other. */
static size_t checked_body(uint8_t *run, size_t len)
{
	size_t body = cobs_decode(run, len);
	uint32_t crc = 0;
	int i;

	if (body <= WIRE_CRC_SIZE)
		return 0;
	body -= WIRE_CRC_SIZE;
	for (i = WIRE_CRC_SIZE; i--;)
		crc = crc << 8 | run[body + i];
	return crc == crc32(run, body) ? body : 0;
}

static bool parse_command(struct msgpack_reader *r, struct wire_command *c)
{
	/* How many arguments each has, from WIRE_HELLO_PLEASE on. */
	static const uint8_t needed[] = { 0, 1, 0, WIRE_ARGUMENTS_MAX, 0, 1 };
	uint32_t elements, type, seq;
	uint32_t count;

	if (!msgpack_read_array(r, &elements) || !msgpack_read_uint(r, &type) ||
	    !msgpack_read_uint(r, &seq) || seq > UINT16_MAX)
		return false;
	if (type - WIRE_HELLO_PLEASE >= sizeof(needed))
		return false;
	*c = (struct wire_command){ .type = type };
	count = needed[type - WIRE_HELLO_PLEASE];
	for (uint32_t i = 0; i < count; i++)
		if (!msgpack_read_uint(r, &c->arguments[i]))
			return false;
	/* More elements are a later version's, and for its eyes only. */
	return elements > 2 + count || (elements == 2 + count && r->at == r->end);
}

bool wire_receive(struct wire_receiver *r, uint8_t byte,
		  struct wire_command *command)
{
	struct msgpack_reader reader = { .at = r->run };
	size_t len = r->len;

	if (byte) {
		if (len < sizeof(r->run))
			r->run[r->len++] = byte;
		return false;
	}
	r->len = 0;
	if (len == sizeof(r->run))
		return false;
	len = checked_body(r->run, len);
	reader.end = r->run + len;
	return len && parse_command(&reader, command);
}
