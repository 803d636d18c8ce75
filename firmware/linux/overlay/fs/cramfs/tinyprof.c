// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracer: the first touch of each page of a volume in each epoch.
 *
 * A volume's files are ranked as they are first touched: file n gets the ranks
 * that follow those of file n - 1, one for each page. A page's rank indexes its
 * state, one byte: which kinds were seen in this epoch, and which of those the
 * reader was not told of yet. A page waits in the queue at most once, so the
 * queue, one word for each page, cannot overflow.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "internal.h"
#include "tinyprof.h"
#include "version.h"

#define MAX_VOLUMES		8
#define MAX_MARKS		8
#define BATCH_BYTES		PAGE_SIZE
#define BATCH_RECORDS \
	((BATCH_BYTES - sizeof(struct tinyprof_batch)) / sizeof(u32))

/* Hostile counts get an error, not the OOM killer nor a warning's backtrace. */
#define TABLES_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* In a page's state: seen kinds below, kinds not yet reported above. */
#define SEEN(kind)		BIT(kind)
#define PENDING(kind)		BIT((kind) + TINYPROF_KINDS)
#define PENDING_SHIFT		TINYPROF_KINDS

struct file_ranks {
	u32 first;			/* rank of the file's page 0 */
	u32 page_id;			/* page id of the file's page 0 */
	u16 processes;			/* the most that were seen to map it */
	u16 told;			/* how many the reader was told of */
};

struct tinyprof_trace {
	spinlock_t lock;		/* guards all but the identity */
	struct super_block *sb;
	u32 crc, edition, blocks, files;
	u8 name[16];

	bool recording;
	u32 epoch;
	u32 counts[TINYPROF_KINDS];
	u32 untraced;

	u32 ranks, max_ranks;
	u32 ranked_files, max_files;
	struct file_ranks *ranks_of;	/* by rank, ascending */
	u8 *state;			/* by rank */
	u32 *queue;			/* ranks, a ring of max_ranks */
	u32 head, queued;
};

/*
 * The one reader. Its batch is a copy of what waits: records and marks are taken
 * off their queue only once read() has copied the batch out whole. The lock
 * keeps threads that share the file from mixing batches.
 */
struct tinyprof_reader {
	struct mutex lock;		/* from a copy to its records' end */
	struct tinyprof_batch head;
	u32 records[BATCH_RECORDS];
};

struct mark {
	u32 ms;
	char text[TINYPROF_MARK_MAX + 1];
};

static bool tinyprof_on;
module_param_named(tinyprof, tinyprof_on, bool, 0444);
MODULE_PARM_DESC(tinyprof, "record from the mount on");

static DEFINE_MUTEX(volumes_lock);
static struct tinyprof_trace *volumes[MAX_VOLUMES];
static struct tinyprof_trace *batched;	/* volumes_lock; whose records a batch has */
static struct mark marks[MAX_MARKS];	/* volumes_lock; the oldest first */
static u32 marks_waiting, marks_read;
static DECLARE_WAIT_QUEUE_HEAD(records_wait);
static atomic_t readers = ATOMIC_INIT(0);
static u64 boot_id;
static bool has_device;

static struct tinyprof_trace *trace_of(struct super_block *sb)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;

	return sbi->trace;
}

static u32 boottime_ms(void)
{
	return (u32)ktime_to_ms(ktime_get_boottime());
}

static void free_tables(struct tinyprof_trace *t)
{
	kvfree(t->ranks_of);
	kvfree(t->state);
	kvfree(t->queue);
	t->ranks_of = NULL;
	t->state = NULL;
	t->queue = NULL;
	t->ranks = 0;
	t->ranked_files = 0;
}

/* Inodes remember ranks: none of the tables that are gone. */
static void forget_ranks(struct super_block *sb)
{
	struct inode *inode;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list)
		inode->i_private = NULL;
	spin_unlock(&sb->s_inode_list_lock);
}

