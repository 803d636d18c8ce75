// SPDX-License-Identifier: MIT
#include <asm/errno.h>
#include <asm/ioctls.h>

#include "files.h"
#include "nameless.h"
#include "proc.h"
#include "processes.h"
#include "rings.h"
#include "sys.h"
#include "touches.h"
#include "watch.h"

#define PAGES_AT_ONCE	64	/* entries of pagemap */
#define RESIDENT_MAX	65536	/* pages of a file that are looked at: 256 MiB */
#define LAST_MAX	16	/* threads whose last touch is remembered */
#define MTD_BLOCK	31	/* the major number under which a CramFS on an MTD is mounted */
#define ROOM_MIN	64	/* records that an event may make, and to spare */

static struct wire_source source;
static struct tinyprof_epoch epochs[VOLUMES_MAX];	/* the one that runs, or ended */
static struct tinyprof_epoch ends[VOLUMES_MAX];
static uint32_t has_ended;	/* volumes whose end was not asked for yet, a bit each */
static uint32_t epoch;
static bool recording, was_read_back;
static uint32_t lost, untraced, marks, self;
static uint32_t gathered, looked, named;	/* ms */
static uint32_t names_pause;			/* ms between two looks for names */
static bool self_faulted;

/* A first touch of a private mapping that may be written: is it still the file's page? */
static struct doubt {
	unsigned long page;
	uint32_t pid;
	uint32_t faults;
} doubts[WATCH_DOUBTS_MAX];
static uint32_t doubts_used;

/* Touches */

/* The page that each thread faulted on last: its way into the page cache is no read(). */
static struct last {
	uint32_t tid;
	uint16_t file;
	uint32_t page;
} last_touches[LAST_MAX];

static void touch_page(uint8_t volume, uint32_t page_id, int kind)
{
	if (!recording)
		return;
	if (touches_has(volume, page_id, kind))
		return;
	if (touches_add(volume, page_id, kind))
		epochs[volume].records[kind]++;
	else
		untraced++;
}

static uint32_t page_in_file(const struct mapping *m, unsigned long page)
{
	return m->offset + (uint32_t)(page - m->page);
}

static void touch(const struct mapping *m, unsigned long page, int kind)
{
	const struct file *f = files_at(m->file);
	uint32_t index = page_in_file(m, page);

	/* Behind the file's end there is nothing: that access failed. */
	if (index < f->pages)
		touch_page(f->volume, f->page_id + index, kind);
}

static int kind_of(const struct mapping *m)
{
	return m->flags & MAPPING_EXECUTABLE ? TINYPROF_EXEC : TINYPROF_READ;
}

/* Private copies */

/*
 * A page that is a copy by now was either written at once, with one fault, or
 * read first, with two. The same is taken for a page whose mapping or process is
 * gone: most pages of such mappings are written.
 */
static void decide(const struct doubt *d, uint64_t entry)
{
	struct mapping *m = processes_find(d->pid, d->page);
	bool copy = !(entry & PROC_PRESENT) || !(entry & PROC_OF_FILE);

	if (!m || mapping_is_copied(m, d->page))
		return;
	if (copy)
		mapping_set_copied(m, d->page);
	/* Of pages that are not counted singly, an old mapping's are copied already. */
	if (copy && d->page - m->page >= COPIED_PAGES && m->flags & MAPPING_OLD)
		return;
	touch(m, d->page, copy && d->faults == 1 ? TINYPROF_WRITE : kind_of(m));
}

static void decide_all(void)
{
	int pagemap = -1;

	for (uint32_t i = 0; i < doubts_used; i++) {
		const struct doubt *d = &doubts[i];
		uint64_t entry = 0;

		if (!i || d->pid != doubts[i - 1].pid) {
			if (pagemap >= 0)
				sys_close(pagemap);
			pagemap = proc_open(d->pid, "/pagemap", "", O_RDONLY);
		}
		if (pagemap >= 0)
			proc_pages(pagemap, d->page, &entry, 1);
		decide(d, entry);
	}
	if (pagemap >= 0)
		sys_close(pagemap);
	doubts_used = 0;
}

