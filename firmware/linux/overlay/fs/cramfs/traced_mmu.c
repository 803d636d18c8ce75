// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of xip.c with the tracer beside them: each touch of a page is
 * told to it. While a volume is recorded every page faults by itself.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "internal.h"
#include "tinyprof.h"
#include "version.h"
#include "xip.h"

static unsigned int fault_kind(struct vm_fault *vmf)
{
	if (vmf->cow_page)
		return TINYPROF_WRITE;
	if (vmf->vma->vm_flags & VM_EXEC)
		return TINYPROF_EXEC;
	return TINYPROF_READ;
}

static vm_fault_t traced_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	pgoff_t pgoff = vmf->pgoff, first, last;
	unsigned int kind = fault_kind(vmf);
	u32 epoch = tinyprof_touch(inode, pgoff, pgoff, kind);
	vm_fault_t ret;

	cramfs_xip_window(vmf, &first, &last);
	ret = epoch ? cramfs_xip_fault_alone(vmf) : cramfs_xip_fault(vmf);
	/* Nothing is mapped, and no lock holds the file and its inode any more. */
	if (ret & VM_FAULT_RETRY)
		return ret;
	if (tinyprof_epoch(inode->i_sb) == epoch)
		return ret;
	/*
	 * A start or a re-arm since the record may have passed this page before
	 * it was mapped. It would not fault again, so it counts for the new
	 * epoch too. Neighbours that nobody touched are unmapped again.
	 */
	if (!epoch)
		unmap_mapping_range(inode->i_mapping,
				    (loff_t)first << PAGE_SHIFT,
				    (loff_t)(last - first + 1) << PAGE_SHIFT, 0);
	tinyprof_touch(inode, pgoff, pgoff, kind);
	return ret;
}

static vm_fault_t traced_map_pages(struct vm_fault *vmf, pgoff_t first,
				   pgoff_t last)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;

	if (tinyprof_epoch(inode->i_sb))
		return 0;
	ret = cramfs_xip_map_pages(vmf, first, last);
	/*
	 * Should a recording have started meanwhile: this may not sleep, so what
	 * was mapped counts as touched.
	 */
	tinyprof_touch(inode, first, last, fault_kind(vmf));
	return ret;
}

CRAMFS_MAP_PAGES(traced_map_pages)

static const struct vm_operations_struct traced_vm_ops = {
	.fault		= traced_fault,
	.map_pages	= traced_map_pages_op,
	.access		= cramfs_xip_access,
};

static int traced_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = cramfs_xip_mmap(file, vma);

	if (!ret)
		vma->vm_ops = &traced_vm_ops;
	return ret;
}

static void touch_bytes(struct file *file, loff_t from, ssize_t bytes)
{
	if (bytes > 0)
		tinyprof_touch(file_inode(file), from >> PAGE_SHIFT,
			       (from + bytes - 1) >> PAGE_SHIFT, TINYPROF_FILE);
}

static ssize_t traced_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	loff_t from = iocb->ki_pos;
	ssize_t ret = cramfs_xip_read_iter(iocb, to);

	touch_bytes(iocb->ki_filp, from, ret);
	return ret;
}

static ssize_t traced_splice_read(struct file *file, loff_t *pos,
				  struct pipe_inode_info *pipe, size_t size,
				  unsigned int flags)
{
	loff_t from = *pos;
	ssize_t ret = cramfs_xip_splice_read(file, pos, pipe, size, flags);

	touch_bytes(file, from, ret);
	return ret;
}

const struct file_operations cramfs_traced_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= traced_read_iter,
	.splice_read	= traced_splice_read,
	.mmap		= traced_mmap,
};

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
