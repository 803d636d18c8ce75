// SPDX-License-Identifier: GPL-2.0-only
/*
 * CramFS pages executed in place, block by block.
 *
 * cramfs_physmem_mmap() maps only the run of uncompressed blocks that a
 * mapping begins with. Here each block is looked up when it is touched: one
 * that lies uncompressed on a page boundary of the flash is mapped from there
 * and costs no RAM; every other goes through the page cache as always.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/sizes.h>
#include <linux/uio.h>

#include "sb.h"
#include "version.h"

/* As far as the kernel's own fault-around goes (mm/memory.c). */
#define AROUND_BYTES		((unsigned long)SZ_64K)

static struct cramfs_sb_info *sb_info(struct inode *inode)
{
	return inode->i_sb->s_fs_info;
}

static pgoff_t file_pages(struct inode *inode)
{
	return DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
}

/*
 * A file's last page may be shown in place only if nothing but zeros follows
 * the file's end in it, or another file's data would be seen.
 */
static bool tail_is_clean(struct inode *inode, pgoff_t pgoff, void *page)
{
	size_t partial = offset_in_page(i_size_read(inode));

	if (!partial || pgoff != file_pages(inode) - 1)
		return true;
	return !memchr_inv(page + partial, 0, PAGE_SIZE - partial);
}

/*
 * Find the page frame of a block that can be mapped in place. The image is
 * not trusted: both the pointer and what it points to must lie inside it.
 */
static bool block_pfn(struct inode *inode, pgoff_t pgoff, pfn_t *pfn)
{
	const u32 wanted = CRAMFS_BLK_FLAG_DIRECT_PTR |
			   CRAMFS_BLK_FLAG_UNCOMPRESSED;
	struct cramfs_sb_info *sbi = sb_info(inode);
	unsigned long pointer = inode->i_ino + pgoff * sizeof(u32);
	unsigned long offset;
	phys_addr_t phys;
	u32 block;

	if (!sbi->linear_phys_addr || sbi->size < PAGE_SIZE ||
	    !(sbi->flags & CRAMFS_FLAG_EXT_BLOCK_POINTERS))
		return false;
	if (pgoff >= file_pages(inode) || pointer > sbi->size - sizeof(u32))
		return false;

	block = *(u32 *)(sbi->linear_virt_addr + pointer);
	if ((block & CRAMFS_BLK_FLAGS) != wanted)
		return false;

	offset = (unsigned long)(block & ~CRAMFS_BLK_FLAGS)
			<< CRAMFS_BLK_DIRECT_PTR_SHIFT;
	if (offset > sbi->size - PAGE_SIZE)
		return false;
	phys = sbi->linear_phys_addr + offset;
	if (!PAGE_ALIGNED(phys) ||
	    !tail_is_clean(inode, pgoff, sbi->linear_virt_addr + offset))
		return false;

	*pfn = phys_to_pfn_t(phys, PFN_DEV);
	return true;
}