/* Before the mappings of a process change: what is in doubt belongs to them as they were. */
static void decide_for(uint32_t pid)
{
	for (uint32_t i = 0; i < doubts_used; i++)
		if (doubts[i].pid == pid) {
			decide_all();
			return;
		}
}

static void doubt(uint32_t pid, unsigned long page)
{
	for (uint32_t i = doubts_used; i--;) {
		if (doubts[i].pid != pid || doubts[i].page != page)
			continue;
		doubts[i].faults++;
		return;
	}
	if (doubts_used == WATCH_DOUBTS_MAX)
		decide_all();
	doubts[doubts_used++] = (struct doubt){ .pid = pid, .page = page, .faults = 1 };
}

/* Events */

static void take_touch(const struct event *e)
{
	struct mapping *m = processes_find(e->pid, e->page);
	struct last *last = &last_touches[e->tid % LAST_MAX];

	*last = (struct last){ .tid = e->tid };
	if (!m)
		return;
	self_faulted |= e->pid == self && !(m->flags & MAPPING_COPIES);
	last->file = m->file;
	last->page = page_in_file(m, e->page);
	if (!(m->flags & MAPPING_COPIES))
		touch(m, e->page, kind_of(m));
	else if (!mapping_is_copied(m, e->page))
		doubt(e->pid, e->page);
}

/* What a fault brings into the page cache is a touch already, as far as it is one. */
static bool is_of_fault(const struct event *e, uint16_t file, bool is_exact)
{
	const struct last *last = &last_touches[e->tid % LAST_MAX];

	if (last->tid != e->tid || !last->file)
		return false;
	if (is_exact)
		return files_at(last->file)->inode == e->inode && last->page == e->offset;
	return last->file == file;
}

static void take_cached_cramfs(const struct event *e, uint32_t volume)
{
	/* One that is on no MTD reads ahead. */
	if (is_of_fault(e, files_find(e->device, e->inode, 0), e->device >> 20 == MTD_BLOCK))
		return;
	for (uint32_t i = 0; i < e->pages; i++)
		touch_page((uint8_t)volume, (uint32_t)(e->inode >> 2) + e->offset + i, TINYPROF_FILE);
}

/*
 * Other file systems read ahead, a squashfs by whole blocks. So the page cache says
 * little about the pages of a program, and its mappings say all, but for the first:
 * the kernel and the loader read() it before they map. The pages of a file that is
 * only read are those that came.
 */
static void touch_read(uint16_t file, const struct event *e)
{
	const struct file *f = files_at(file);
	uint32_t end = f->was_mapped && f->pages ? 1 : f->pages;

	if (!file || is_of_fault(e, file, false))
		return;
	for (uint32_t i = 0; i < e->pages && e->offset + i < end; i++)
		touch_page(f->volume, f->page_id + e->offset + i, TINYPROF_FILE);
}

static void take_cached(const struct event *e)
{
	uint16_t file = files_find(e->device, e->inode, 0);
	uint32_t volume;

	if (files_cramfs(e->device, &volume))
		take_cached_cramfs(e, volume);
	else if (file)
		touch_read(file, e);
	else if (recording && e->pid != self && files_has_other(e->device) && !nameless_add(e))
		untraced += (uint32_t)e->pages;
}

/*
 * A file that was read has its name now. Files that are only read leave half of the
 * room to programs.
 */
static void take_named(const struct event *e)
{
	uint16_t file = files_find(e->device, e->inode, 0);
	bool room = files_count() < FILES_MAX / 2;

	if (!file && room)
		file = files_of(e, &room);
	if (file)
		touch_read(file, e);
	else if (!room)
		untraced += (uint32_t)e->pages;
}

