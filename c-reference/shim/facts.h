/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The constants that a mode was compiled with, by name, so that a test can
 * hold them against what the kernel's are.
 */
#ifndef LG_FACTS_H
#define LG_FACTS_H

#include "hypercalls.h"

#define FACT(expression) { #expression, (u64)(expression) }

const struct lg_fact LG_FACTS[] = {
	FACT(PGDIR_SHIFT),
	FACT(PTRS_PER_PGD),
#ifdef CONFIG_X86_PAE
	FACT(PMD_SHIFT),
	FACT(PTRS_PER_PMD),
#endif
	FACT(PTRS_PER_PTE),
	FACT(sizeof(pgd_t)),
	FACT(sizeof(pmd_t)),
	FACT(sizeof(pte_t)),
	FACT(sizeof(phys_addr_t)),
	FACT(sizeof(unsigned long)),
	FACT(PAGE_SIZE),
	FACT(PAGE_MASK),
	FACT(PTE_PFN_MASK),
	FACT(PTE_FLAGS_MASK),
	FACT(_PAGE_PRESENT),
	FACT(_PAGE_RW),
	FACT(_PAGE_USER),
	FACT(_PAGE_PWT),
	FACT(_PAGE_PCD),
	FACT(_PAGE_ACCESSED),
	FACT(_PAGE_DIRTY),
	FACT(_PAGE_PSE),
	FACT(_PAGE_GLOBAL),
	FACT(_PAGE_NX),
	FACT(_PAGE_TABLE),
	FACT(CHECK_GPGD_MASK),
	FACT(__PAGE_KERNEL_RX),
	FACT(__PAGE_KERNEL & ~_PAGE_GLOBAL),
	FACT(__PAGE_KERNEL_RO & ~_PAGE_GLOBAL),
	FACT(LG_PGDIRS),
	FACT(sizeof(struct lguest_pages)),
	FACT(sizeof(struct lguest_data)),
	FACT(offsetof(struct lguest_data, time)),
	FACT(offsetof(struct lguest_data, hcall_status)),
	FACT(offsetof(struct lguest_data, hcalls)),
	FACT(offsetof(struct lguest_data, reserve_mem)),
	FACT(offsetof(struct lguest_data, tsc_khz)),
	FACT(offsetof(struct lguest_data, noirq_iret)),
	FACT(offsetof(struct lguest_data, kernel_address)),
	FACT(offsetof(struct lguest_data, syscall_vec)),
	FACT(sizeof(struct hcall_args)),
	FACT(LHCALL_RING_SIZE),
	FACT(LHCALL_FLUSH_ASYNC),
	FACT(LHCALL_LGUEST_INIT),
	FACT(LHCALL_SHUTDOWN),
	FACT(LHCALL_NEW_PGTABLE),
	FACT(LHCALL_FLUSH_TLB),
	FACT(LHCALL_LOAD_IDT_ENTRY),
	FACT(LHCALL_SET_STACK),
	FACT(LHCALL_TS),
	FACT(LHCALL_SET_CLOCKEVENT),
	FACT(LHCALL_HALT),
	FACT(LHCALL_SET_PMD),
	FACT(LHCALL_SET_PTE),
	FACT(LHCALL_SET_PGD),
	FACT(LHCALL_LOAD_TLS),
	FACT(LHCALL_LOAD_GDT_ENTRY),
	FACT(LHCALL_SEND_INTERRUPTS),
	FACT(LGUEST_SHUTDOWN_RESTART),
	FACT(ENOMEM),
	FACT(ERESTART),
	/* Layouts that the bindings must agree with. */
	FACT(sizeof(struct lg_world)),
	FACT(sizeof(struct lguest)),
	FACT(sizeof(struct lg_cpu)),
	FACT(sizeof(struct pgdir)),
	FACT(sizeof(struct lg_shared)),
	FACT(offsetof(struct lg_world, switcher_pages)),
	FACT(offsetof(struct lguest, pgdirs)),
	FACT(offsetof(struct lg_shared, during)),
	{ NULL, 0 },
};

#endif
