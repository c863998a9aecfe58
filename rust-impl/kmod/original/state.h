/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What crosses between the Rust and the original, word by word. */
#ifndef LGO_STATE_H
#define LGO_STATE_H

#include <linux/types.h>

struct lgk_guest;

struct lgo_machine {
	struct lgk_guest *guest;
	u32 mem_base;
	u32 pfn_limit;
	u32 device_limit;
	u32 regs_page;
	u32 nr_cpus;
	u32 switcher_addr;
	u32 tsc_khz;
	u32 pte_mask_low;
	u32 pte_mask_high;
};

struct lgo_state {
	struct {
		u32 gpgdir;
		u32 pgdir;
		s32 last_host_cpu;
		u32 switcher_mapped;
	} slots[4];
	u32 cpu_pgd;
	u32 linear_pages;
	u32 kernel_address;
	u32 lguest_data;
	u32 ss1;
	u32 esp1;
	u32 stack_pages;
	u32 next_hcall;
	s32 dead;
	u32 pins;
};

#endif