static void find_names(bool all)
{
	uint32_t cut = nameless_find(take_named, all);

	untraced += cut;
	/* A tree that is too large is not walked through all the time. */
	if (!cut)
		names_pause = WATCH_NAMES_MS;
	else if (names_pause < WATCH_NAMES_MAX_MS)
		names_pause *= 2;
	named = sys_now_ms();
}

static void take_mapping(const struct event *e)
{
	bool room = true;
	struct mapping m = {
		.page = e->page,
		.pages = e->pages,
		.offset = e->offset,
		.file = files_of(e, &room),
	};

	if (e->executable)
		m.flags |= MAPPING_EXECUTABLE;
	if (e->writable)
		m.flags |= MAPPING_WRITABLE;
	if (e->writable && !e->shared)
		m.flags |= MAPPING_COPIES;
	files_at(m.file)->was_mapped = true;
	decide_for(e->pid);
	untraced += !processes_map(e->pid, &m) || !room;
}

static void take(struct event *e)
{
	switch (e->type) {
	case EVENT_TOUCH:
		take_touch(e);
		break;
	case EVENT_CACHED:
		take_cached(e);
		break;
	case EVENT_MAP:
		take_mapping(e);
		break;
	case EVENT_FORK:
		decide_for(e->parent);
		untraced += !processes_fork(e->pid, e->parent);
		break;
	case EVENT_EXEC:
		decide_for(e->pid);
		processes_exec(e->pid);
		break;
	case EVENT_EXIT:
		decide_for(e->pid);
		processes_exit(e->pid);
		break;
	case EVENT_LOST:
		lost += e->lost;
		break;
	case EVENT_NONE:
		break;
	}
}

static void gather_events(void)
{
	struct event e;

	rings_look();
	while (touches_room() > ROOM_MIN && rings_next(&e))
		take(&e);
	decide_all();
}

/* The processes as they are */

/* What is done with each page of a file that a process has an entry for. */
enum look {
	TOUCH_PRESENT,
	TOUCH_ACCESSED,
};

static bool was_touched(const struct file *f, uint32_t page_id)
{
	for (int kind = TINYPROF_EXEC; kind < TINYPROF_FILE; kind++)
		if (touches_has(f->volume, page_id, kind))
			return true;
	return false;
}

/*
 * The flag is of the page, not of a mapping, so a page counts for each mapping
 * that has it. It is made idle at once: an access in between would be lost. The
 * mappings that come later see that it was touched in this epoch.
 */
static void look_at_page(const struct mapping *m, unsigned long page, uint64_t frame,
			 enum look look)
{
	const struct file *f = files_at(m->file);
	bool touched = look == TOUCH_PRESENT;

	if (look == TOUCH_ACCESSED) {
		touched = proc_is_accessed(frame);
		if (touched)
			proc_make_idle(frame);
		else
			touched = was_touched(f, f->page_id + page_in_file(m, page));
	}
	if (touched)
		touch(m, page, kind_of(m));
}

static void look_at_pages(int pagemap, const struct mapping *m, enum look look)
{
	uint64_t entries[PAGES_AT_ONCE];
	uint32_t count;

	for (unsigned long done = 0; done < m->pages; done += count) {
		unsigned long left = m->pages - done;

		count = proc_pages(pagemap, m->page + done, entries,
				   left < PAGES_AT_ONCE ? (uint32_t)left : PAGES_AT_ONCE);
		if (!count)
			return;
		for (uint32_t i = 0; i < count; i++)
			if (entries[i] & PROC_PRESENT && entries[i] & PROC_OF_FILE)
				look_at_page(m, m->page + done + i, entries[i] & PROC_FRAME, look);
	}
}

static void look_at_process(const struct process *p, enum look look)
{
	int pagemap = proc_open(p->pid, "/pagemap", "", O_RDONLY);

	if (pagemap < 0)
		return;
	for (struct mapping *m = process_mapping(p, NULL); m; m = process_mapping(p, m))
		look_at_pages(pagemap, m, look);
	sys_close(pagemap);
	if (look == TOUCH_ACCESSED)
		proc_flush(p->pid);
}

