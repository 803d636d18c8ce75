/* SPDX-License-Identifier: GPL-2.0-only */
/* The entry points of mapping blocks in place (xip.c). */
#ifndef _CRAMFS_XIP_H
#define _CRAMFS_XIP_H

#include <linux/fs.h>
#include <linux/mm.h>

#ifdef CONFIG_CRAMFS_XIP_FAULT
extern const struct file_operations cramfs_xip_fops;

/* Give a regular file the operations that map each of its blocks in place. */
static inline void cramfs_xip_inode(struct inode *inode)
{
	inode->i_fop = &cramfs_xip_fops;
}

/*
 * The operations themselves, for whoever wraps them. A fault maps its page and
 * the neighbours within its window. Its two parts map the page alone: where it
 * is in place and not to be copied (0: it is not), and through the page cache
 * or as a copy.
 */
vm_fault_t cramfs_xip_fault(struct vm_fault *vmf);
vm_fault_t cramfs_xip_map(struct vm_fault *vmf);
vm_fault_t cramfs_xip_cache(struct vm_fault *vmf);
vm_fault_t cramfs_xip_map_pages(struct vm_fault *vmf, pgoff_t first,
				pgoff_t last);
void cramfs_xip_window(struct vm_fault *vmf, pgoff_t *first, pgoff_t *last);
int cramfs_xip_access(struct vm_area_struct *vma, unsigned long address,
		      void *buffer, int length, int write);
int cramfs_xip_mmap(struct file *file, struct vm_area_struct *vma);
ssize_t cramfs_xip_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t cramfs_xip_splice_read(struct file *file, loff_t *pos,
			       struct pipe_inode_info *pipe, size_t size,
			       unsigned int flags);
#else
static inline void cramfs_xip_inode(struct inode *inode) { }

#define cramfs_xip_read_iter	generic_file_read_iter
#define cramfs_xip_splice_read	cramfs_splice_read
#endif

#endif
