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
#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
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
	spinlock_t lock;		/* guards what touches change */
	struct super_block *sb;		/* volumes_lock; NULL where none is mounted */
	struct tinyprof_volume is;	/* as it is told, its numbers as they are now */
	u32 counts[TINYPROF_KINDS];
	u32 faults;			/* told in this epoch, and not mapped yet */
	u32 late_faults;		/* the same of former epochs */

	u32 ranks, max_ranks;
	u32 ranked_files, max_files;
	struct file_ranks *ranks_of;	/* by rank, ascending; one memory for all three */
	u32 *queue;			/* ranks, a ring of max_ranks */
	u8 *state;			/* by rank */
	u32 head;
};

/* The one reader's copy of what waits. */
struct tinyprof_reader {
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

/*
 * A batch is copied, and its records are taken off their queue, under this lock.
 * So no command comes between, no volume goes, and threads that share the file
 * do not mix batches.
 */
static DEFINE_MUTEX(volumes_lock);
static struct tinyprof_trace volumes[MAX_VOLUMES];
static struct mark marks[MAX_MARKS];	/* volumes_lock; the oldest first */
static u32 marks_waiting, marks_read;
static DECLARE_WAIT_QUEUE_HEAD(records_wait);
static unsigned long has_reader;	/* bit 0 */
static u64 boot_id;
static bool has_device;

static struct tinyprof_trace *trace_of(struct super_block *sb)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;

	return sbi->trace;
}

static u32 boottime_ms(void)
{
	struct timespec64 now = ktime_to_timespec64(ktime_get_boottime());

	return (u32)now.tv_sec * MSEC_PER_SEC + (u32)now.tv_nsec / NSEC_PER_MSEC;
}

/*
 * A volume that is recorded no more keeps its tables until its reader has taken
 * the last record. volumes_lock is held, so no start comes between.
 */
static void release_tables(struct tinyprof_trace *t)
{
	if (t->is.flags || t->is.queued)
		return;
	kvfree(t->ranks_of);
	t->ranks_of = NULL;
	t->ranks = 0;
	t->ranked_files = 0;
}

/* Touching */

/* How many pages were given ranks with the n-th ranked file. */
static u32 ranked_pages(const struct tinyprof_trace *t, u32 n)
{
	u32 end = n + 1 < t->ranked_files ? t->ranks_of[n + 1].first : t->ranks;

	return end - t->ranks_of[n].first;
}

/*
 * The place of a file among the ranked ones, or behind them. i_private has what
 * it was last, which may be of tables that are gone.
 */
static u32 find_file(struct tinyprof_trace *t, struct inode *inode)
{
	u32 page_id = inode->i_ino >> 2;
	u32 n = (unsigned long)inode->i_private;

	if (n < t->ranked_files && t->ranks_of[n].page_id == page_id)
		return n;
	for (n = 0; n < t->ranked_files; n++)
		if (t->ranks_of[n].page_id == page_id)
			break;
	inode->i_private = (void *)(unsigned long)n;
	return n;
}

/*
 * A file, ranked if it was not yet. NULL where the volume's own counts leave no
 * room. In a hostile image two inodes may have the same page ids: the one with
 * more pages than have ranks has none.
 */
static struct file_ranks *rank_file(struct tinyprof_trace *t,
				    struct inode *inode, u32 pages)
{
	u32 n = find_file(t, inode);
	struct file_ranks *file = &t->ranks_of[n];

	if (n == t->ranked_files) {
		if (n == t->max_files || pages > t->max_ranks - t->ranks)
			return NULL;
		file->first = t->ranks;
		file->page_id = inode->i_ino >> 2;
		file->processes = 1;
		file->told = 1;
		t->ranks += pages;
		t->ranked_files++;
	}
	return pages > ranked_pages(t, n) ? NULL : file;
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
		*queue_place(t, t->is.queued++) = rank;
	*state |= SEEN(kind) | PENDING(kind);
	t->counts[kind]++;
}

u32 tinyprof_epoch(struct super_block *sb)
{
	struct tinyprof_trace *t = trace_of(sb);

	return t && READ_ONCE(t->is.flags) ? READ_ONCE(t->is.epoch) : 0;
}

