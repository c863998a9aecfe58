/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slice of lguest's private header that the page-table code needs.
 * Included last by it, and turning `long` into a 32-bit type last of all.
 */
#ifndef LG_LG_H
#define LG_LG_H

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>

/* The Switcher. */
#define switcher_addr (lg_here()->shared->switcher_addr)
#define lg_switcher_pages (lg_here()->switcher_pages)
#define TOTAL_SWITCHER_PAGES (1 + 2 * nr_cpu_ids)

struct lguest_pages {
	u8 regs[4096];
	u8 state[4096];
};

/* Arguments of a hypercall, and the page by which the guest asks. */
struct hcall_args {
	u32 arg0, arg1, arg2, arg3, arg4;
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
	u32 kernel_address;
	u32 syscall_vec;
};

_Static_assert(sizeof(struct lguest_pages) == 8192, "two pages");
_Static_assert(offsetof(struct lguest_data, time) == 12, "time");
_Static_assert(offsetof(struct lguest_data, hcall_status) == 24, "status");
_Static_assert(offsetof(struct lguest_data, hcalls) == 88, "hcalls");
_Static_assert(offsetof(struct lguest_data, reserve_mem) == 1368, "reserve");
_Static_assert(offsetof(struct lguest_data, kernel_address) == 1380, "kernel");
_Static_assert(sizeof(struct lguest_data) == 1388, "lguest_data");

/*
 * Flags and frame numbers of the upper levels.  These are macros because the
 * original has parameters of the same names.  They look at bits 0 to 11 and
 * 12 to 63: an NX bit counts into the frame number.
 */
#define pgd_flags(x) (pgd_val(x) & (PAGE_SIZE - 1))
#define pgd_pfn(x) (pgd_val(x) >> PAGE_SHIFT)
#define pmd_flags(x) (pmd_val(x) & (PAGE_SIZE - 1))
#define pmd_pfn(x) (pmd_val(x) >> PAGE_SHIFT)

/* Guest memory. */
static void __lgread(struct lg_cpu *cpu, void *to, u32 addr, u32 len);
static void __lgwrite(struct lg_cpu *cpu, u32 addr, const void *from, u32 len);

/* Zeroed as a number: of a structure it may become a call of memset. */
#define lgread(cpu, addr, type)                                       \
	({                                                            \
		union {                                               \
			type value;                                   \
			u64 bits;                                     \
		} lg_read;                                            \
		lg_read.bits = 0;                                     \
		__lgread((cpu), &lg_read.value, (addr), sizeof(type));\
		lg_read.value;                                        \
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

/* The type that `unsigned long` is in the original, once this file ends. */
#ifdef LG_LLP64
typedef unsigned long lg_ulong;
#else
typedef unsigned int lg_ulong;
#endif
_Static_assert(sizeof(lg_ulong) == 4, "a 32-bit long");

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

#ifndef LG_LLP64
/* The original was written for a 32-bit long; this must stay the last line. */
#define long int
#endif

#endif