static void scan(uint32_t pid)
{
	source.late |= !epoch && pid != self && pid != 1;
	proc_maps(pid, take);
	processes_set_threads(pid, proc_threads(pid));
}

static void look_at_all(enum look look)
{
	for (struct process *p = processes_next(NULL); p; p = processes_next(p))
		look_at_process(p, look);
}

/* Residency */

static void look_at_file(const struct process *p, const struct mapping *m)
{
	static uint8_t resident[RESIDENT_MAX];
	struct file *f = files_at(m->file);
	uint32_t pages = f->pages < RESIDENT_MAX ? f->pages : RESIDENT_MAX;
	int fd = proc_open(p->pid, "/root", files_path(f), O_RDONLY | O_NONBLOCK);
	void *at = fd < 0 ? NULL : sys_map(fd, (size_t)pages * WIRE_PAGE_SIZE, false);

	if (fd >= 0)
		sys_close(fd);
	if (!at)
		return;
	if (!sys_residency(at, (size_t)pages * WIRE_PAGE_SIZE, resident))
		for (uint32_t i = 0; i < pages; i++)
			if (resident[i] & 1)
				touch_page(f->volume, f->page_id + i, TINYPROF_READ);
	sys_unmap(at, (size_t)pages * WIRE_PAGE_SIZE);
}

static void look_at_files(void)
{
	processes_reset();
	proc_each(scan);
	for (uint32_t i = 1; i <= files_count(); i++)
		files_at((uint16_t)i)->mapped = 0;
	for (struct process *p = processes_next(NULL); p; p = processes_next(p))
		for (struct mapping *m = process_mapping(p, NULL); m; m = process_mapping(p, m))
			if (!files_at(m->file)->mapped++)
				look_at_file(p, m);
	looked = sys_now_ms();
}

/* Counts, for each file, the processes that map its page 0. */
static void count_processes(void)
{
	for (uint32_t i = 1; i <= files_count(); i++) {
		files_at((uint16_t)i)->mapped = 0;
		files_at((uint16_t)i)->mapped_by = 0;
	}
	for (struct process *p = processes_next(NULL); p; p = processes_next(p))
		for (struct mapping *m = process_mapping(p, NULL); m; m = process_mapping(p, m)) {
			struct file *f = files_at(m->file);

			m->flags |= MAPPING_OLD;
			/* Text and data of a small program both begin with page 0. */
			if (m->offset || f->mapped_by == p->pid)
				continue;
			f->mapped_by = p->pid;
			if (++f->mapped > f->most)
				f->most = f->mapped;
		}
}

/* Epochs */

/*
 * Until a page is to be seen again, what is mapped around others does not
 * matter: whoever touched it first was seen.
 */
static void make_all_old(void)
{
	if (source.rearm != WIRE_NEVER)
		proc_set_fault_around(true);
	if (source.rearm != WIRE_CLEAR_REFS)
		return;
	for (struct process *p = processes_next(NULL); p; p = processes_next(p))
		proc_make_old(p->pid);
}

/* One epoch for all volumes: the entries of a process are of all of them. */
static void end_epoch(void)
{
	count_processes();
	for (uint32_t i = 0; i < VOLUMES_MAX; i++) {
		ends[i] = epochs[i];
		ends[i].volume = i;
		ends[i].epoch = epoch;
		ends[i].ms = sys_now_ms();
		epochs[i] = (struct tinyprof_epoch){ 0 };
		has_ended |= 1u << i;
	}
	epoch++;
	touches_end_epoch();
	make_all_old();
}

/* EAGAIN while records wait, as the kernel's own part has it. */
static long rearm(struct tinyprof_epoch *end)
{
	uint32_t volume = end->volume;
	uint32_t bit = 1u << volume;

	watch_gather();
	if (!files_volume(volume)) {
		has_ended &= ~bit;
		return -ENOENT;
	}
	if (!(has_ended & bit)) {
		if (source.rearm == WIRE_READ_BACK && recording && !was_read_back)
			look_at_all(TOUCH_ACCESSED);
		was_read_back = true;
		if (touches_waiting())
			return -EAGAIN;
		was_read_back = false;
		end_epoch();
	}
	has_ended &= ~bit;
	*end = ends[volume];
	return 0;
}