/*
 * A volume that is recorded no more keeps its tables until its reader has taken
 * the last record. volumes_lock is held, so no start comes between.
 */
static void release_tables(struct tinyprof_trace *t)
{
	if (t->recording || t->queued || !t->state)
		return;
	forget_ranks(t->sb);
	free_tables(t);
}

/* Touching */

/* How many pages were given ranks with the n-th ranked file. */
static u32 ranked_pages(const struct tinyprof_trace *t, u32 n)
{
	u32 end = n + 1 < t->ranked_files ? t->ranks_of[n + 1].first : t->ranks;

	return end - t->ranks_of[n].first;
}

/*
 * The rank of a file's first page plus one, or 0 where the volume's own count
 * of blocks leaves no room. i_private remembers it; an inode that was evicted
 * and read again finds its old ranks. In a hostile image it may have another
 * size by then, or another inode the same page ids: longer than the ranks are
 * many, it has none.
 */
static unsigned long file_rank(struct tinyprof_trace *t, struct inode *inode)
{
	u32 page_id = inode->i_ino >> 2;
	u32 pages = DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
	u32 n;

	if (inode->i_private)
		return (unsigned long)inode->i_private;

	for (n = 0; n < t->ranked_files; n++)
		if (t->ranks_of[n].page_id == page_id)
			goto found;

	if (n == t->max_files || pages > t->max_ranks - t->ranks)
		return 0;
	t->ranks_of[n].first = t->ranks;
	t->ranks_of[n].page_id = page_id;
	t->ranks_of[n].processes = 1;
	t->ranks_of[n].told = 1;
	t->ranks += pages;
	t->ranked_files++;
found:
	if (pages > ranked_pages(t, n))
		return 0;
	inode->i_private = (void *)(unsigned long)(t->ranks_of[n].first + 1);
	return (unsigned long)inode->i_private;
}

/* The rank that waits in the n-th place of the queue. */
static u32 *queue_place(const struct tinyprof_trace *t, u32 n)
{
	u32 place = t->head + n;

	return &t->queue[place < t->max_ranks ? place : place - t->max_ranks];
}

static void touch_page(struct tinyprof_trace *t, u32 rank, unsigned int kind)
{
	u8 *state = &t->state[rank];

	if (*state & SEEN(kind))
		return;
	if (!(*state >> PENDING_SHIFT))
		*queue_place(t, t->queued++) = rank;
	*state |= SEEN(kind) | PENDING(kind);
	t->counts[kind]++;
}

u32 tinyprof_epoch(struct super_block *sb)
{
	struct tinyprof_trace *t = trace_of(sb);

	return t && READ_ONCE(t->recording) ? READ_ONCE(t->epoch) : 0;
}

u32 tinyprof_touch(struct inode *inode, pgoff_t first, pgoff_t last,
		   unsigned int kind)
{
	pgoff_t pages = DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
	struct tinyprof_trace *t = trace_of(inode->i_sb);
	bool wake = false;
	unsigned long rank;
	u32 epoch;

	if (!t || !READ_ONCE(t->recording))
		return 0;

	spin_lock(&t->lock);
	if (!t->recording) {
		spin_unlock(&t->lock);
		return 0;
	}
	epoch = t->epoch;
	rank = file_rank(t, inode);
	if (rank) {
		wake = !t->queued;
		for (; first <= last && first < pages; first++)
			touch_page(t, rank - 1 + first, kind);
		wake = wake && t->queued;
	} else {
		t->untraced++;
	}
	spin_unlock(&t->lock);

	if (wake)
		wake_up_interruptible(&records_wait);
	return epoch;
}

/* Reading */

/* The file that has this rank. */
static struct file_ranks *ranked_file(const struct tinyprof_trace *t, u32 rank)
{
	u32 low = 0, high = t->ranked_files;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (t->ranks_of[middle].first <= rank)
			low = middle;
		else
			high = middle;
	}
	return &t->ranks_of[low];
}

