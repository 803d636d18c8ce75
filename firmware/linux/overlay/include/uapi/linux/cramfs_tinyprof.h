/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/tinyprof: which pages of mounted CramFS volumes are touched.
 *
 * One reader at a time. read() drains one volume's queue; the ioctls name
 * volumes, start and stop recording, and end an epoch. Whoever opens it only
 * to write() sets a mark, also beside the reader.
 *
 * What read() returns is taken off the queue once it was copied whole: nothing
 * is lost to an error or a close. A mark is never cut: EINVAL where it is longer
 * than the buffer. A volume that was stopped keeps its memory until its last
 * record was read.
 */
#ifndef _UAPI_LINUX_CRAMFS_TINYPROF_H
#define _UAPI_LINUX_CRAMFS_TINYPROF_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Grows when anything below changes its meaning or its size, not with what is added. */
#define TINYPROF_ABI			1

/*
 * A record as read() returns it: the page id in the low 27 bits, and above it
 * one bit for each kind of access first seen since the page was last reported
 * in this epoch. At least one kind bit is set.
 *
 * A page id is (inode number >> 2) + page index: the word address, in the
 * image, of the page's block pointer.
 */
#define TINYPROF_PAGE_ID_MASK		0x07ffffffu
#define TINYPROF_KIND_SHIFT		28

/*
 * Kinds, as bit numbers. Without an MMU all pages of a mapping count as touched
 * when it is made, and again in each epoch that it lives on in.
 */
#define TINYPROF_EXEC			0	/* mapped for execution */
#define TINYPROF_READ			1	/* mapped, not for execution */
#define TINYPROF_WRITE			2	/* private page about to be copied */
#define TINYPROF_FILE			3	/* read(), splice(), sendfile(); a link followed */
#define TINYPROF_KINDS			4

/* The head of the records of one read(). */
struct tinyprof_batch {
	__u32 volume;			/* index of the volume */
	__u32 epoch;			/* epoch the records belong to */
	__u32 ms;			/* CLOCK_BOOTTIME in ms, modulo 2^32 */
	__u32 count;			/* records that follow, each a __u32 */
};

/*
 * A batch of this volume is a mark, spelled as records: one of kind exec for
 * each byte of its text, the byte in place of the page id. It travels as any
 * batch does. ms is when it was written; epoch counts the marks, from 1.
 */
#define TINYPROF_MARK			0xffffffffu
#define TINYPROF_MARK_MAX		31

struct tinyprof_info {
	__u32 abi;			/* TINYPROF_ABI */
	__u32 volumes;			/* indices 0 to volumes - 1 are in use or free */
	__u64 boot_id;			/* random, made once a boot */
};

/* tinyprof_volume.flags */
#define TINYPROF_RECORDING		1	/* touches are being queued */

struct tinyprof_volume {
	__u32 volume;			/* in: which; ENOENT where none is mounted */
	__u32 flags;
	__u32 crc;			/* the superblock's fsid ... */
	__u32 edition;
	__u32 blocks;
	__u32 files;
	__u32 size;			/* ... and the image's size in bytes */
	__u32 epoch;			/* current epoch, from 1 */
	__u32 queued;			/* records waiting for read() */
	__u32 untraced;	/* touches that the volume's own counts left no room for */
	__u8 name[16];			/* as in the superblock, not always terminated */
};

struct tinyprof_epoch {
	__u32 volume;			/* in: which */
	__u32 epoch;			/* the epoch that has just ended */
	__u32 ms;			/* when, as in tinyprof_batch */
	__u32 records[TINYPROF_KINDS];	/* how many records it had, by kind */
};

/* Files told by one call. The next call tells the rest. */
#define TINYPROF_PROCESSES_MAX		16

/*
 * Files that more processes map at once than was told before. Each re-arm
 * counts the processes that map a file's page 0. A file that no call has told
 * of was never mapped by two processes at once.
 */
struct tinyprof_processes {
	__u32 volume;			/* in: which */
	__u32 count;	/* of the files below; in: 0, or 1 to be told of all anew */
	struct tinyprof_file {
		__u32 page_id;		/* of its page 0 */
		__u32 processes;	/* the most so far; 2 to 65535 */
	} files[TINYPROF_PROCESSES_MAX];
};

/* Free in ioctl-number.rst. Kernels answer the former 'T', if_tun's, as well. */
#define TINYPROF_IOC_TYPE	0xd7
#define TINYPROF_IOC_INFO	_IOR(TINYPROF_IOC_TYPE, 0xc0, struct tinyprof_info)
#define TINYPROF_IOC_VOLUME	_IOWR(TINYPROF_IOC_TYPE, 0xc1, struct tinyprof_volume)
#define TINYPROF_IOC_START	_IOW(TINYPROF_IOC_TYPE, 0xc2, __u32)
#define TINYPROF_IOC_STOP	_IOW(TINYPROF_IOC_TYPE, 0xc3, __u32)
/*
 * End the epoch and re-arm. EAGAIN while the volume's queue is not empty, or a
 * fault of a former epoch has not told its page for this one.
 */
#define TINYPROF_IOC_REARM	_IOWR(TINYPROF_IOC_TYPE, 0xc4, struct tinyprof_epoch)
/* ENOTTY where the kernel does not count processes. */
#define TINYPROF_IOC_PROCESSES	_IOWR(TINYPROF_IOC_TYPE, 0xc5, struct tinyprof_processes)

#endif
