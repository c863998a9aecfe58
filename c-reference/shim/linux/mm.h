/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of the simulated host and the references held on them.  A
 * `struct page *` is the frame's number in disguise and is never followed.
 */
#ifndef LG_LINUX_MM_H
#define LG_LINUX_MM_H

#include <asm/pgtable.h>

#define pfn_to_page(pfn) ((struct page *)(u64)(u32)(pfn))
#define page_to_pfn(page) ((u32)(u64)(page))
#define pte_page(pte) pfn_to_page(pte_pfn(pte))
#define mk_pte(page, prot) pfn_pte(page_to_pfn(page), (prot))

LG_PRIMITIVE void get_page(struct page *page)
{
	u32 pfn = page_to_pfn(page);
	struct lg_shared *shared = lg_kernel_call(LG_CALL_GET_PAGE, pfn);
	u32 k = pfn - shared->data_base;

	/* Only the regs page and the Switcher's come here. */
	if (unlikely(k >= shared->data_count))
		lg_crash(LG_CRASH_WILD_PAGE, pfn);
	shared->held[k]++;
}

LG_PRIMITIVE void put_page(struct page *page)
{
	u32 pfn = page_to_pfn(page);
	struct lg_shared *shared = lg_kernel_call(LG_CALL_PUT_PAGE, pfn);
	u32 k = pfn - shared->data_base;

	if (unlikely(k >= shared->data_count || shared->held[k] <= 0))
		lg_crash(LG_CRASH_PUT_NOT_HELD, pfn);
	shared->held[k]--;
}

LG_PRIMITIVE int get_user_pages_fast(u32 start, int pages, int write,
				     struct page **page)
{
	u32 pfn = lg_get_user_pages_fast(start, (u32)write);

	(void)pages;
	if (pfn == LG_NO_PFN)
		return 0;
	*page = pfn_to_page(pfn);
	return 1;
}

#endif
