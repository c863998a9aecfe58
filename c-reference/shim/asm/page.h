/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages, and the two views of a table frame.  The arena is aligned to 4 GiB:
 * a pointer's low half is its physical address, and any 32-bit number turned
 * into a pointer stays within the arena.
 */
#ifndef LG_ASM_PAGE_H
#define LG_ASM_PAGE_H

#include <linux/kernel.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE ((u32)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

LG_PRIMITIVE void *lg_va(u32 pa)
{
	return (void *)(lg_here()->arena + pa);
}

#define __va(pa) lg_va((u32)(pa))
#define __pa(va) ((u32)(va))

#endif