static u32 touch(struct inode *inode, pgoff_t first, pgoff_t last,
		 unsigned int kind, unsigned int faults)
{
	pgoff_t pages = DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
	struct tinyprof_trace *t = trace_of(inode->i_sb);
	struct file_ranks *file;
	u32 queued, epoch = 0;
	bool wake = false;

	if (!t || !READ_ONCE(t->is.flags))
		return 0;

	spin_lock(&t->lock);
	if (t->is.flags) {
		epoch = t->is.epoch;
		queued = t->is.queued;
		t->faults += faults;
		file = rank_file(t, inode, pages);
		if (!file)
			t->is.untraced++;
		for (; file && first <= last && first < pages; first++)
			touch_page(t, file->first + first, kind);
		wake = !queued && t->is.queued;
	}
	spin_unlock(&t->lock);

	if (wake)
		wake_up_interruptible(&records_wait);
	return epoch;
}

u32 tinyprof_touch(struct inode *inode, pgoff_t first, pgoff_t last,
		   unsigned int kind)
{
	return touch(inode, first, last, kind, 0);
}

#ifdef CONFIG_MMU
u32 tinyprof_begin_fault(struct inode *inode, pgoff_t pgoff, unsigned int kind)
{
	return touch(inode, pgoff, pgoff, kind, 1);
}

u32 tinyprof_end_fault(struct inode *inode, pgoff_t pgoff, unsigned int kind,
		       u32 epoch)
{
	struct tinyprof_trace *t = trace_of(inode->i_sb);
	bool late;

	spin_lock(&t->lock);
	late = t->is.epoch != epoch;
	if (!late)
		t->faults--;
	spin_unlock(&t->lock);
	if (!late)
		return epoch;

	epoch = tinyprof_touch(inode, pgoff, pgoff, kind);
	spin_lock(&t->lock);
	t->late_faults--;
	spin_unlock(&t->lock);
	return epoch;
}
#endif

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

static void take_mark(void)
{
	marks_read++;
	memmove(marks, marks + 1, --marks_waiting * sizeof(marks[0]));
}

static void copy_records(struct tinyprof_reader *reader,
			 struct tinyprof_trace *t, u32 max)
{
	u32 n;

	spin_lock(&t->lock);
	reader->head.volume = t->is.volume;
	reader->head.epoch = t->is.epoch;
	reader->head.ms = boottime_ms();
	reader->head.count = min(t->is.queued, max);
	for (n = 0; n < reader->head.count; n++)
		reader->records[n] = record_of(t, *queue_place(t, n));
	spin_unlock(&t->lock);
}

/* Take off what was copied. A page of which more was seen since waits again. */
static void take_records(const struct tinyprof_reader *reader,
			 struct tinyprof_trace *t)
{
	u32 n, rank;

	spin_lock(&t->lock);
	for (n = 0; n < reader->head.count; n++) {
		rank = *queue_place(t, 0);
		t->head = t->head + 1 < t->max_ranks ? t->head + 1 : 0;
		t->is.queued--;
		t->state[rank] &= ~(reader->records[n] >> TINYPROF_KIND_SHIFT <<
				    PENDING_SHIFT);
		if (t->state[rank] >> PENDING_SHIFT)
			*queue_place(t, t->is.queued++) = rank;
	}
	spin_unlock(&t->lock);
	release_tables(t);
}

/* The first volume that has records, or the place behind all volumes. */
static struct tinyprof_trace *queued_volume(void)
{
	struct tinyprof_trace *t = volumes;

	while (t < volumes + MAX_VOLUMES && !READ_ONCE(t->is.queued))
		t++;
	return t;
}

static bool records_queued(void)
{
	return READ_ONCE(marks_waiting) ||
	       queued_volume() < volumes + MAX_VOLUMES;
}

/*
 * The size of a mark, or of records of one volume, that was copied out and then
 * taken off. 0 where nothing waits, or an error.
 */
static ssize_t read_batch(struct tinyprof_reader *reader, char __user *to,
			  size_t size)
{
	size_t max = (size - sizeof(reader->head)) / sizeof(u32);
	struct tinyprof_trace *t = queued_volume();
	size_t bytes;

	reader->head.count = 0;
	if (marks_waiting)
		copy_mark(reader);
	else if (t < volumes + MAX_VOLUMES)
		copy_records(reader, t, min_t(size_t, BATCH_RECORDS, max));
	else
		return 0;
	/* A mark is never cut. It waits for a buffer that holds it. */
	if (reader->head.count > max)
		return -EINVAL;
	bytes = sizeof(reader->head) + reader->head.count * sizeof(u32);
	if (copy_to_user(to, reader, bytes))
		return -EFAULT;
	if (reader->head.volume == TINYPROF_MARK)
		take_mark();
	else
		take_records(reader, t);
	return bytes;
}

