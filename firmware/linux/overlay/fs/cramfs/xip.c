// SPDX-License-Identifier: GPL-2.0-only
/*
 * CramFS pages executed in place, block by block.
 *
 * cramfs_physmem_mmap() maps only the run of uncompressed blocks that a
 * mapping begins with. Here each block is looked up when it is touched: one
 * that lies uncompressed on a page boundary of the flash is mapped, read and
 * copied from there and costs no RAM; every other goes through the page cache
 * as always.
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

/* A page table's worth: entries in place cost no memory beyond the table. */
#define AROUND_BYTES		PMD_SIZE

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

static void *flash(struct inode *inode, unsigned long place)
{
	return sb_info(inode)->linear_virt_addr + place;
}

/* In i_generation, which nobody asks cramfs for: a file was looked through. */
#define NOTHING_IN_PLACE	1

static bool nothing_in_place(struct inode *inode)
{
	return READ_ONCE(inode->i_generation) == NOTHING_IN_PLACE;
}

static bool any_block_in_place(struct inode *inode, pgoff_t first,
			       unsigned long pages)
{
	unsigned long place;
	pgoff_t pgoff;

	if (nothing_in_place(inode) || first >= file_pages(inode))
		return false;
	pages = min(pages, file_pages(inode) - first);
	for (pgoff = first; pgoff < first + pages; pgoff++)
		if (block_in_place(inode, pgoff, &place))
			return true;
	return false;
}

/* The first page behind pgoff and before end that is in place, or end. */
static pgoff_t next_in_place(struct inode *inode, pgoff_t pgoff, pgoff_t end)
{
	unsigned long place;

	do
		pgoff++;
	while (pgoff < end && !block_in_place(inode, pgoff, &place));
	return pgoff;
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
 * one page table.
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

/* Set one entry where there is none yet, under the page table's lock. */
static int insert_block(pte_t *pte, unsigned long address, void *data)
{
	struct vm_area_struct *vma = data;
	struct inode *inode = file_inode(vma->vm_file);
	unsigned long place, pfn;

	if (!pte_none(ptep_get(pte)) ||
	    !block_in_place(inode, linear_page_index(vma, address), &place))
		return 0;
	pfn = PHYS_PFN(sb_info(inode)->linear_phys_addr + place);
	/* Memory that plays flash: vmf_insert_mixed() counts such a page. */
	if (!IS_ENABLED(CONFIG_ARCH_HAS_PTE_SPECIAL) && pfn_valid(pfn))
		return 0;
	set_pte_at(vma->vm_mm, address, pte,
		   pte_mkspecial(pfn_pte(pfn, vma->vm_page_prot)));
	update_mmu_cache(vma, address, pte);
	return 0;
}

/*
 * Map all blocks in place around a fault at once. vmf_insert_mixed() has to do
 * it one by one where a frame's protection is looked up for each entry (PAT),
 * and in a module: not every architecture exports set_pte_at().
 */
static void map_neighbours(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	pgoff_t first, last;

	cramfs_xip_window(vmf, &first, &last);
	if (!IS_ENABLED(CONFIG_X86) && !IS_MODULE(CONFIG_CRAMFS)) {
		apply_to_page_range(vma->vm_mm, vma->vm_start +
				    ((first - vma->vm_pgoff) << PAGE_SHIFT),
				    (last - first + 1) << PAGE_SHIFT,
				    insert_block, vma);
		return;
	}
	for (; first <= last; first++)
		map_block(vma, first);
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

/*
 * A private page is about to be written. do_cow_fault() copies what it is given
 * and lets go of it, so a page for that moment spares one in the page cache.
 */
static vm_fault_t copy_block(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	unsigned long place;
	struct page *page;

	if (!block_in_place(inode, vmf->pgoff, &place))
		return filemap_fault(vmf);
	page = alloc_page(GFP_HIGHUSER);
	if (!page)
		return VM_FAULT_OOM;
	memcpy_to_page(page, 0, flash(inode, place), PAGE_SIZE);
	SetPageUptodate(page);
	lock_page(page);
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

/* No other mapping may hold frames without a struct page. */
static bool maps_in_place(struct vm_fault *vmf)
{
	return vmf->vma->vm_flags & VM_MIXEDMAP && !vmf->cow_page;
}

vm_fault_t cramfs_xip_map(struct vm_fault *vmf)
{
	if (!maps_in_place(vmf))
		return 0;
	if (allocate_page_table(vmf))
		return VM_FAULT_OOM;
	return map_block(vmf->vma, vmf->pgoff);
}

vm_fault_t cramfs_xip_cache(struct vm_fault *vmf)
{
	return vmf->cow_page ? copy_block(vmf) : filemap_fault(vmf);
}

/* Map one page, and its neighbours in place too. */
vm_fault_t cramfs_xip_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = cramfs_xip_map(vmf);

	if (ret & VM_FAULT_ERROR)
		return ret;
	if (maps_in_place(vmf))
		map_neighbours(vmf);
	return ret ? ret : cramfs_xip_cache(vmf);
}

/*
 * Fault-around for cached pages. It must not sleep, so blocks in place are left
 * to cramfs_xip_fault(), also where somebody has a copy in the page cache.
 */
vm_fault_t cramfs_xip_map_pages(struct vm_fault *vmf, pgoff_t first,
				pgoff_t last)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	unsigned long place;
	vm_fault_t ret = 0;
	pgoff_t end;

	if (!(vmf->vma->vm_flags & VM_MIXEDMAP))
		return cramfs_map_cached(vmf, first, last);
	if (!has_page_table(vmf))
		return 0;
	for (; first <= last; first = end) {
		end = next_in_place(inode, first, last + 1);
		if (!block_in_place(inode, first, &place))
			ret |= cramfs_map_cached(vmf, first, end - 1);
	}
	return ret;
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
	memcpy(buffer, flash(inode, place) + offset_in_page(address), length);
	return length;
}

CRAMFS_MAP_PAGES(cramfs_xip_map_pages)

static const struct vm_operations_struct cramfs_xip_vm_ops = {
	.fault		= cramfs_xip_fault,
	.map_pages	= cramfs_xip_map_pages_op,
	.access		= cramfs_xip_access,
};

/*
 * A frame of the flash has no struct page, so a debugger can neither read nor
 * write it: what a traced task maps goes through the page cache.
 */
static bool may_map_in_place(void)
{
	return READ_ONCE(xip) && !current->ptrace;
}

/* VM_MIXEDMAP makes fork() copy page tables: only where it pays. */
static bool wants_mixed(struct inode *inode, struct vm_area_struct *vma)
{
	if (any_block_in_place(inode, vma->vm_pgoff, vma_pages(vma)))
		return may_map_in_place();
	/* Looking costs a read of the flash for each page, but only once. */
	if (!nothing_in_place(inode) &&
	    !any_block_in_place(inode, 0, file_pages(inode)))
		WRITE_ONCE(inode->i_generation, NOTHING_IN_PLACE);
	return false;
}

int cramfs_xip_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = generic_file_readonly_mmap(file, vma);

	if (ret)
		return ret;
	if (wants_mixed(file_inode(file), vma))
		cramfs_allow_mixed(vma);
	vma->vm_ops = &cramfs_xip_vm_ops;
	return 0;
}