static u32 page_id_of(const struct tinyprof_trace *t, u32 rank)
{
	const struct file_ranks *file = ranked_file(t, rank);

	return file->page_id + rank - file->first;
}

static u32 record_of(const struct tinyprof_trace *t, u32 rank)
{
	u32 kinds = t->state[rank] >> PENDING_SHIFT;

	return kinds << TINYPROF_KIND_SHIFT |
	       (page_id_of(t, rank) & TINYPROF_PAGE_ID_MASK);
}

/* Copy the oldest mark. */
static void copy_mark(struct tinyprof_reader *reader)
{
	const u8 *at = marks[0].text;

	reader->head.volume = TINYPROF_MARK;
	reader->head.epoch = marks_read + 1;
	reader->head.ms = marks[0].ms;
	while (*at)
		reader->records[reader->head.count++] =
			BIT(TINYPROF_KIND_SHIFT + TINYPROF_EXEC) | *at++;
}

static void copy_records(struct tinyprof_reader *reader,
			 const struct tinyprof_trace *t, u32 max)
{
	u32 n;

	reader->head.epoch = t->epoch;
	reader->head.ms = boottime_ms();
	reader->head.count = min(t->queued, max);
	for (n = 0; n < reader->head.count; n++)
		reader->records[n] = record_of(t, *queue_place(t, n));
}

/* Copy a mark, or up to max records of the first volume that has any. */
static void fill_batch(struct tinyprof_reader *reader, u32 max)
{
	struct tinyprof_trace *t;
	u32 n;

	reader->head.count = 0;
	mutex_lock(&volumes_lock);
	if (marks_waiting)
		copy_mark(reader);
	for (n = 0; n < MAX_VOLUMES && !reader->head.count; n++) {
		t = volumes[n];
		if (!t)
			continue;
		batched = t;
		spin_lock(&t->lock);
		reader->head.volume = n;
		copy_records(reader, t, max);
		spin_unlock(&t->lock);
	}
	mutex_unlock(&volumes_lock);
}

/* Take one record off. A page of which more was seen meanwhile waits again. */
static void take_record(struct tinyprof_trace *t, u32 record)
{
	u32 rank = *queue_place(t, 0);
	u8 kinds = record >> TINYPROF_KIND_SHIFT;

	t->head = t->head + 1 < t->max_ranks ? t->head + 1 : 0;
	t->queued--;
	t->state[rank] &= ~(kinds << PENDING_SHIFT);
	if (t->state[rank] >> PENDING_SHIFT)
		*queue_place(t, t->queued++) = rank;
}

/* Take off what the batch has, unless the volume is gone or the epoch another. */
static void take_batch(struct tinyprof_reader *reader)
{
	struct tinyprof_trace *t;
	u32 n;

	mutex_lock(&volumes_lock);
	t = batched;
	if (reader->head.volume == TINYPROF_MARK) {
		marks_read++;
		memmove(marks, marks + 1, --marks_waiting * sizeof(marks[0]));
	} else if (t && t->epoch == reader->head.epoch) {
		spin_lock(&t->lock);
		for (n = 0; n < reader->head.count; n++)
			take_record(t, reader->records[n]);
		spin_unlock(&t->lock);
		release_tables(t);
	}
	mutex_unlock(&volumes_lock);
}

static bool records_queued(void)
{
	bool any;
	int n;

	mutex_lock(&volumes_lock);
	any = marks_waiting;
	for (n = 0; n < MAX_VOLUMES; n++)
		any |= volumes[n] && READ_ONCE(volumes[n]->queued);
	mutex_unlock(&volumes_lock);
	return any;
}

/* records_queued() may sleep, so it cannot be a wait_event() condition. */
static int wait_for_records(void)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret = 0;

	add_wait_queue(&records_wait, &wait);
	while (!ret && !records_queued()) {
		if (signal_pending(current))
			ret = -ERESTARTSYS;
		else
			wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	}
	remove_wait_queue(&records_wait, &wait);
	return ret;
}