static ssize_t tinyprof_read(struct file *file, char __user *to, size_t size,
			     loff_t *pos)
{
	ssize_t ret;

	if (size < sizeof(struct tinyprof_batch) + sizeof(u32))
		return -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&volumes_lock))
			return -ERESTARTSYS;
		ret = read_batch(file->private_data, to, size);
		mutex_unlock(&volumes_lock);
		if (ret)
			return ret;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(records_wait, records_queued());
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

	if (mutex_lock_interruptible(&volumes_lock))
		return -ERESTARTSYS;
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
	/* Opened to write marks alone, it has nothing to read. */
	if (!file->private_data)
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
	u32 n, count = count_processes(inode->i_mapping);

	spin_lock(&t->lock);
	n = find_file(t, inode);
	if (n < t->ranked_files && t->ranks_of[n].processes < count)
		t->ranks_of[n].processes = count;
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
 * Have every page of the volume that is touched again told again. The processes
 * that map each file are counted on the way.
 */
static void see_all_again(struct tinyprof_trace *t)
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
		tinyprof_see_again(inode);
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
	memset(t->state, 0, t->ranks);
	memset(t->counts, 0, sizeof(t->counts));
	t->late_faults += t->faults;
	t->faults = 0;
	t->head = 0;
	t->is.queued = 0;
	WRITE_ONCE(t->is.epoch, t->is.epoch + 1);
}

/* Memory for every page and file that the volume says it has, kept until it is stopped. */
static int allocate_tables(struct tinyprof_trace *t)
{
	u64 bytes;

	if (t->ranks_of)
		return 0;
	/* Each page has a block pointer and each file an inode in the image. */
	t->max_ranks = min_t(u32, t->is.blocks, t->is.size / sizeof(u32));
	t->max_files = min_t(u32, t->is.files,
			     t->is.size / sizeof(struct cramfs_inode));
	if (!t->max_ranks || !t->max_files)
		return -EINVAL;
	bytes = (u64)t->max_files * sizeof(*t->ranks_of) +
		(u64)t->max_ranks * (sizeof(*t->queue) + sizeof(*t->state));
	if (bytes <= INT_MAX)
		t->ranks_of = kvzalloc(bytes, TABLES_GFP);
	if (!t->ranks_of)
		return -ENOMEM;
	t->queue = (u32 *)(t->ranks_of + t->max_files);
	t->state = (u8 *)(t->queue + t->max_ranks);
	return 0;
}

static int start_recording(struct tinyprof_trace *t)
{
	int ret = allocate_tables(t);

	if (ret || t->is.flags)
		return ret;
	spin_lock(&t->lock);
	forget_epoch(t);
	WRITE_ONCE(t->is.flags, TINYPROF_RECORDING);
	spin_unlock(&t->lock);
	return 0;
}

static void stop_recording(struct tinyprof_trace *t)
{
	spin_lock(&t->lock);
	WRITE_ONCE(t->is.flags, 0);
	spin_unlock(&t->lock);
	release_tables(t);
}

static int rearm(struct tinyprof_trace *t, struct tinyprof_epoch *ended)
{
	spin_lock(&t->lock);
	if (t->is.queued || t->late_faults) {
		spin_unlock(&t->lock);
		return -EAGAIN;
	}
	ended->epoch = t->is.epoch;
	ended->ms = boottime_ms();
	memcpy(ended->records, t->counts, sizeof(t->counts));
	forget_epoch(t);
	spin_unlock(&t->lock);
	see_all_again(t);
	return 0;
}

union argument {
	u32 volume;			/* the first field of all but info */
	struct tinyprof_info info;
	struct tinyprof_volume description;
	struct tinyprof_epoch epoch;
	struct tinyprof_processes processes;
};

static int volume_command(struct tinyprof_trace *t, unsigned int cmd,
			  union argument *arg)
{
	int ret;

