/* SPDX-License-Identifier: GPL-2.0-only */
/* The entry points of the tracer (tinyprof.c, traced.c and its two others). */
#ifndef _CRAMFS_TINYPROF_H
#define _CRAMFS_TINYPROF_H

#include <linux/fs.h>
#include <linux/types.h>
#include <uapi/linux/cramfs_fs.h>
#include <uapi/linux/cramfs_tinyprof.h>

#ifdef CONFIG_CRAMFS_TINYPROF
extern const struct inode_operations cramfs_traced_link_ops;

/* Give a regular file the operations that tell the tracer of each touch. */
void tinyprof_inode(struct inode *inode);

/* The same for a symbolic link and its page. */
static inline void tinyprof_link(struct inode *inode)
{
	inode->i_op = &cramfs_traced_link_ops;
}

void tinyprof_init(void);
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

/*
 * The same for the page of a fault, before it is mapped in place, and after: if
 * a new epoch began meanwhile, the page is told for that one, which ends no
 * sooner. The end is for a fault whose begin was not 0.
 */
u32 tinyprof_begin_fault(struct inode *inode, pgoff_t pgoff, unsigned int kind);
u32 tinyprof_end_fault(struct inode *inode, pgoff_t pgoff, unsigned int kind,
		       u32 epoch);

/*
 * A new epoch has begun: have the pages of a mapped file that are touched from
 * now on told, or where no access is seen, all pages that are mapped.
 */
void tinyprof_see_again(struct inode *inode);

/* The running epoch, or 0 where the volume is not being recorded. */
u32 tinyprof_epoch(struct super_block *sb);
#else
static inline void tinyprof_inode(struct inode *inode) { }

static inline void tinyprof_link(struct inode *inode) { }

static inline void tinyprof_init(void) { }

static inline void tinyprof_exit(void) { }

static inline void tinyprof_mounted(struct super_block *sb,
				    const struct cramfs_super *super) { }

static inline void tinyprof_unmount(struct super_block *sb) { }
#endif

#endif
