/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the original finds in place of lguest's private header, when it is
 * compiled against the headers of Linux 6.1: the slice of lguest that it
 * needs, and the meaning of v4.4 where 6.1 has another.  It is included last
 * by the original, so that what is put back here holds for its code alone.
 */
#ifndef LG_LG_H
#define LG_LG_H

#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>
#include <asm/pgtable.h>

#include "world.h"

/*
 * Entries.  6.1 inverts the frame number of entries that are not present
 * (L1TF) and takes 52 bits of address; v4.4 did neither: 44 bits with PAE.
 */
#undef pte_pfn
#undef pte_flags
#undef pfn_pte
#undef mk_pte
#undef pte_page
#define pte_pfn lg_pte_pfn
#define pte_flags lg_pte_flags
#define pfn_pte lg_pfn_pte
#ifdef CONFIG_X86_PAE
#define LG_PFN_MASK 0x00000ffffffff000ull
#else
#define LG_PFN_MASK 0xfffff000u
#endif

/* With PAE 6.1 drops what a top-level entry may not have, on its way in and out. */
#undef pgd_val
#undef __pgd
#define pgd_val(x) ((x).pgd)
#define __pgd(value) ((pgd_t){ (pgdval_t)(value) })

static inline unsigned long lg_pte_pfn(pte_t pte)
{
	return (pte_val(pte) & LG_PFN_MASK) >> PAGE_SHIFT;
}

static inline pteval_t lg_pte_flags(pte_t pte)
{
	return pte_val(pte) & ~(pteval_t)LG_PFN_MASK;
}

/* The machine of the scenario says which bits its processor supports. */
static inline pte_t lg_pfn_pte(unsigned long pfn, pgprot_t prot)
{
	pteval_t flags = pgprot_val(prot);

	if (flags & _PAGE_PRESENT)
		flags &= (pteval_t)lg_here()->shared->pte_mask;
	return __pte((phys_addr_t)pfn << PAGE_SHIFT | flags);
}

/* By way of our pfn_pte, so with the machine's mask. */
#define mk_pte(page, prot) pfn_pte(page_to_pfn(page), (prot))
#define pte_page(pte) pfn_to_page(pte_pfn(pte))

/* 6.1 changes flags by way of its own pte_flags and write protection. */
#undef pte_dirty
#undef pte_mkyoung
#undef pte_mkdirty
#undef pte_wrprotect
#define pte_dirty(pte) (!!(pte_val(pte) & _PAGE_DIRTY))
#define pte_mkyoung(pte) __pte(pte_val(pte) | _PAGE_ACCESSED)
#define pte_mkdirty(pte) __pte(pte_val(pte) | _PAGE_DIRTY)
#define pte_wrprotect(pte) __pte(pte_val(pte) & ~(pteval_t)_PAGE_RW)

/* The name before 6.1's ROX, and the flags that v4.4 had. */
#undef PAGE_KERNEL_RX
#undef __PAGE_KERNEL
#undef __PAGE_KERNEL_RO
#define PAGE_KERNEL_RX __pgprot((pteval_t)0x161)
#define __PAGE_KERNEL ((pteval_t)0x163 | _PAGE_NX)
#define __PAGE_KERNEL_RO ((pteval_t)0x161 | _PAGE_NX)
#undef _PAGE_TABLE
#define _PAGE_TABLE ((pteval_t)0x67)

/*
 * Plain stores: 6.1's set_pgd of page-table isolation would also write to
 * the page beside ours.  The host is told of those that change something.
 */
#undef set_pte
#undef set_pmd
#undef set_pgd
#define set_pte(slot, value) lg_set(LG_STORE_PTE, slot, value, pte_val)
#define set_pmd(slot, value) lg_set(LG_STORE_PMD, slot, value, pmd_val)
#define set_pgd(slot, value) lg_set(LG_STORE_PGD, slot, value, pgd_val)
#define lg_set(kind, slot, value, val)                               \
	do {                                                         \
		__typeof__(slot) lg_slot = (slot);                   \
		__typeof__(*lg_slot) lg_new = (value);               \
		if (val(*lg_slot) != val(lg_new)) {                  \
			*lg_slot = lg_new;                           \
			lg_store((kind), lg_slot, val(lg_new));      \
		}                                                    \
	} while (0)

/* Kernel calls: counted, and those that the scenario plans to fail, failed. */
#undef get_zeroed_page
#undef free_page
#undef get_page
#undef put_page
#undef prandom_u32
#define get_zeroed_page(gfp) lg_get_zeroed_page()
#define free_page(address) lg_free_page(address)
#define get_page lg_get_page
#define put_page lg_put_page
#define prandom_u32 lg_prandom_u32
/* v4.4 has a flag where 6.1 has FOLL_WRITE. */
#define get_user_pages_fast(start, pages, write, page) \
	lg_get_user_pages_fast((start), (write), (page))

#undef copy_from_user
#undef copy_to_user
#undef get_user
#undef put_user
#define LG_LAUNCHER_ADDRESS(pointer) ((u32)(unsigned long)(pointer))
#define copy_from_user(to, from, len) \
	lg_copy_from_user((to), LG_LAUNCHER_ADDRESS(from), (len))
#define copy_to_user(to, from, len) \
	lg_copy_to_user(LG_LAUNCHER_ADDRESS(to), (from), (len))
/* As in the kernel, a get_user that fails leaves zero behind. */
#define get_user(x, pointer)                                          \
	({                                                            \
		__typeof__(*(pointer)) lg_got = 0;                    \
		u32 lg_left = copy_from_user(&lg_got, (pointer),      \
					     sizeof(lg_got));         \
		(x) = lg_left ? 0 : lg_got;                           \
		lg_left ? -EFAULT : 0;                                \
	})