static size_t batch_bytes(const struct tinyprof_reader *reader)
{
	return sizeof(reader->head) + reader->head.count * sizeof(u32);
}

/* The size of a batch that was copied out, 0 where nothing waits, or an error. */
static ssize_t read_batch(struct tinyprof_reader *reader, char __user *to,
			  size_t size)
{
	fill_batch(reader, min_t(size_t, BATCH_RECORDS,
				 (size - sizeof(reader->head)) / sizeof(u32)));
	if (!reader->head.count)
		return 0;
	/* A mark is never cut. It waits for a buffer that holds it. */
	if (size < batch_bytes(reader))
		return -EINVAL;
	size = batch_bytes(reader);
	if (copy_to_user(to, &reader->head, size))
		return -EFAULT;
	take_batch(reader);
	return size;
}

static ssize_t tinyprof_read(struct file *file, char __user *to, size_t size,
			     loff_t *pos)
{
	struct tinyprof_reader *reader = file->private_data;
	ssize_t ret;

	if (size < sizeof(reader->head) + sizeof(u32))
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&reader->lock))
			return -ERESTARTSYS;
		ret = read_batch(reader, to, size);
		mutex_unlock(&reader->lock);
		if (ret)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_for_records();
		if (ret)
			return ret;
	}
}

/*
 * Mark this moment by a word or a line. Marks that nobody reads are kept up to
 * a number, and then ENOSPC says so.
 */
static ssize_t tinyprof_write(struct file *file, const char __user *from,
			      size_t size, loff_t *pos)
{
	struct mark mark = { .ms = boottime_ms() };
	ssize_t ret = -ENOSPC;

	if (copy_from_user(mark.text, from, min(size, sizeof(mark.text) - 1)))
		return -EFAULT;
	*strchrnul(mark.text, '\n') = '\0';
	if (!*mark.text)
		return -EINVAL;

	mutex_lock(&volumes_lock);
	if (marks_waiting < MAX_MARKS) {
		marks[marks_waiting++] = mark;
		ret = size;
	}
	mutex_unlock(&volumes_lock);
	wake_up_interruptible(&records_wait);
	return ret;
}

