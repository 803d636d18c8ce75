// SPDX-License-Identifier: MIT
#include <linux/cramfs_fs.h>
#include <linux/stat.h>

#include "proc.h"
#include "sys.h"

/*
 * The agent's own /proc. The other file systems are mounted in the same place
 * before it, since no other folder needs to be there.
 */
#define TOP		"/proc"
#define POINT		TOP "/events/filemap/mm_filemap_add_to_page_cache"
#define NODE		"volume"

#define PATH_SIZE	(32 + EVENT_PATH_MAX)
#define LINE_SIZE	(128 + EVENT_PATH_MAX)
#define TEXT_MAX	2048
#define AROUND_MAX	16
#define UUID_SIZE	36
#define SECTOR		512	/* a superblock is in the first one, or in the second */

#define MODE_READ	0400
#define MTD_BLOCK_MAJOR	31
#define MTD_CHAR_MAJOR	90
#define MINOR_BITS	20
#define MAPPED_FILES	"3"	/* the kernel's CLEAR_REFS_MAPPED */
#define SOFT_DIRTY	"4"	/* and CLEAR_REFS_SOFT_DIRTY */
#define SEEK_FROM_START	0
#define SEEK_FROM_END	2

/* The kernel's struct linux_dirent64, and two of its types. */
#define DIRECTORY	4
#define REGULAR		8