static ssize_t read_block(struct kiocb *iocb, struct iov_iter *to,
			  unsigned long place)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t offset = offset_in_page(iocb->ki_pos);
	size_t bytes = min_t(loff_t, PAGE_SIZE - offset,
			     i_size_read(inode) - iocb->ki_pos);

	bytes = copy_to_iter(flash(inode, place) + offset, bytes, to);
	iocb->ki_pos += bytes;
	return bytes ? bytes : -EFAULT;
}

/* Read through the page cache up to the next block in place. */
static ssize_t read_cached(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t count = iov_iter_count(to), rest;
	pgoff_t end = min_t(u64, file_pages(inode),
			    DIV_ROUND_UP_ULL(iocb->ki_pos + count, PAGE_SIZE));
	ssize_t ret;

	end = next_in_place(inode, iocb->ki_pos >> PAGE_SHIFT, end);
	iov_iter_truncate(to, ((u64)end << PAGE_SHIFT) - iocb->ki_pos);
	rest = count - iov_iter_count(to);
	ret = generic_file_read_iter(iocb, to);
	iov_iter_reexpand(to, iov_iter_count(to) + rest);
	return ret;
}

ssize_t cramfs_xip_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t all = 0, ret = 0;
	unsigned long place;

	if (nothing_in_place(inode) || iocb->ki_flags & IOCB_DIRECT)
		return generic_file_read_iter(iocb, to);
	while (iov_iter_count(to) && iocb->ki_pos < i_size_read(inode)) {
		if (block_in_place(inode, iocb->ki_pos >> PAGE_SHIFT, &place))
			ret = read_block(iocb, to, place);
		else
			ret = read_cached(iocb, to);
		if (ret <= 0)
			break;
		all += ret;
		cond_resched();
	}
	return all ? all : ret;
}

/* A pipe gets pages of the page cache, or copies where a block is in place. */
ssize_t cramfs_xip_splice_read(struct file *file, loff_t *pos,
			       struct pipe_inode_info *pipe, size_t size,
			       unsigned int flags)
{
	pgoff_t first = *pos >> PAGE_SHIFT;
	pgoff_t end = DIV_ROUND_UP_ULL(*pos + size, PAGE_SIZE);

	if (any_block_in_place(file_inode(file), first, end - first))
		return cramfs_splice_copy(file, pos, pipe, size, flags);
	return cramfs_splice_read(file, pos, pipe, size, flags);
}

const struct file_operations cramfs_xip_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= cramfs_xip_read_iter,
	.splice_read	= cramfs_xip_splice_read,
	.mmap		= cramfs_xip_mmap,
};