static __poll_t tinyprof_poll(struct file *file, poll_table *wait)
{
	struct tinyprof_reader *reader = file->private_data;

	/* Opened to write marks alone, it has nothing to read. */
	if (!reader)
		return EPOLLOUT | EPOLLWRNORM;
	poll_wait(file, &records_wait, wait);
	return records_queued() ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Commands */

/* mm/interval_tree.c exports nothing to modules. */
static bool counts_processes(void)
{
	return IS_BUILTIN(CONFIG_CRAMFS);
}

/*
 * How many processes map a file: its mappings that show page 0. An ELF file's
 * first segment does, once in each address space. A program whose data begins
 * in page 0 too counts twice, one whose first segment begins behind it not at
 * all, and nobody counts who came and went between two re-arms.
 */
static u32 count_processes(struct address_space *mapping)
{
	struct vm_area_struct *vma;
	u32 count = 0;

	i_mmap_lock_read(mapping);
	cramfs_foreach_mapping(vma, mapping, 0, 0)
		count++;
	i_mmap_unlock_read(mapping);
	return min_t(u32, count, U16_MAX);
}

/* Files are known from their first touch on, so there is memory for each. */
static void note_processes(struct tinyprof_trace *t, struct inode *inode)
{
	u32 count = count_processes(inode->i_mapping);
	unsigned long rank;

	spin_lock(&t->lock);
	rank = (unsigned long)inode->i_private;
	if (rank) {
		struct file_ranks *file = ranked_file(t, rank - 1);

		file->processes = max_t(u32, file->processes, count);
	}
	spin_unlock(&t->lock);
}

/* Fill in the files whose number of processes the reader does not know yet. */
static void tell_processes(struct tinyprof_trace *t,
			   struct tinyprof_processes *told)
{
	bool anew = told->count;
	u32 n;

	told->count = 0;
	spin_lock(&t->lock);
	for (n = 0; n < t->ranked_files; n++) {
		struct file_ranks *file = &t->ranks_of[n];

		if (anew)
			file->told = 1;
		if (file->processes == file->told ||
		    told->count == TINYPROF_PROCESSES_MAX)
			continue;
		file->told = file->processes;
		told->files[told->count].page_id = file->page_id;
		told->files[told->count++].processes = file->processes;
	}
	spin_unlock(&t->lock);
}

/*
 * A fault that was between filemap_fault() and its entry when the file was
 * unmapped holds the lock of its page until the entry is set. So what is mapped
 * once that lock was had is mapped no more afterwards.
 */
static void unmap_latecomers(struct address_space *mapping)
{
	struct folio_batch batch;
	pgoff_t index = 0;
	unsigned int n;

	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &index, ULONG_MAX, &batch)) {
		for (n = 0; n < folio_batch_count(&batch); n++) {
			struct folio *folio = batch.folios[n];
			bool mapped;

			folio_lock(folio);
			mapped = folio_mapped(folio);
			folio_unlock(folio);
			if (mapped)
				unmap_mapping_range(mapping, folio_pos(folio),
						    folio_size(folio), 0);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
}

/*
 * Make every page of the volume fault again. Entries that map the flash go
 * too, and private copies stay: unmap_mapping_range() without even_cows. The
 * processes that map each file are counted on the way.
 */
static void unmap_volume(struct tinyprof_trace *t)
{
	struct super_block *sb = t->sb;
	struct inode *inode, *done = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		spin_lock(&inode->i_lock);
		if (cramfs_inode_state(inode) & (I_FREEING | I_WILL_FREE | I_NEW) ||
		    !mapping_mapped(inode->i_mapping)) {
			spin_unlock(&inode->i_lock);
			continue;
		}
		ihold(inode);
		spin_unlock(&inode->i_lock);
		spin_unlock(&sb->s_inode_list_lock);

		if (counts_processes())
			note_processes(t, inode);
		unmap_mapping_range(inode->i_mapping, 0, 0, 0);
		unmap_latecomers(inode->i_mapping);
		iput(done);
		done = inode;
		cond_resched();

		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(done);
}

static void forget_epoch(struct tinyprof_trace *t)
{
	if (t->state)
		memset(t->state, 0, t->ranks);
	memset(t->counts, 0, sizeof(t->counts));
	t->head = 0;
	t->queued = 0;
	WRITE_ONCE(t->epoch, t->epoch + 1);
}

/* Memory for every page and file that the volume says it has, kept until it is stopped. */
static int allocate_tables(struct tinyprof_trace *t)
{
	struct cramfs_sb_info *sbi = t->sb->s_fs_info;

	if (t->state)
		return 0;
	/* Each page has a block pointer and each file an inode in the image. */
	t->max_ranks = min_t(unsigned long, t->blocks, sbi->size / sizeof(u32));
	t->max_files = min_t(unsigned long, t->files,
			     sbi->size / sizeof(struct cramfs_inode));
	if (!t->max_ranks || !t->max_files)
		return -EINVAL;
	t->ranks_of = kvcalloc(t->max_files, sizeof(*t->ranks_of), TABLES_GFP);
	t->queue = kvcalloc(t->max_ranks, sizeof(*t->queue), TABLES_GFP);
	t->state = kvzalloc(t->max_ranks, TABLES_GFP);
	if (t->ranks_of && t->queue && t->state)
		return 0;
	free_tables(t);
	return -ENOMEM;
}

static int start_recording(struct tinyprof_trace *t)
{
	int ret;

	if (t->recording)
		return 0;
	ret = allocate_tables(t);
	if (ret)
		return ret;
	spin_lock(&t->lock);
	forget_epoch(t);
	WRITE_ONCE(t->recording, true);
	spin_unlock(&t->lock);
	return 0;
}

static void stop_recording(struct tinyprof_trace *t)
{
	spin_lock(&t->lock);
	WRITE_ONCE(t->recording, false);
	spin_unlock(&t->lock);
	release_tables(t);
}

static int rearm(struct tinyprof_trace *t, struct tinyprof_epoch *ended)
{
	spin_lock(&t->lock);
	if (t->queued) {
		spin_unlock(&t->lock);
		return -EAGAIN;
	}
	ended->epoch = t->epoch;
	ended->ms = boottime_ms();
	memcpy(ended->records, t->counts, sizeof(t->counts));
	forget_epoch(t);
	spin_unlock(&t->lock);
	unmap_volume(t);
	return 0;
}

static void describe(struct tinyprof_trace *t, struct tinyprof_volume *volume)
{
	struct cramfs_sb_info *sbi = t->sb->s_fs_info;

	spin_lock(&t->lock);
	volume->flags = t->recording ? TINYPROF_RECORDING : 0;
	volume->epoch = t->epoch;
	volume->queued = t->queued;
	volume->untraced = t->untraced;
	spin_unlock(&t->lock);
	volume->crc = t->crc;
	volume->edition = t->edition;
	volume->blocks = t->blocks;
	volume->files = t->files;
	volume->size = sbi->size;
	memcpy(volume->name, t->name, sizeof(volume->name));
}

static int volume_command(struct tinyprof_trace *t, unsigned int cmd, void *arg)
{
	int ret = 0;

	switch (cmd) {
	case TINYPROF_IOC_VOLUME:
		describe(t, arg);
		return 0;
	case TINYPROF_IOC_START:
		ret = start_recording(t);
		if (!ret)
			unmap_volume(t);
		return ret;
	case TINYPROF_IOC_STOP:
		stop_recording(t);
		return 0;
	case TINYPROF_IOC_REARM:
		return rearm(t, arg);
	case TINYPROF_IOC_PROCESSES:
		if (!counts_processes())
			return -ENOTTY;
		tell_processes(t, arg);
		return 0;
	default:
		return -ENOTTY;
	}
}

static long tinyprof_ioctl(struct file *file, unsigned int cmd,
			   unsigned long user)
{
	union {
		u32 volume;		/* the first field of all but info */
		struct tinyprof_info info;
		struct tinyprof_volume description;
		struct tinyprof_epoch epoch;
		struct tinyprof_processes processes;
	} arg = { };
	struct tinyprof_reader *reader = file->private_data;
	size_t size = _IOC_SIZE(cmd);
	struct tinyprof_trace *t;
	long ret;

	/* Agents of before 2027 have the letter that is if_tun's. */
	if (_IOC_TYPE(cmd) == 'T')
		cmd ^= ('T' ^ TINYPROF_IOC_TYPE) << _IOC_TYPESHIFT;
	if (_IOC_TYPE(cmd) != TINYPROF_IOC_TYPE || size > sizeof(arg))
		return -ENOTTY;
	if (!reader)
		return -EBADF;
	if (cmd == TINYPROF_IOC_INFO) {
		arg.info.abi = TINYPROF_ABI;
		arg.info.volumes = MAX_VOLUMES;
		arg.info.boot_id = boot_id;
		return copy_to_user((void __user *)user, &arg, size) ? -EFAULT : 0;
	}

	if (size < sizeof(arg.volume))
		return -ENOTTY;
	if (copy_from_user(&arg, (void __user *)user, size))
		return -EFAULT;
	if (arg.volume >= MAX_VOLUMES)
		return -ENOENT;
	/* No command comes between a batch that is copied and its records' end. */
	if (mutex_lock_interruptible(&reader->lock))
		return -ERESTARTSYS;
	mutex_lock(&volumes_lock);
	t = volumes[arg.volume];
	ret = t ? volume_command(t, cmd, &arg) : -ENOENT;
	mutex_unlock(&volumes_lock);
	mutex_unlock(&reader->lock);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user((void __user *)user, &arg, size))
		return -EFAULT;
	return ret;
}

