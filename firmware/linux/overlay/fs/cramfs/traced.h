/* SPDX-License-Identifier: GPL-2.0-only */
/* Operations that tell the tracer of each touch (traced.c). */
#ifndef _CRAMFS_TRACED_H
#define _CRAMFS_TRACED_H

#include <linux/fs.h>
#include <linux/mm.h>

ssize_t cramfs_traced_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t cramfs_traced_splice_read(struct file *file, loff_t *pos,
				  struct pipe_inode_info *pipe, size_t size,
				  unsigned int flags);

/* The kind of a touch through a mapping, where no page is about to be copied. */
static inline unsigned int cramfs_mapped_kind(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_EXEC ? TINYPROF_EXEC : TINYPROF_READ;
}

#endif
