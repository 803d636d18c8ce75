/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the parts of cramfs: the super block data in memory, and the entry
 * points of mapping in place (xip.c) and of the tracer (tinyprof.c).
 */
#ifndef _CRAMFS_SB_H
#define _CRAMFS_SB_H

#include <linux/fs.h>
#include <linux/types.h>
#include <uapi/linux/cramfs_fs.h>
#include <uapi/linux/cramfs_tinyprof.h>

struct tinyprof_trace;

struct cramfs_sb_info {
	unsigned long magic;
	unsigned long size;
	unsigned long blocks;
	unsigned long files;
	unsigned long flags;
	void *linear_virt_addr;
	resource_size_t linear_phys_addr;
	size_t mtd_point_size;
	struct tinyprof_trace *trace;
};

#ifdef CONFIG_CRAMFS_XIP_FAULT
extern const struct file_operations cramfs_xip_fops;
extern const struct inode_operations cramfs_xip_link_ops;

/* Give a regular file the operations that map each of its blocks in place. */
static inline void cramfs_xip_inode(struct inode *inode)
{
	inode->i_fop = &cramfs_xip_fops;
}

/* Give a symbolic link the operations that tell the tracer of its page. */
static inline void cramfs_xip_link(struct inode *inode)
{
	inode->i_op = &cramfs_xip_link_ops;
}
#else
static inline void cramfs_xip_inode(struct inode *inode) { }

static inline void cramfs_xip_link(struct inode *inode) { }
#endif

#ifdef CONFIG_CRAMFS_TINYPROF
int tinyprof_init(void);
void tinyprof_exit(void);
void tinyprof_mounted(struct super_block *sb, const struct cramfs_super *super);
void tinyprof_unmount(struct super_block *sb);

/*
 * Note the first touch of the pages first to last of a regular file, or of the
 * page of a symbolic link, kind one of TINYPROF_EXEC and so on. Returns the
 * epoch that it counts for, or 0 where the volume is not being recorded. During
 * an epoch nothing may be mapped that was not touched.
 */
u32 tinyprof_touch(struct inode *inode, pgoff_t first, pgoff_t last,
		   unsigned int kind);

/* The running epoch, or 0 where the volume is not being recorded. */
u32 tinyprof_epoch(struct super_block *sb);
#else
static inline int tinyprof_init(void)
{
	return 0;
}

static inline void tinyprof_exit(void) { }

static inline void tinyprof_mounted(struct super_block *sb,
				    const struct cramfs_super *super) { }

static inline void tinyprof_unmount(struct super_block *sb) { }

static inline u32 tinyprof_touch(struct inode *inode, pgoff_t first,
				 pgoff_t last, unsigned int kind)
{
	return 0;
}

static inline u32 tinyprof_epoch(struct super_block *sb)
{
	return 0;
}
#endif

#endif
