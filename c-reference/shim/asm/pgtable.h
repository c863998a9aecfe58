/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page table entries of 32-bit x86, two-level or (CONFIG_X86_PAE) three-level:
 * types, flag bits, and the few operations on them that are asked for.
 */
#ifndef LG_ASM_PGTABLE_H
#define LG_ASM_PGTABLE_H

#include <asm/page.h>
#include <linux/recording.h>

#ifdef CONFIG_X86_PAE
typedef u64 pteval_t;
#define PGDIR_SHIFT 30
#define PTRS_PER_PGD 4
#define PMD_SHIFT 21
#define PTRS_PER_PMD 512
#define PTRS_PER_PTE 512
/* 44 bits of physical address. */
#define PTE_PFN_MASK ((pteval_t)0x00000ffffffff000u)
#define _PAGE_NX ((pteval_t)1 << 63)
#else
typedef u32 pteval_t;
#define PGDIR_SHIFT 22
#define PTRS_PER_PGD 1024
#define PTRS_PER_PTE 1024
#define PTE_PFN_MASK ((pteval_t)0xfffff000u)
#define _PAGE_NX ((pteval_t)0)
#endif
#define PTE_FLAGS_MASK (~PTE_PFN_MASK)

typedef struct {
	pteval_t pte;
} pte_t;
typedef struct {
	pteval_t pmd;
} pmd_t;
/* Tagged, for world.h knows the top level by this name. */
typedef struct lg_pgd {
	pteval_t pgd;
} pgd_t;
typedef struct {
	pteval_t pgprot;
} pgprot_t;

#define __pte(v) ((pte_t){ (pteval_t)(v) })
#define __pmd(v) ((pmd_t){ (pteval_t)(v) })
#define __pgd(v) ((pgd_t){ (pteval_t)(v) })
#define __pgprot(v) ((pgprot_t){ (pteval_t)(v) })
#define pte_val(x) ((x).pte)
#define pmd_val(x) ((x).pmd)
#define pgd_val(x) ((x).pgd)
#define pgprot_val(x) ((x).pgprot)

#define _PAGE_PRESENT ((pteval_t)0x001)
#define _PAGE_RW ((pteval_t)0x002)
#define _PAGE_USER ((pteval_t)0x004)
#define _PAGE_PWT ((pteval_t)0x008)
#define _PAGE_PCD ((pteval_t)0x010)
#define _PAGE_ACCESSED ((pteval_t)0x020)
#define _PAGE_DIRTY ((pteval_t)0x040)
#define _PAGE_PSE ((pteval_t)0x080)
#define _PAGE_GLOBAL ((pteval_t)0x100)

#define _PAGE_TABLE                                                       \
	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY)

/* A kernel mapping: read-only and executable, then with RW, then with NX. */
#define __PAGE_KERNEL_RX                                                  \
	(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_GLOBAL)
#define __PAGE_KERNEL_RO (__PAGE_KERNEL_RX | _PAGE_NX)
#define __PAGE_KERNEL (__PAGE_KERNEL_RO | _PAGE_RW)
#define PAGE_KERNEL_RX __pgprot(__PAGE_KERNEL_RX)

#define __supported_pte_mask ((pteval_t)lg_here()->shared->pte_mask)

static inline pteval_t pte_flags(pte_t pte)
{
	return pte_val(pte) & PTE_FLAGS_MASK;
}

static inline u32 pte_pfn(pte_t pte)
{
	return (u32)((pte_val(pte) & PTE_PFN_MASK) >> PAGE_SHIFT);
}

static inline bool pte_dirty(pte_t pte)
{
	return pte_flags(pte) & _PAGE_DIRTY;
}

static inline pte_t pte_mkyoung(pte_t pte)
{
	return __pte(pte_val(pte) | _PAGE_ACCESSED);
}

static inline pte_t pte_mkdirty(pte_t pte)
{
	return __pte(pte_val(pte) | _PAGE_DIRTY);
}

static inline pte_t pte_wrprotect(pte_t pte)
{
	return __pte(pte_val(pte) & ~_PAGE_RW);
}

/* What the processor does not support is left out of present entries only. */
static inline pte_t pfn_pte(u32 pfn, pgprot_t prot)
{
	pteval_t flags = pgprot_val(prot);

	if (flags & _PAGE_PRESENT)
		flags &= __supported_pte_mask;
	return __pte((phys_addr_t)pfn << PAGE_SHIFT | flags);
}

static inline u32 pgd_index(u32 vaddr)
{
	return (vaddr >> PGDIR_SHIFT) & (PTRS_PER_PGD - 1);
}

#ifdef CONFIG_X86_PAE
static inline u32 pmd_index(u32 vaddr)
{
	return (vaddr >> PMD_SHIFT) & (PTRS_PER_PMD - 1);
}
#endif

static inline u32 pte_index(u32 vaddr)
{
	return (vaddr >> PAGE_SHIFT) & (PTRS_PER_PTE - 1);
}

LG_PRIMITIVE void set_pte(pte_t *slot, pte_t pte)
{
	if (pte_val(*slot) != pte_val(pte)) {
		*slot = pte;
		lg_store(LG_CALL_SET_PTE, (u32)(u64)slot, pte_val(pte));
	} else {
		lg_stored_again((u32)(u64)slot, pte_val(pte));
	}
}

LG_PRIMITIVE void set_pmd(pmd_t *slot, pmd_t pmd)
{
	if (pmd_val(*slot) != pmd_val(pmd)) {
		*slot = pmd;
		lg_store(LG_CALL_SET_PMD, (u32)(u64)slot, pmd_val(pmd));
	}
}

LG_PRIMITIVE void set_pgd(pgd_t *slot, pgd_t pgd)
{
	if (pgd_val(*slot) != pgd_val(pgd)) {
		*slot = pgd;
		lg_store(LG_CALL_SET_PGD, (u32)(u64)slot, pgd_val(pgd));
	}
}

#endif
