// SPDX-License-Identifier: MIT
#include <stddef.h>

#include "files.h"
#include "proc.h"

#define BUCKETS		256
#define NO_VOLUME	UINT8_MAX
#define PAGE_SIZE	(1u << EVENT_PAGE_SHIFT)
#define FILE_VOLUME	2		/* flag of a volume in a hello: docs/wire-format.md */

/* Place 0 stays free: it means none. */
static struct file files[FILES_MAX];
static uint16_t buckets[BUCKETS];
static uint16_t files_used;
static char paths[PATHS_SIZE];
static uint32_t paths_used;
static uint32_t next_page_id;
static uint16_t untold;			/* no file before it is to be told */
static uint16_t again;			/* told again last */

static struct device {
	uint32_t device;
	uint8_t volume;
} devices[DEVICES_MAX];
static uint32_t devices_used;

static struct tinyprof_volume volumes[VOLUMES_MAX];
static uint32_t volumes_used;

void files_reset(void)
{
	for (int i = 0; i < BUCKETS; i++)
		buckets[i] = 0;
	files_used = 0;
	for (; paths_used; paths_used--)
		paths[paths_used - 1] = 0;
	next_page_id = 0;
	untold = 1;
	again = 0;
	devices_used = 0;
	volumes_used = 0;
}

/* Volumes */

static uint8_t add_volume(const struct tinyprof_volume *volume)
{
	if (volumes_used == VOLUMES_MAX)
		return NO_VOLUME;
	volumes[volumes_used] = *volume;
	return (uint8_t)volumes_used++;
}

/* The volume of all file systems that are no CramFS. */
static uint8_t file_volume(void)
{
	static const struct tinyprof_volume all = { .flags = FILE_VOLUME, .name = "files" };

	for (uint32_t i = 0; i < volumes_used; i++)
		if (volumes[i].flags & FILE_VOLUME)
			return (uint8_t)i;
	return add_volume(&all);
}

static struct device *device_of(uint32_t device)
{
	for (uint32_t i = 0; i < devices_used; i++)
		if (devices[i].device == device)
			return &devices[i];
	return NULL;
}

static uint8_t volume_of(uint32_t device)
{
	struct tinyprof_volume volume = { 0 };
	struct device *d = device_of(device);

	if (d)
		return d->volume;
	if (devices_used == DEVICES_MAX)
		return file_volume();
	d = &devices[devices_used++];
	d->device = device;
	d->volume = proc_cramfs(device, &volume) ? add_volume(&volume) : file_volume();
	return d->volume;
}

bool files_cramfs(uint32_t device, uint32_t *volume)
{
	struct device *d = device_of(device);

	if (!d || d->volume == NO_VOLUME || volumes[d->volume].flags & FILE_VOLUME)
		return false;
	*volume = d->volume;
	return true;
}

bool files_has_other(uint32_t device)
{
	struct device *d = device_of(device);

	return d && d->volume != NO_VOLUME && volumes[d->volume].flags & FILE_VOLUME;
}

struct tinyprof_volume *files_volume(uint32_t volume)
{
	return volume < volumes_used ? &volumes[volume] : NULL;
}

/* Files */

static uint16_t *bucket_of(uint32_t device, uint64_t inode)
{
	return &buckets[(device ^ (uint32_t)inode ^ (uint32_t)inode >> 8) % BUCKETS];
}

uint16_t files_find(uint32_t device, uint64_t inode, uint32_t generation)
{
	uint16_t place = *bucket_of(device, inode);

	for (; place; place = files[place].next) {
		const struct file *f = &files[place];

		/* /proc/PID/maps does not tell the generation. */
		if (f->inode == inode && f->device == device &&
		    (f->generation == generation || !generation || !f->generation))
			break;
	}
	return place;
}

struct file *files_at(uint16_t index)
{
	return &files[index];
}

uint32_t files_count(void)
{
	return files_used;
}