static long record(bool on)
{
	if (on == recording)
		return 0;
	/* What was touched until now belongs to what was wanted until now. */
	if (source.tracer == WIRE_EVENTS) {
		gather_events();
		find_names(true);
		rings_tell_touches(on);
	}
	if (source.rearm == WIRE_READ_BACK)
		look_at_all(TOUCH_ACCESSED);
	if (on)
		make_all_old();
	else
		proc_set_fault_around(false);
	recording = on;
	return 0;
}

/* Commands */

static long describe(struct tinyprof_volume *to)
{
	uint32_t index = to->volume;
	const struct tinyprof_volume *v = files_volume(index);

	if (!v)
		return -ENOENT;
	*to = *v;
	to->volume = index;
	to->flags |= recording ? TINYPROF_RECORDING : 0;
	to->epoch = epoch;
	to->queued = index ? 0 : touches_waiting();
	to->untraced = index ? 0 : untraced;
	return 0;
}

static long tell_processes(struct tinyprof_processes *to)
{
	bool anew = to->count;

	to->count = 0;
	for (uint32_t i = 1; i <= files_count(); i++) {
		struct file *f = files_at((uint16_t)i);

		if (f->volume != to->volume)
			continue;
		if (anew)
			f->most_told = 1;
		if (f->most < 2 || f->most <= f->most_told || to->count == TINYPROF_PROCESSES_MAX)
			continue;
		f->most_told = f->most;
		to->files[to->count].page_id = f->page_id;
		to->files[to->count++].processes = f->most;
	}
	return 0;
}

long watch_command(unsigned int command, void *argument)
{
	switch (command) {
	case TINYPROF_IOC_INFO:
		proc_inform(argument, VOLUMES_MAX);
		return 0;
	case TINYPROF_IOC_VOLUME:
		return describe(argument);
	case TINYPROF_IOC_START:
	case TINYPROF_IOC_STOP:
		return record(command == TINYPROF_IOC_START);
	case TINYPROF_IOC_REARM:
		return rearm(argument);
	case TINYPROF_IOC_PROCESSES:
		return tell_processes(argument);
	}
	return -ENOTTY;
}

/* Records */

long watch_read(struct tracer_batch *batch)
{
	watch_gather();
	batch->head.epoch = epoch;
	batch->head.ms = sys_now_ms();
	batch->head.count = touches_take(batch->records, TRACER_BATCH_RECORDS, &batch->head.volume);
	if (batch->head.volume == TOUCHES_MARK) {
		batch->head.volume = TINYPROF_MARK;
		batch->head.epoch = ++marks;
	}
	return batch->head.count ? (long)sizeof(batch->head) : -EAGAIN;
}

/* A new processor's events are opened within a second. */
static void look_for_processors(void)
{
	if (sys_now_ms() - looked < WATCH_PROCESSORS_MS)
		return;
	looked = sys_now_ms();
	rings_open(NULL, 0);
	rings_tell_touches(recording);
}

static void look_for_names(void)
{
	if (nameless_waiting() && sys_now_ms() - named >= names_pause && touches_room() > ROOM_MIN)
		find_names(false);
}

bool watch_gather(void)
{
	char mark[TINYPROF_MARK_MAX];
	size_t size;

	gathered = sys_now_ms();
	if (source.tracer == WIRE_EVENTS) {
		look_for_processors();
		gather_events();
		look_for_names();
	} else if (gathered - looked >= WATCH_LOOK_MS && recording) {
		look_at_files();
	}
	while (touches_room() > ROOM_MIN && (size = proc_mark(mark, sizeof(mark))))
		touches_mark(mark, size);
	if (sys_was_told_to_end()) {
		record(false);
		sys_exit(0);
	}
	return touches_waiting();
}