#define put_user(x, pointer)                                          \
	({                                                            \
		__typeof__(*(pointer)) lg_put = (x);                  \
		copy_to_user((pointer), &lg_put, sizeof(lg_put)) ?    \
			-EFAULT : 0;                                  \
	})

/* CPUs are the scenario's. */
#undef nr_cpu_ids
#undef raw_smp_processor_id
#undef smp_processor_id
#undef for_each_possible_cpu
#define nr_cpu_ids ((int)lg_here()->shared->nr_cpus)
#define raw_smp_processor_id() ((int)lg_here()->shared->cpu)
#define smp_processor_id() raw_smp_processor_id()
#define for_each_possible_cpu(i) for ((i) = 0; (i) < (u32)nr_cpu_ids; (i)++)

/* A failed assertion comes back from the original as a crash, and harms nobody. */
#undef BUG_ON
#define BUG_ON(condition)                                \
	do {                                             \
		if (unlikely(condition))                 \
			lg_crash(LG_CRASH_BUG_ON, 0);    \
	} while (0)

/* The Switcher. */
#define switcher_addr ((unsigned long)lg_here()->shared->switcher_addr)
#define lg_switcher_pages (lg_here()->switcher_pages)
#define TOTAL_SWITCHER_PAGES (1 + 2 * nr_cpu_ids)

struct lguest_pages {
	u8 regs[4096];
	u8 state[4096];
};

struct hcall_args {
	unsigned long arg0, arg1, arg2, arg3, arg4;
};

#define LHCALL_RING_SIZE 64

struct lguest_data {
	u8 unused_before[12];
	/* Seconds and nanoseconds. */
	u32 time[2];
	u8 unused_between[4];
	u8 hcall_status[LHCALL_RING_SIZE];
	struct hcall_args hcalls[LHCALL_RING_SIZE];
	u32 reserve_mem;
	u32 tsc_khz;
	u32 noirq_iret;
	unsigned long kernel_address;
	u32 syscall_vec;
};

_Static_assert(sizeof(struct lguest_pages) == 8192, "two pages");
_Static_assert(offsetof(struct lguest_data, hcall_status) == 24, "status");
_Static_assert(offsetof(struct lguest_data, hcalls) == 88, "hcalls");
_Static_assert(offsetof(struct lguest_data, kernel_address) == 1380, "kernel");
_Static_assert(sizeof(struct lguest_data) == 1388, "lguest_data");

/* Flags and frame numbers of the upper levels: bits 0 to 11, and all above. */
#undef pgd_flags
#undef pgd_pfn
#undef pmd_flags
#undef pmd_pfn
#define pgd_flags(x) (pgd_val(x) & ~PAGE_MASK)
#define pgd_pfn(x) (pgd_val(x) >> PAGE_SHIFT)
#define pmd_flags(x) (pmd_val(x) & ~PAGE_MASK)
#define pmd_pfn(x) (pmd_val(x) >> PAGE_SHIFT)

/* Guest memory. */
static void __lgread(struct lg_cpu *cpu, void *to, u32 addr, u32 len);
static void __lgwrite(struct lg_cpu *cpu, u32 addr, const void *from, u32 len);

#define lgread(cpu, addr, type)                                       \
	({                                                            \
		type lg_read;                                         \
		__lgread((cpu), &lg_read, (addr), sizeof(type));      \
		lg_read;                                              \
	})

#define lgwrite(cpu, addr, type, value)                                \
	do {                                                           \
		type lg_value = (value);                               \
		__lgwrite((cpu), (addr), &lg_value, sizeof(lg_value)); \
	} while (0)

/* The first reason is the one that is kept. */
static void lg_kill(struct lguest *lg, const char *format, ...);

#define kill_guest(cpu, ...)                               \
	do {                                               \
		if (!(cpu)->lg->dead)                      \
			lg_kill((cpu)->lg, __VA_ARGS__);   \
	} while (0)

static void pin_stack_pages(struct lg_cpu *cpu);

typedef unsigned long lg_ulong;

/* What the page-table code gives to the rest. */
int init_guest_pagetable(struct lguest *lg);
void free_guest_pagetable(struct lguest *lg);
bool demand_page(struct lg_cpu *cpu, lg_ulong vaddr, int errcode,
		 lg_ulong *iomem);
void pin_page(struct lg_cpu *cpu, lg_ulong vaddr);
void map_switcher_in_guest(struct lg_cpu *cpu, struct lguest_pages *pages);
lg_ulong guest_pa(struct lg_cpu *cpu, lg_ulong vaddr);
bool __guest_pa(struct lg_cpu *cpu, lg_ulong vaddr, lg_ulong *paddr);
void guest_set_pte(struct lg_cpu *cpu, lg_ulong gpgdir, lg_ulong vaddr,
		   pte_t gpte);
void guest_set_pgd(struct lguest *lg, lg_ulong gpgdir, u32 idx);
#ifdef CONFIG_X86_PAE
void guest_set_pmd(struct lguest *lg, lg_ulong pmdp, u32 idx);
#endif
void guest_new_pagetable(struct lg_cpu *cpu, lg_ulong pgtable);
void guest_pagetable_flush_user(struct lg_cpu *cpu);
void guest_pagetable_clear_all(struct lg_cpu *cpu);
void page_table_guest_data_init(struct lg_cpu *cpu);

#endif