static bool keep_path(struct file *f, const char *path)
{
	uint32_t size = 0;

	while (path[size] && size < EVENT_PATH_MAX - 1)
		size++;
	if (paths_used + size >= PATHS_SIZE)
		return false;
	for (uint32_t i = 0; i < size; i++)
		paths[paths_used + i] = path[i];
	f->path = paths_used;
	f->path_size = (uint16_t)size;
	/* And a NUL, that is there from the start. */
	paths_used += size + 1;
	return true;
}

/* The pages of a file, or otherwise where its size is not known. */
static uint32_t pages_of(const struct file *f, uint32_t otherwise)
{
	if (f->size == UINT32_MAX)
		return otherwise;
	return f->size / PAGE_SIZE + !!(f->size % PAGE_SIZE);
}

/* Gives the file ids for its pages, and for those up to reach. */
static bool give_ids(struct file *f, uint32_t reach)
{
	uint32_t pages = pages_of(f, 0);

	if (pages < reach)
		pages = reach;
	if (pages > TINYPROF_PAGE_ID_MASK - next_page_id)
		return false;
	f->page_id = next_page_id;
	f->pages = pages;
	f->told = false;
	next_page_id += pages;
	untold = 1;
	return true;
}

/* Fills in the rest of a new file's entry; false: there is no room. */
static bool fill_in(struct file *f, const struct event *e)
{
	f->volume = volume_of(e->device);
	if (f->volume == NO_VOLUME || !keep_path(f, e->path))
		return false;
	if (volumes[f->volume].flags & FILE_VOLUME)
		return give_ids(f, e->offset + (uint32_t)e->pages);
	f->page_id = (uint32_t)e->inode >> 2;
	f->pages = pages_of(f, UINT32_MAX);
	f->told = true;
	return true;
}

static uint16_t add(const struct event *e, bool *room)
{
	uint16_t *bucket = bucket_of(e->device, e->inode);
	struct file *f = &files[files_used + 1];
	uint32_t size;

	if (!proc_file_size(e->pid, e->path, &size))
		return 0;
	*room = files_used < FILES_MAX - 1;
	if (!*room)
		return 0;
	*f = (struct file){
		.device = e->device,
		.inode = e->inode,
		.generation = e->generation,
		.size = size,
		.next = *bucket,
	};
	*room = fill_in(f, e);
	if (!*room)
		return 0;
	*bucket = ++files_used;
	return files_used;
}

/* Anonymous memory and the kernel's own pages have no path of a file. */
static bool is_file(const struct event *e)
{
	return e->inode && (e->path[0] == '/' || e->path[0] == '(') &&
	       !(e->path[0] == '/' && e->path[1] == '/');
}

uint16_t files_of(const struct event *e, bool *room)
{
	uint16_t place;
	struct file *f;

	if (!is_file(e))
		return 0;
	place = files_find(e->device, e->inode, e->generation);
	if (!place)
		return add(e, room);
	f = &files[place];
	/* The mappings that were there at the start came without it. */
	if (!f->generation)
		f->generation = e->generation;
	/* It grew since. */
	if (f->pages < e->offset + e->pages && volumes[f->volume].flags & FILE_VOLUME) {
		proc_file_size(e->pid, e->path, &f->size);
		*room = give_ids(f, e->offset + (uint32_t)e->pages);
		if (!*room)
			return 0;
	}
	return place;
}

/* Telling */

const char *files_path(const struct file *file)
{
	return paths + file->path;
}

struct file *files_to_tell(void)
{
	for (; untold <= files_used; untold++) {
		if (files[untold].told)
			continue;
		files[untold].told = true;
		return &files[untold];
	}
	return NULL;
}

static void tell_anew(uint16_t place)
{
	files[place].told = !(volumes[files[place].volume].flags & FILE_VOLUME);
	if (place < untold)
		untold = place;
}

void files_tell_anew(void)
{
	for (uint16_t i = files_used; i; i--)
		tell_anew(i);
}

void files_tell_one_anew(void)
{
	if (!files_used)
		return;
	again = again < files_used ? again + 1 : 1;
	tell_anew(again);
}
