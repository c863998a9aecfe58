/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table frames.  The answer is as wide as a pointer, for the original makes
 * one of it in one place; where it keeps 32 bits of it, those are the
 * physical address.
 */
#ifndef LG_LINUX_GFP_H
#define LG_LINUX_GFP_H

#include <linux/kernel.h>

#define GFP_KERNEL 0
#define GFP_ATOMIC 1

LG_PRIMITIVE u64 get_zeroed_page(int gfp)
{
	u32 pa = lg_get_zeroed_page();

	(void)gfp;
	return pa ? lg_here()->arena + pa : 0;
}

#define free_page(address) lg_free_page((u32)(address))

#endif