static int tinyprof_open(struct inode *inode, struct file *file)
{
	struct tinyprof_reader *reader;

	/* misc_open() left its miscdevice here. */
	file->private_data = NULL;
	if (!(file->f_mode & FMODE_READ))
		return 0;
	if (atomic_cmpxchg(&readers, 0, 1))
		return -EBUSY;
	reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader) {
		atomic_set(&readers, 0);
		return -ENOMEM;
	}
	mutex_init(&reader->lock);
	file->private_data = reader;
	return 0;
}

static int tinyprof_release(struct inode *inode, struct file *file)
{
	if (!(file->f_mode & FMODE_READ))
		return 0;
	kfree(file->private_data);
	atomic_set(&readers, 0);
	return 0;
}

static const struct file_operations tinyprof_fops = {
	.owner		= THIS_MODULE,
	.open		= tinyprof_open,
	.release	= tinyprof_release,
	.read		= tinyprof_read,
	.write		= tinyprof_write,
	.poll		= tinyprof_poll,
	.unlocked_ioctl	= tinyprof_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice tinyprof_device = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "tinyprof",
	.fops		= &tinyprof_fops,
	.mode		= 0600,
};

/* Volumes come and go */

static int add_volume(struct tinyprof_trace *t)
{
	int n;

	mutex_lock(&volumes_lock);
	for (n = 0; n < MAX_VOLUMES; n++)
		if (!volumes[n]) {
			volumes[n] = t;
			break;
		}
	mutex_unlock(&volumes_lock);
	return n < MAX_VOLUMES ? 0 : -ENOSPC;
}