struct dirent {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

/* Negative where there is no such thing. No data that is not zero keeps the program small. */
static int fault_around, idle, scratch, log;
static char around_before[AROUND_MAX];
static long around_size;

/* Text */

static char *append(char *to, const char *end, const char *text)
{
	while (*text && to < end)
		*to++ = *text++;
	return to;
}

static char *append_number(char *to, const char *end, uint32_t value)
{
	char digits[11];
	char *at = digits + sizeof(digits);

	*--at = 0;
	do {
		/* At -Os a division would be a function of libgcc's. */
		uint32_t tenth = (uint32_t)(value * 0xcccccccdull >> 35);

		*--at = (char)('0' + value - 10 * tenth);
		value = tenth;
	} while (value);
	return append(to, end, at);
}

/* What digits at the start of text say. */
static uint64_t number(const char *text, unsigned int base)
{
	uint64_t value = 0;

	for (;; text++) {
		unsigned int digit = (unsigned char)*text - '0';

		if (digit > 9)
			digit = (unsigned char)*text - 'a' + 10u;
		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

/* Reads all of a small file, and ends it with a NUL. Returns its size, or a negative errno. */
static long read_text(const char *path, char *to, size_t max)
{
	int fd = (int)sys_open(path, O_RDONLY);
	long size = fd < 0 ? fd : sys_read(fd, to, max - 1);

	if (fd >= 0)
		sys_close(fd);
	to[size > 0 ? size : 0] = 0;
	return size;
}

/* Mounts */

/* Each lies on the one before it; what is open stays open. */
void proc_mount(struct proc_tracepoint *point)
{
	static struct proc_tracepoint found;
	static char text[TEXT_MAX];
	static bool mounted;

	*point = found;
	if (mounted)
		return;
	fault_around = -1;
	idle = -1;
	scratch = -1;
	log = -1;
	if (sys_own_mounts())
		return;
	mounted = true;
	sys_keep_mounts();
	if (!sys_mount("debugfs", TOP)) {
		fault_around = (int)sys_open(TOP "/fault_around_bytes", O_RDWR);
		around_size = sys_read(fault_around, around_before, sizeof(around_before) - 1);
	}
	if (!sys_mount("sysfs", TOP))
		idle = (int)sys_open(TOP "/kernel/mm/page_idle/bitmap", O_RDWR);
	if (!sys_mount("ramfs", TOP))
		scratch = (int)sys_open(TOP, O_RDONLY);
	if (!sys_mount("tracefs", TOP) && read_text(POINT "/format", text, sizeof(text)) > 0 &&
	    event_fields(&point->fields, text) && read_text(POINT "/id", text, sizeof(text)) > 0)
		point->id = (uint32_t)number(text, 10);
	found = *point;
	sys_mount("proc", TOP);
	log = (int)sys_open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	sys_seek(log, 0, SEEK_FROM_END);
}

static uint64_t boot_id(void)
{
	char text[UUID_SIZE + 1];
	uint64_t id = 0;
	long size = read_text(TOP "/sys/kernel/random/boot_id", text, sizeof(text));

	for (long i = 0; i < size; i++)
		id = (id << 4 | id >> 60) ^ (unsigned char)text[i];
	return id;
}

void proc_inform(struct tinyprof_info *to, uint32_t volumes)
{
	*to = (struct tinyprof_info){
		.abi = TINYPROF_ABI,
		.volumes = volumes,
		.boot_id = boot_id(),
	};
}

uint32_t proc_fault_around(void)
{
	uint64_t bytes = number(around_before, 10);
	uint32_t shift = 0;

	while (bytes >>= 1)
		shift++;
	return shift;
}

bool proc_set_fault_around(bool off)
{
	return around_size > 0 && (off ? sys_write(fault_around, "4096", 4) :
				   sys_write(fault_around, around_before, (size_t)around_size)) > 0;
}

/* Volumes and files */

static bool read_superblock(int fd, struct tinyprof_volume *volume)
{
	static union {
		uint8_t bytes[SECTOR];
		struct cramfs_super super;
	} sector;
	const struct cramfs_super *super = &sector.super;

	for (int i = 0; i < 2; i++) {
		if (sys_read(fd, sector.bytes, SECTOR) != SECTOR)
			return false;
		if (super->magic != CRAMFS_MAGIC)
			continue;
		volume->size = super->size;
		volume->crc = super->fsid.crc;
		volume->edition = super->fsid.edition;
		volume->blocks = super->fsid.blocks;
		volume->files = super->fsid.files;
		for (unsigned int n = 0; n < sizeof(volume->name); n++)
			volume->name[n] = super->name[n];
		return true;
	}
	return false;
}

/* Of an MTD its read-only character device: the block device need not be there. */
bool proc_cramfs(uint32_t device, struct tinyprof_volume *volume)
{
	uint32_t minor = device & ((1 << MINOR_BITS) - 1);
	uint32_t mode = MODE_READ | S_IFBLK;
	uint32_t major = device >> MINOR_BITS;
	bool found = false;
	int fd;

	if (!major || scratch < 0)
		return false;
	if (major == MTD_BLOCK_MAJOR) {
		mode = MODE_READ | S_IFCHR;
		major = MTD_CHAR_MAJOR;
		minor = 2 * minor + 1;
	}
	sys_mknod(scratch, NODE, mode, (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12);
	fd = (int)sys_openat(scratch, NODE, O_RDONLY | O_NONBLOCK);
	sys_unlink(scratch, NODE);
	if (fd >= 0) {
		found = read_superblock(fd, volume);
		sys_close(fd);
	}
	return found;
}

/* The path of a process's file under /proc; without a process, that of the first. */
static void path_of(char *to, uint32_t pid, const char *name, const char *path)
{
	const char *end = to + PATH_SIZE - 1;

	to = append(to, end, TOP "/");
	to = append_number(to, end, pid);
	to = append(to, end, name);
	*append(to, end, path) = 0;
}

bool proc_file_size(uint32_t pid, const char *path, uint32_t *size)
{
	static char full[PATH_SIZE];
	struct statx found;

	*size = UINT32_MAX;
	path_of(full, pid, "/root", path);
	if (sys_statx(full, &found)) {
		/* The process is gone. */
		path_of(full, 1, "/root", path);
		if (sys_statx(full, &found))
			return true;
	}
	if (found.stx_size < UINT32_MAX)
		*size = (uint32_t)found.stx_size;
	return S_ISREG(found.stx_mode);
}

/* The folders of a file system */

/* The folders that are open, each in the one before it. */
static struct walk {
	char path[PATH_SIZE];		/* of the last one; /proc/1/root before it */
	uint32_t depth;
	struct {
		int folder;
		uint32_t device;
		char *end;		/* of its path */
	} at[PROC_DEPTH];
} walk;

/* The folder whose path is there; it is left out where it is not wanted. */
static void enter(char *end, bool (*wanted)(uint32_t device))
{
	struct statx found;
	uint32_t device;
	int folder;

	if (walk.depth == PROC_DEPTH || sys_statx(walk.path, &found))
		return;
	device = found.stx_dev_major << MINOR_BITS | found.stx_dev_minor;
	/* The root's device has the folders that others are mounted on. */
	if (walk.depth && device != walk.at[0].device && !wanted(device))
		return;
	folder = (int)sys_open(walk.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (folder < 0)
		return;
	walk.at[walk.depth].folder = folder;
	walk.at[walk.depth].device = device;
	walk.at[walk.depth++].end = end;
}

/* The path of an entry of the last folder, and its end. NULL: it is too long, or a folder above. */
static char *path_to(const struct dirent *entry)
{
	const char *end = walk.path + PATH_SIZE - 1;
	char *at = append(walk.at[walk.depth - 1].end, end, "/");

	if (entry->name[0] == '.' && (!entry->name[1] || (entry->name[1] == '.' && !entry->name[2])))
		return NULL;
	at = append(at, end, entry->name);
	*at = 0;
	return at < end ? at : NULL;
}

/* What is found goes there. */
static struct visitor {
	bool (*wanted)(uint32_t device);
	void (*take)(uint32_t device, uint64_t inode, const char *path);
} visitor;

static void visit(const struct dirent *entry, const char *root)
{
	uint32_t device = walk.at[walk.depth - 1].device;
	char *end = path_to(entry);

	if (!end || (entry->type != REGULAR && entry->type != DIRECTORY))
		return;
	visitor.take(device, entry->inode, entry->type == REGULAR ? root : NULL);
	if (entry->type == DIRECTORY)
		enter(end, visitor.wanted);
}

/* A part of the last folder's list; true: that was all of it. */
static bool visit_some(const char *root)
{
	static union {
		char bytes[TEXT_MAX];
		uint64_t aligned;
	} list;
	uint32_t depth = walk.depth;
	int folder = walk.at[depth - 1].folder;
	long size = sys_list(folder, list.bytes, sizeof(list.bytes));

	for (long at = 0; at < size;) {
		const struct dirent *entry = (const void *)(list.bytes + at);

		at += entry->size;
		visit(entry, root);
		if (walk.depth == depth)
			continue;
		/* The list is the entered folder's now: this one goes on behind the entry. */
		sys_seek(folder, (long)entry->offset, SEEK_FROM_START);
		break;
	}
	return size <= 0;
}

bool proc_walk(bool (*wanted)(uint32_t device),
	       void (*take)(uint32_t device, uint64_t inode, const char *path))
{
	uint32_t began = sys_now_ms();
	bool whole = true;
	char *root;

	visitor = (struct visitor){ .wanted = wanted, .take = take };
	/* What is behind the link, which is itself no folder. */
	path_of(walk.path, 1, "/root", "/.");
	for (root = walk.path; root[2];)
		root++;
	walk.depth = 0;
	enter(root, wanted);
	while (walk.depth) {
		whole &= sys_now_ms() - began < PROC_WALK_MS;
		if (!whole || visit_some(root))
			sys_close(walk.at[--walk.depth].folder);
	}
	return whole;
}

/* Processes */

int proc_open(uint32_t pid, const char *name, const char *path, int flags)
{
	static char full[PATH_SIZE];

	/* That fails much sooner than opening a file. */
	if (sys_kill(pid, 0) == -ESRCH)
		return -ESRCH;
	path_of(full, pid, name, path);
	return (int)sys_open(full, flags);
}

static void list_processes(int folder, void (*take)(uint32_t pid))
{
	static union {
		char bytes[TEXT_MAX];
		uint64_t aligned;
	} list;
	long size;

	while ((size = sys_list(folder, list.bytes, sizeof(list.bytes))) > 0) {
		for (long at = 0; at < size;) {
			const struct dirent *entry = (const void *)(list.bytes + at);
			uint32_t pid = (uint32_t)number(entry->name, 10);

			if (pid)
				take(pid);
			at += entry->size;
		}
	}
}

void proc_each(void (*take)(uint32_t pid))
{
	int folder = (int)sys_open(TOP, O_RDONLY);

	if (folder < 0)
		return;
	list_processes(folder, take);
	sys_close(folder);
}

void proc_maps(uint32_t pid, void (*take)(struct event *e))
{
	static char line[LINE_SIZE];
	int fd = proc_open(pid, "/maps", "", O_RDONLY);
	struct event e;
	size_t used = 0;
	long size;

	if (fd < 0)
		return;
	while ((size = sys_read(fd, line + used, sizeof(line) - used)) > 0) {
		size_t begin = 0;

		used += (size_t)size;
		for (size_t i = 0; i < used; i++) {
			if (line[i] != '\n')
				continue;
			line[i] = 0;
			event_from_maps(&e, pid, line + begin);
			if (e.type == EVENT_MAP)
				take(&e);
			begin = i + 1;
		}
		/* The kernel's lines all fit; what does not is no line. */
		used = begin || used < sizeof(line) ? used - begin : 0;
		for (size_t i = 0; i < used; i++)
			line[i] = line[begin + i];
	}
	sys_close(fd);
}

/*
 * clear_refs_write() leaves the TLB as it is when it makes entries old, and so does
 * page_idle_clear_pte_refs_one(). A translation that stays there faults for
 * nobody and sets no flag. For soft-dirty bits the first one flushes the TLB,
 * also where there are no such bits.
 */
static long clear_refs(uint32_t pid, bool make_old)
{
	int fd = proc_open(pid, "/clear_refs", "", O_WRONLY);
	long ret = 0;

	if (fd < 0)
		return fd;
	if (make_old)
		ret = sys_write(fd, MAPPED_FILES, 1);
	sys_write(fd, SOFT_DIRTY, 1);
	sys_close(fd);
	return ret < 0 ? ret : 0;
}

long proc_make_old(uint32_t pid)
{
	return clear_refs(pid, true);
}

void proc_flush(uint32_t pid)
{
	clear_refs(pid, false);
}

uint32_t proc_threads(uint32_t pid)
{
	static char full[PATH_SIZE];
	struct statx found;

	/* A folder for each thread, beside the two that every folder has. */
	path_of(full, pid, "/task", "");
	return !sys_statx(full, &found) && found.stx_nlink > 2 ? found.stx_nlink - 2 : 1;
}

uint32_t proc_pages(int pagemap, unsigned long page, uint64_t *found, uint32_t count)
{
	long size;

	if (sys_seek(pagemap, (long)(page * sizeof(*found)), SEEK_FROM_START) < 0)
		return 0;
	size = sys_read(pagemap, found, count * sizeof(*found));
	return size > 0 ? (uint32_t)size / sizeof(*found) : 0;
}

bool proc_tracks_idle(void)
{
	return idle >= 0;
}

bool proc_is_accessed(uint64_t frame)
{
	uint64_t word;

	sys_seek(idle, (long)(frame / 64 * sizeof(word)), SEEK_FROM_START);
	return sys_read(idle, &word, sizeof(word)) == sizeof(word) && !(word >> frame % 64 & 1);
}

/* Bits that are 0 leave the other pages as they are. */
void proc_make_idle(uint64_t frame)
{
	uint64_t word = 1ull << frame % 64;

	sys_seek(idle, (long)(frame / 64 * sizeof(word)), SEEK_FROM_START);
	sys_write(idle, &word, sizeof(word));
}

/* Marks */

size_t proc_mark(char *text, size_t max)
{
	static const char intro[] = ";tinyprof: ";
	static char record[TEXT_MAX];
	long size;

	while ((size = sys_read(log, record, sizeof(record) - 1)) > 0 || size == -EPIPE) {
		const char *word = record;
		size_t n = 0;

		record[size > 0 ? size : 0] = 0;
		while (*word && *word != ';')
			word++;
		for (; intro[n] && word[n] == intro[n];)
			n++;
		if (intro[n])
			continue;
		for (word += n, n = 0; n < max && (unsigned char)word[n] >= ' '; n++)
			text[n] = word[n];
		if (n)
			return n;
	}
	return 0;
}