/* Map the page of a file at its address in vma. VM_FAULT_NOPAGE if it is. */
static vm_fault_t map_block(struct vm_area_struct *vma, pgoff_t pgoff)
{
	unsigned long address = vma->vm_start +
				((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
	pfn_t pfn;

	if (!block_pfn(file_inode(vma->vm_file), pgoff, &pfn))
		return 0;
	return vmf_insert_mixed(vma, address, pfn);
}

/* Map the blocks first to last that are not mapped yet, if they can be. */
static vm_fault_t map_range(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	vm_fault_t touched = 0;
	pgoff_t pgoff;

	for (pgoff = first; pgoff <= last; pgoff++) {
		vm_fault_t ret = map_block(vmf->vma, pgoff);

		if (pgoff == vmf->pgoff)
			touched = ret;
	}
	return touched;
}

static unsigned int fault_kind(struct vm_fault *vmf)
{
	if (vmf->cow_page)
		return TINYPROF_WRITE;
	if (vmf->vma->vm_flags & VM_EXEC)
		return TINYPROF_EXEC;
	return TINYPROF_READ;
}

/*
 * The neighbours of a fault that can be mapped along with it: within one
 * aligned window, one mapping and one page table, as do_fault_around() has it.
 */
static void map_neighbours(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct inode *inode = file_inode(vma->vm_file);
	unsigned long window = ALIGN_DOWN(vmf->address, AROUND_BYTES);
	unsigned long start = max3(window, vma->vm_start,
				   vmf->address & PMD_MASK);
	unsigned long end = min(window + AROUND_BYTES - 1, vma->vm_end - 1);
	pgoff_t first = linear_page_index(vma, start), last;

	end = min(end, vmf->address | ~PMD_MASK);
	last = first + ((end - start) >> PAGE_SHIFT);
	map_range(vmf, first, last);
	/* A recording may have started meanwhile: see cramfs_xip_map_pages(). */
	tinyprof_touch(inode, first, last, fault_kind(vmf));
}

/* Map one page; its neighbours too, unless each of them is to fault by itself. */
static vm_fault_t map_or_cache(struct vm_fault *vmf, bool neighbours)
{
	vm_fault_t ret;

	/*
	 * do_cow_fault() wants a page to copy from, and only a mapping that
	 * cramfs_xip_mmap() marked may hold frames without a struct page.
	 */
	if (vmf->cow_page || !(vmf->vma->vm_flags & VM_MIXEDMAP))
		return filemap_fault(vmf);

	ret = map_block(vmf->vma, vmf->pgoff);
	if (ret & VM_FAULT_ERROR)
		return ret;
	if (neighbours)
		map_neighbours(vmf);
	return ret ? ret : filemap_fault(vmf);
}

static vm_fault_t cramfs_xip_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	unsigned int kind = fault_kind(vmf);
	u32 epoch = tinyprof_touch(inode, vmf->pgoff, vmf->pgoff, kind);
	vm_fault_t ret = map_or_cache(vmf, !epoch);

	/* Nothing is mapped, and no lock holds the file and its inode any more. */
	if (ret & VM_FAULT_RETRY)
		return ret;
	/*
	 * A start or a re-arm since the record may have passed this page before
	 * it was mapped. It would not fault again, so it counts for the new
	 * epoch too.
	 */
	if (tinyprof_epoch(inode->i_sb) != epoch)
		tinyprof_touch(inode, vmf->pgoff, vmf->pgoff, kind);
	return ret;
}

/* Fault-around, so that mapping in place costs no more faults than caching. */
static vm_fault_t cramfs_xip_map_pages(struct vm_fault *vmf, pgoff_t first,
				       pgoff_t last)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;

	if (tinyprof_epoch(inode->i_sb))
		return 0;

	ret = filemap_map_pages(vmf, first, last);
	/*
	 * Without a page table vmf_insert_mixed() would have to allocate one,
	 * and do_fault_around() of newer kernels holds the RCU lock here.
	 * cramfs_xip_fault() maps the neighbours then. Nor may it meet a huge
	 * page, which khugepaged can make of a mapping without VM_MIXEDMAP that
	 * mremap() grew over blocks in place.
	 */
	if (vmf->vma->vm_flags & VM_MIXEDMAP && !pmd_none(*vmf->pmd) &&
	    !pmd_trans_huge(*vmf->pmd))
		ret |= map_range(vmf, first, last);
	/*
	 * A recording that started meanwhile may have passed these pages before
	 * they were mapped. They count as touched, rather than never be seen.
	 */
	tinyprof_touch(inode, first, last, fault_kind(vmf));
	return ret;
}

static const struct vm_operations_struct cramfs_xip_vm_ops = {
	.fault		= cramfs_xip_fault,
	.map_pages	= cramfs_xip_map_pages,
};

static bool any_block_in_place(struct inode *inode, pgoff_t first,
			       unsigned long pages)
{
	pgoff_t pgoff;
	pfn_t pfn;

	if (first >= file_pages(inode))
		return false;
	pages = min(pages, file_pages(inode) - first);
	for (pgoff = first; pgoff < first + pages; pgoff++)
		if (block_pfn(inode, pgoff, &pfn))
			return true;
	return false;
}

static int cramfs_xip_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	int ret = generic_file_readonly_mmap(file, vma);

	if (ret)
		return ret;
	/* VM_MIXEDMAP makes fork() copy page tables: only where it pays. */
	if (any_block_in_place(inode, vma->vm_pgoff, vma_pages(vma)))
		cramfs_allow_mixed(vma);
	vma->vm_ops = &cramfs_xip_vm_ops;
	return 0;
}

static void touch_bytes(struct file *file, loff_t from, ssize_t bytes)
{
	if (bytes > 0)
		tinyprof_touch(file_inode(file), from >> PAGE_SHIFT,
			       (from + bytes - 1) >> PAGE_SHIFT, TINYPROF_FILE);
}

static ssize_t cramfs_xip_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	loff_t from = iocb->ki_pos;
	ssize_t ret = generic_file_read_iter(iocb, to);

	touch_bytes(iocb->ki_filp, from, ret);
	return ret;
}

static ssize_t cramfs_xip_splice_read(struct file *file, loff_t *pos,
				      struct pipe_inode_info *pipe, size_t size,
				      unsigned int flags)
{
	loff_t from = *pos;
	ssize_t ret = cramfs_splice_read(file, pos, pipe, size, flags);

	touch_bytes(file, from, ret);
	return ret;
}

const struct file_operations cramfs_xip_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= cramfs_xip_read_iter,
	.splice_read	= cramfs_xip_splice_read,
	.mmap		= cramfs_xip_mmap,
};

/*
 * A link that is followed has its target in the page cache, a page for each
 * link. To the tracer that is a read of its only page.
 */
static const char *cramfs_xip_get_link(struct dentry *dentry,
				       struct inode *inode,
				       struct delayed_call *done)
{
	const char *target = page_get_link(dentry, inode, done);

	if (!IS_ERR_OR_NULL(target))
		tinyprof_touch(inode, 0, 0, TINYPROF_FILE);
	return target;
}

const struct inode_operations cramfs_xip_link_ops = {
	.get_link	= cramfs_xip_get_link,
};
