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
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <uapi/linux/cramfs_fs.h>

#include "internal.h"
#include "version.h"
#include "xip.h"

/* As far as the kernel's own fault-around goes (mm/memory.c). */
#define AROUND_BYTES		((unsigned long)SZ_64K)

static bool xip = true;
module_param(xip, bool, 0644);
MODULE_PARM_DESC(xip, "let new mappings show blocks in place; 0 to debug programs");

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
 * Find the place in the image of a block that can be mapped in place. The
 * image is not trusted: both the pointer and what it points to must lie inside
 * it. A device without a physical address (phram) has no such block.
 */
static bool block_in_place(struct inode *inode, pgoff_t pgoff,
			   unsigned long *place)
{
	const u32 wanted = CRAMFS_BLK_FLAG_DIRECT_PTR |
			   CRAMFS_BLK_FLAG_UNCOMPRESSED;
	struct cramfs_sb_info *sbi = sb_info(inode);
	unsigned long pointer = inode->i_ino + pgoff * sizeof(u32);
	unsigned long offset;
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
	if (!PAGE_ALIGNED(sbi->linear_phys_addr + offset) ||
	    !tail_is_clean(inode, pgoff, sbi->linear_virt_addr + offset))
		return false;

	*place = offset;
	return true;
}

/* Map the page of a file at its address in vma. VM_FAULT_NOPAGE if it is. */
static vm_fault_t map_block(struct vm_area_struct *vma, pgoff_t pgoff)
{
	struct inode *inode = file_inode(vma->vm_file);
	unsigned long address = vma->vm_start +
				((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
	unsigned long place;

	if (!block_in_place(inode, pgoff, &place))
		return 0;
	return cramfs_insert_mixed(vma, address,
				   sb_info(inode)->linear_phys_addr + place);
}

/*
 * What a fault may map: the pages within one aligned window, one mapping and
 * one page table, as do_fault_around() has it.
 */
void cramfs_xip_window(struct vm_fault *vmf, pgoff_t *first, pgoff_t *last)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long window = ALIGN_DOWN(vmf->address, AROUND_BYTES);
	unsigned long start = max3(window, vma->vm_start,
				   vmf->address & PMD_MASK);
	unsigned long end = min3(window + AROUND_BYTES - 1, vma->vm_end - 1,
				 vmf->address | ~PMD_MASK);

	*first = linear_page_index(vma, start);
	*last = *first + ((end - start) >> PAGE_SHIFT);
}

static void map_neighbours(struct vm_fault *vmf)
{
	pgoff_t first, last;

	cramfs_xip_window(vmf, &first, &last);
	for (; first <= last; first++)
		map_block(vmf->vma, first);
}

/*
 * khugepaged makes huge pages of a file where CONFIG_READ_ONLY_THP_FOR_FS lets
 * it, also of blocks in place. None may be mapped as one where a frame of the
 * flash is to be inserted: vmf_insert_mixed() would take it for a page table.
 * A mapping that has a page table keeps it.
 */
static bool has_page_table(struct vm_fault *vmf)
{
	return !IS_ENABLED(CONFIG_READ_ONLY_THP_FOR_FS) || !pmd_none(*vmf->pmd);
}

static int allocate_page_table(struct vm_fault *vmf)
{
	if (has_page_table(vmf))
		return 0;
	return apply_to_page_range(vmf->vma->vm_mm, vmf->address & PAGE_MASK,
				   PAGE_SIZE, NULL, NULL);
}

/* Map one page, and its neighbours in place too. */
static vm_fault_t map_or_cache(struct vm_fault *vmf, bool neighbours)
{
	vm_fault_t ret;

	/*
	 * do_cow_fault() wants a page to copy from, and only a mapping that
	 * cramfs_xip_mmap() marked may hold frames without a struct page.
	 */
	if (vmf->cow_page || !(vmf->vma->vm_flags & VM_MIXEDMAP))
		return filemap_fault(vmf);

	if (allocate_page_table(vmf))
		return VM_FAULT_OOM;
	ret = map_block(vmf->vma, vmf->pgoff);
	if (ret & VM_FAULT_ERROR)
		return ret;
	if (neighbours)
		map_neighbours(vmf);
	return ret ? ret : filemap_fault(vmf);
}

vm_fault_t cramfs_xip_fault_alone(struct vm_fault *vmf)
{
	return map_or_cache(vmf, false);
}

vm_fault_t cramfs_xip_fault(struct vm_fault *vmf)
{
	return map_or_cache(vmf, true);
}

/*
 * Fault-around for cached pages. It must not sleep, so blocks in place are left
 * to cramfs_xip_fault().
 */
vm_fault_t cramfs_xip_map_pages(struct vm_fault *vmf, pgoff_t first,
				pgoff_t last)
{
	if (vmf->vma->vm_flags & VM_MIXEDMAP && !has_page_table(vmf))
		return 0;
	return filemap_map_pages(vmf, first, last);
}

/* Let a debugger read a block in place, where access_remote_vm() asks. */
int cramfs_xip_access(struct vm_area_struct *vma, unsigned long address,
		      void *buffer, int length, int write)
{
	struct inode *inode = file_inode(vma->vm_file);
	unsigned long place;

	if (write || !block_in_place(inode, linear_page_index(vma, address),
				     &place))
		return -EIO;
	length = min_t(int, length, PAGE_SIZE - offset_in_page(address));
	memcpy(buffer, sb_info(inode)->linear_virt_addr + place +
	       offset_in_page(address), length);
	return length;
}

static const struct vm_operations_struct cramfs_xip_vm_ops = {
	.fault		= cramfs_xip_fault,
	.map_pages	= cramfs_xip_map_pages,
	.access		= cramfs_xip_access,
};

static bool any_block_in_place(struct inode *inode, pgoff_t first,
			       unsigned long pages)
{
	unsigned long place;
	pgoff_t pgoff;

	if (first >= file_pages(inode))
		return false;
	pages = min(pages, file_pages(inode) - first);
	for (pgoff = first; pgoff < first + pages; pgoff++)
		if (block_in_place(inode, pgoff, &place))
			return true;
	return false;
}

/*
 * A frame of the flash has no struct page, so a debugger can neither read nor
 * write it: what a traced task maps goes through the page cache.
 */
static bool may_map_in_place(void)
{
	return READ_ONCE(xip) && !current->ptrace;
}

int cramfs_xip_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = generic_file_readonly_mmap(file, vma);

	if (ret)
		return ret;
	/* VM_MIXEDMAP makes fork() copy page tables: only where it pays. */
	if (may_map_in_place() &&
	    any_block_in_place(file_inode(file), vma->vm_pgoff, vma_pages(vma)))
		cramfs_allow_mixed(vma);
	vma->vm_ops = &cramfs_xip_vm_ops;
	return 0;
}

ssize_t cramfs_xip_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return generic_file_read_iter(iocb, to);
}

ssize_t cramfs_xip_splice_read(struct file *file, loff_t *pos,
			       struct pipe_inode_info *pipe, size_t size,
			       unsigned int flags)
{
	return cramfs_splice_read(file, pos, pipe, size, flags);
}

const struct file_operations cramfs_xip_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= cramfs_xip_read_iter,
	.splice_read	= cramfs_xip_splice_read,
	.mmap		= cramfs_xip_mmap,
};
