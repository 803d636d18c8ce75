// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings with the tracer beside them: each fault is told to it. While a volume
 * is recorded every page faults by itself.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "internal.h"
#include "tinyprof.h"
#include "traced.h"
#include "version.h"
#include "xip.h"

static unsigned int fault_kind(struct vm_fault *vmf)
{
	return vmf->cow_page ? TINYPROF_WRITE : cramfs_mapped_kind(vmf->vma);
}

/*
 * While nothing is recorded a page is mapped with its neighbours. A start
 * meanwhile may have passed these entries before they were set. They would not
 * fault again, so they go, and the page itself is told.
 */
static vm_fault_t untraced_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	pgoff_t pgoff = vmf->pgoff, first, last;
	unsigned int kind = fault_kind(vmf);
	vm_fault_t ret = cramfs_xip_fault(vmf);

	/* Nothing is mapped, and no lock holds the file and its inode any more. */
	if ((ret & VM_FAULT_RETRY) || !tinyprof_epoch(inode->i_sb))
		return ret;
	cramfs_xip_window(vmf, &first, &last);
	unmap_mapping_range(inode->i_mapping, (loff_t)first << PAGE_SHIFT,
			    (loff_t)(last - first + 1) << PAGE_SHIFT, 0);
	tinyprof_touch(inode, pgoff, pgoff, kind);
	return ret;
}

/*
 * A page is told before it is mapped. A re-arm between the two may pass it by:
 * it counts for the new epoch too, since it would not fault again.
 *
 * 1. A page in place is mapped here. The epoch that a re-arm began meanwhile
 *    does not end before the page was told for it.
 * 2. A page of the page cache is locked here, and mapped before it is unlocked.
 *    It is told again before it is mapped, and unmap_latecomers() waits for the
 *    lock.
 */
static vm_fault_t traced_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	pgoff_t pgoff = vmf->pgoff;
	unsigned int kind = fault_kind(vmf);
	u32 epoch = tinyprof_begin_fault(inode, pgoff, kind);
	vm_fault_t ret;

	if (!epoch)
		return untraced_fault(vmf);
	ret = cramfs_xip_map(vmf);
	epoch = tinyprof_end_fault(inode, pgoff, kind, epoch);
	if (ret)
		return ret;
	ret = cramfs_xip_cache(vmf);
	if (ret & VM_FAULT_RETRY)
		return ret;
	if (tinyprof_epoch(inode->i_sb) != epoch)
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

static const struct file_operations traced_fops = {
	.llseek		= generic_file_llseek,
	.read_iter	= cramfs_traced_read_iter,
	.splice_read	= cramfs_traced_splice_read,
	.mmap		= traced_mmap,
};

void tinyprof_inode(struct inode *inode)
{
	inode->i_fop = &traced_fops;
}

/*
 * A fault that was between filemap_fault() and its entry when the file was
 * unmapped holds the lock of its page until the entry is set. So what is mapped
 * once that lock was had is mapped no more afterwards.
 */
static void unmap_latecomers(struct address_space *mapping)
{
	struct folio_batch batch;
	pgoff_t index = 0;
	unsigned int n;

	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &index, ULONG_MAX, &batch)) {
		for (n = 0; n < folio_batch_count(&batch); n++) {
			struct folio *folio = batch.folios[n];
			bool mapped;

			folio_lock(folio);
			mapped = folio_mapped(folio);
			folio_unlock(folio);
			if (mapped)
				unmap_mapping_range(mapping, folio_pos(folio),
						    folio_size(folio), 0);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
}

/*
 * Make every page of the file fault again. Entries that map the flash go too,
 * and private copies stay: unmap_mapping_range() without even_cows.
 */
void tinyprof_see_again(struct inode *inode)
{
	unmap_mapping_range(inode->i_mapping, 0, 0, 0);
	unmap_latecomers(inode->i_mapping);
}