/* A mount never fails for the tracer's sake: it goes untraced, and says so. */
void tinyprof_mounted(struct super_block *sb, const struct cramfs_super *super)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;
	struct tinyprof_trace *t;

	if (!(super->flags & CRAMFS_FLAG_FSID_VERSION_2))
		return;
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return;
	spin_lock_init(&t->lock);
	t->sb = sb;
	t->crc = super->fsid.crc;
	t->edition = super->fsid.edition;
	t->blocks = super->fsid.blocks;
	t->files = super->fsid.files;
	memcpy(t->name, super->name, sizeof(t->name));
	if (tinyprof_on && start_recording(t))
		pr_warn("cramfs: tinyprof: cannot record %s\n", sb->s_id);
	sbi->trace = t;
	if (add_volume(t)) {
		pr_warn("cramfs: tinyprof: too many volumes, %s is not traced\n",
			sb->s_id);
		sbi->trace = NULL;
		free_tables(t);
		kfree(t);
	}
}

void tinyprof_unmount(struct super_block *sb)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;
	struct tinyprof_trace *t = sbi ? sbi->trace : NULL;
	int n;

	if (!t)
		return;
	mutex_lock(&volumes_lock);
	for (n = 0; n < MAX_VOLUMES; n++)
		if (volumes[n] == t)
			volumes[n] = NULL;
	if (batched == t)
		batched = NULL;
	mutex_unlock(&volumes_lock);
	sbi->trace = NULL;
	free_tables(t);
	kfree(t);
}

/* Without its device cramfs, and with it the root, is as good as ever. */
void __init tinyprof_init(void)
{
	get_random_bytes(&boot_id, sizeof(boot_id));
	has_device = !misc_register(&tinyprof_device);
	if (!has_device)
		pr_warn("cramfs: tinyprof: no /dev/tinyprof\n");
}

void tinyprof_exit(void)
{
	if (has_device)
		misc_deregister(&tinyprof_device);
}
