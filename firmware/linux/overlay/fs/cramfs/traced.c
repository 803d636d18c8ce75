// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and symbolic links with the tracer beside them. What traces mappings is
 * in traced_mmu.c and traced_nommu.c.
 */
#include <linux/fs.h>
#include <linux/uio.h>

#include "internal.h"
#include "tinyprof.h"
#include "traced.h"
#include "version.h"
#include "xip.h"

static void touch_bytes(struct file *file, loff_t from, ssize_t bytes)
{
	if (bytes > 0)
		tinyprof_touch(file_inode(file), from >> PAGE_SHIFT,
			       (from + bytes - 1) >> PAGE_SHIFT, TINYPROF_FILE);
}

ssize_t cramfs_traced_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	loff_t from = iocb->ki_pos;
	ssize_t ret = cramfs_xip_read_iter(iocb, to);

	touch_bytes(iocb->ki_filp, from, ret);
	return ret;
}

ssize_t cramfs_traced_splice_read(struct file *file, loff_t *pos,
				  struct pipe_inode_info *pipe, size_t size,
				  unsigned int flags)
{
	loff_t from = *pos;
	ssize_t ret = cramfs_xip_splice_read(file, pos, pipe, size, flags);

	touch_bytes(file, from, ret);
	return ret;
}

/*
 * A link that is followed has its target in the page cache, a page for each
 * link. To the tracer that is a read of its only page.
 */
static const char *traced_get_link(struct dentry *dentry, struct inode *inode,
				   struct delayed_call *done)
{
	const char *target = page_get_link(dentry, inode, done);

	if (!IS_ERR_OR_NULL(target))
		tinyprof_touch(inode, 0, 0, TINYPROF_FILE);
	return target;
}

const struct inode_operations cramfs_traced_link_ops = {
	.get_link	= traced_get_link,
};
