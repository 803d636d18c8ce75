// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings with the tracer beside them where no page faults. A mapping touches
 * all of its pages: when it is made, and in each epoch that it lives on in.
 *
 * 1. One in place is told by the file's mmap(), which do_mmap() calls for each
 *    process.
 * 2. Of a copy in RAM do_mmap() tells the file nothing but that it asked for an
 *    address in flash in vain. That is a touch of kind read: whether the copy
 *    may be executed is not known there. The kernel_read() that makes it adds
 *    kind file, and a process that shares a copy adds nothing. From the next
 *    re-arm on the pages are of the kind of the mapping. A task that is traced
 *    by a debugger never shares, so do_mmap() does not ask, and kind file is all.
 * 3. One that may be written is a copy of its process's own. It would be one
 *    wherever its pages are stored, so the read that made it is all there is.
 *
 * do_mmap() puts a mapping into i_mmap after it called mmap(). One that a re-arm
 * comes between is told for the epoch that ended, and again by the next re-arm.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <uapi/linux/cramfs_fs.h>

#include "internal.h"
#include "tinyprof.h"
#include "traced.h"
#include "version.h"

static void touch_mapping(struct inode *inode, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_WRITE))
		tinyprof_touch(inode, vma->vm_pgoff,
			       vma->vm_pgoff + vma_pages(vma) - 1,
			       cramfs_mapped_kind(vma));
}

static int traced_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = cramfs_physmem_mmap(file, vma);

	if (!ret)
		touch_mapping(file_inode(file), vma);
	return ret;
}

static unsigned long traced_get_unmapped_area(struct file *file,
					      unsigned long address,
					      unsigned long bytes,
					      unsigned long pgoff,
					      unsigned long flags)
{
	address = cramfs_physmem_get_unmapped_area(file, address, bytes, pgoff,
						   flags);
	/* EINVAL: no mapping at all, since it goes beyond the file's end. */
	if (IS_ERR_VALUE(address) && address != (unsigned long)-EINVAL)
		tinyprof_touch(file_inode(file), pgoff,
			       pgoff + ((bytes - 1) >> PAGE_SHIFT),
			       TINYPROF_READ);
	return address;
}

/* As without the tracer: of an image in no memory each mapping is a copy. */
static unsigned int traced_mmap_capabilities(struct file *file)
{
	struct cramfs_sb_info *sbi = file_inode(file)->i_sb->s_fs_info;

	if (!sbi->linear_phys_addr ||
	    !(sbi->flags & CRAMFS_FLAG_EXT_BLOCK_POINTERS))
		return NOMMU_MAP_COPY;
	return cramfs_physmem_mmap_capabilities(file);
}

static const struct file_operations traced_fops = {
	.llseek			= generic_file_llseek,
	.read_iter		= cramfs_traced_read_iter,
	.splice_read		= cramfs_traced_splice_read,
	.mmap			= traced_mmap,
	.get_unmapped_area	= traced_get_unmapped_area,
	.mmap_capabilities	= traced_mmap_capabilities,
};

void tinyprof_inode(struct inode *inode)
{
	inode->i_fop = &traced_fops;
}

/* Touch what is mapped: no access to it will be seen. */
void tinyprof_see_again(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct vm_area_struct *vma;

	i_mmap_lock_read(mapping);
	cramfs_foreach_mapping(vma, mapping, 0, ULONG_MAX)
		touch_mapping(inode, vma);
	i_mmap_unlock_read(mapping);
}