int watch_patience(void)
{
	uint32_t gone = sys_now_ms() - gathered;

	return gone < WATCH_GATHER_MS ? (int)(WATCH_GATHER_MS - gone) : 0;
}

/* Opening */

/*
 * Whether an old entry faults. The entries of this program are made old, and it
 * goes on running.
 */
static uint32_t find_rearm(void)
{
	if (source.tracer != WIRE_EVENTS)
		return WIRE_NEVER;
	if (proc_make_old(self))
		return proc_tracks_idle() ? WIRE_READ_BACK : WIRE_NEVER;
	self_faulted = false;
	gather_events();
	if (self_faulted)
		return WIRE_CLEAR_REFS;
	return proc_tracks_idle() ? WIRE_READ_BACK : WIRE_NEVER;
}

/* Pages larger than those of the wire would be told as others. mincore() wants whole ones. */
static bool has_larger_pages(void)
{
	int fd = proc_open(self, "/exe", "", O_RDONLY);
	uint8_t *at = fd < 0 ? NULL : sys_map(fd, 2ul * WIRE_PAGE_SIZE, false);
	uint8_t resident;
	bool larger;

	if (fd >= 0)
		sys_close(fd);
	if (!at)
		return false;
	larger = sys_residency(at + WIRE_PAGE_SIZE, WIRE_PAGE_SIZE, &resident) == -EINVAL;
	sys_unmap(at, 2ul * WIRE_PAGE_SIZE);
	return larger;
}

int watch_open(enum watch_choice choice, uint32_t ring_kib, bool from_start)
{
	struct proc_tracepoint point;
	int fd;

	files_reset();
	processes_reset();
	nameless_reset();
	touches_reset();
	sys_hold_signals();
	proc_mount(&point);
	self = (uint32_t)sys_getpid();
	if (has_larger_pages())
		return -ENODEV;
	source = (struct wire_source){ 0 };
	epoch = 0;
	fd = choice == WATCH_RESIDENCY ? -ENODEV : rings_open(&point, ring_kib);
	source.tracer = fd >= 0 ? WIRE_EVENTS : WIRE_RESIDENCY;
	if (fd < 0 && choice != WATCH_EVENTS)
		fd = rings_none();
	else if (fd >= 0)
		source.kinds = 1 << TINYPROF_EXEC | 1 << TINYPROF_READ | 1 << TINYPROF_WRITE |
			       (point.id ? 1 << TINYPROF_FILE : 0);
	if (fd < 0)
		return fd;
	record(true);
	gather_events();
	proc_each(scan);
	source.rearm = find_rearm();
	look_at_all(TOUCH_PRESENT);
	source.around = proc_fault_around();
	/*
	 * It will be off from the first epoch's end on, where that can be done. Where
	 * flags are read back, an entry has to say that its mapping touched the page.
	 */
	if (source.rearm != WIRE_NEVER && proc_set_fault_around(source.rearm == WIRE_READ_BACK))
		source.around = EVENT_PAGE_SHIFT;
	source.late &= !from_start;
	epoch = 1;
	return fd;
}

void watch_close(void)
{
	record(false);
	rings_close();
}

/* What the host is told */

const struct wire_source *watch_source(void)
{
	return &source;
}

uint32_t watch_lost(void)
{
	return lost;
}

bool watch_file(struct wire_file *file)
{
	const struct file *f = files_to_tell();

	if (!f)
		return false;
	*file = (struct wire_file){
		.volume = f->volume,
		.page_id = f->page_id,
		.pages = f->pages,
		.size = f->size,
		.device = f->device,
		.inode = (uint32_t)f->inode,
		.path = files_path(f),
		.path_size = f->path_size,
	};
	return true;
}

void watch_tell_files(bool all)
{
	if (all)
		files_tell_anew();
	else
		files_tell_one_anew();
}