	switch (cmd) {
	case TINYPROF_IOC_VOLUME:
		spin_lock(&t->lock);
		arg->description = t->is;
		spin_unlock(&t->lock);
		return 0;
	case TINYPROF_IOC_START:
		ret = start_recording(t);
		if (!ret)
			see_all_again(t);
		return ret;
	case TINYPROF_IOC_STOP:
		stop_recording(t);
		return 0;
	case TINYPROF_IOC_REARM:
		return rearm(t, &arg->epoch);
	case TINYPROF_IOC_PROCESSES:
		if (!counts_processes())
			break;
		tell_processes(t, &arg->processes);
		return 0;
	}
	return -ENOTTY;
}

static long tinyprof_ioctl(struct file *file, unsigned int cmd,
			   unsigned long user)
{
	size_t size = _IOC_SIZE(cmd);
	union argument arg = { };
	int ret = -ENOENT;

	/* Agents of before 2027 have the letter that is if_tun's. */
	if (_IOC_TYPE(cmd) == 'T')
		cmd ^= ('T' ^ TINYPROF_IOC_TYPE) << _IOC_TYPESHIFT;
	if (_IOC_TYPE(cmd) != TINYPROF_IOC_TYPE || size < sizeof(arg.volume) ||
	    size > sizeof(arg))
		return -ENOTTY;
	if (!file->private_data)
		return -EBADF;
	if (copy_from_user(&arg, (void __user *)user, size))
		return -EFAULT;
	if (mutex_lock_interruptible(&volumes_lock))
		return -ERESTARTSYS;
	if (cmd == TINYPROF_IOC_INFO) {
		arg.info.abi = TINYPROF_ABI;
		arg.info.volumes = MAX_VOLUMES;
		arg.info.boot_id = boot_id;
		ret = 0;
	} else if (arg.volume < MAX_VOLUMES && volumes[arg.volume].sb) {
		ret = volume_command(&volumes[arg.volume], cmd, &arg);
	}
	mutex_unlock(&volumes_lock);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user((void __user *)user, &arg, size))
		return -EFAULT;
	return ret;
}

static int tinyprof_open(struct inode *inode, struct file *file)
{
	struct tinyprof_reader *reader = NULL;
	int ret = 0;

	if (file->f_mode & FMODE_READ) {
		if (test_and_set_bit(0, &has_reader))
			return -EBUSY;
		reader = kmalloc(sizeof(*reader), GFP_KERNEL);
		if (!reader) {
			clear_bit(0, &has_reader);
			ret = -ENOMEM;
		}
	}
	/* misc_open() left its miscdevice here. */
	file->private_data = reader;
	return ret;
}

static int tinyprof_release(struct inode *inode, struct file *file)
{
	if (!file->private_data)
		return 0;
	kfree(file->private_data);
	clear_bit(0, &has_reader);
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

/* A mount never fails for the tracer's sake: it goes untraced, and says so. */
void tinyprof_mounted(struct super_block *sb, const struct cramfs_super *super)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;
	struct tinyprof_trace *t = volumes;
	int ret = -ENOSPC;

	if (!(super->flags & CRAMFS_FLAG_FSID_VERSION_2))
		return;
	mutex_lock(&volumes_lock);
	while (t < volumes + MAX_VOLUMES && t->sb)
		t++;
	if (t < volumes + MAX_VOLUMES) {
		memset(t, 0, sizeof(*t));
		spin_lock_init(&t->lock);
		t->sb = sb;
		t->is.volume = t - volumes;
		t->is.crc = super->fsid.crc;
		t->is.edition = super->fsid.edition;
		t->is.blocks = super->fsid.blocks;
		t->is.files = super->fsid.files;
		t->is.size = sbi->size;
		memcpy(t->is.name, super->name, sizeof(t->is.name));
		sbi->trace = t;
		ret = tinyprof_on ? start_recording(t) : 0;
	}
	mutex_unlock(&volumes_lock);
	if (ret)
		pr_warn("cramfs: tinyprof: %s is not recorded (%d)\n",
			sb->s_id, ret);
}

void tinyprof_unmount(struct super_block *sb)
{
	struct cramfs_sb_info *sbi = sb->s_fs_info;
	struct tinyprof_trace *t = sbi ? sbi->trace : NULL;

	if (!t)
		return;
	mutex_lock(&volumes_lock);
	sbi->trace = NULL;
	t->is.flags = 0;
	/* traced_get_link() of a walk under RCU may have found the trace before. */
	synchronize_rcu();
	t->sb = NULL;
	t->is.queued = 0;
	release_tables(t);
	mutex_unlock(&volumes_lock);
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
