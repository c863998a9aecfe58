/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world that the original runs in inside a kernel: the structures of
 * lguest that it touches, with the types of a 32-bit kernel, and the host.
 */
#ifndef LG_WORLD_H
#define LG_WORLD_H

#include <linux/types.h>

#define LG_SYSV
#define LG_MAX_PINS 64
#define LG_PGDIRS 4
#define LG_NO_PFN 0xffffffffu

/* As the port's BugKind counts them. */
enum lg_crash_kind {
	LG_CRASH_NONE = 0,
	LG_CRASH_BUG_ON = 1,
	LG_CRASH_WILD_PAGE = 4,
	LG_CRASH_BAD_FREE = 5,
	LG_CRASH_PUT_NOT_HELD = 6,
	LG_CRASH_LOCKUP = 7,
};

/* As the host's trail counts them. */
enum lg_store_kind {
	LG_STORE_PTE = 10,
	LG_STORE_PMD = 11,
	LG_STORE_PGD = 12,
};

/* What can be asked of the original; the numbers are the rig's. */
enum lg_entry {
	LG_ENTRY_INIT_GUEST_PAGETABLE,
	LG_ENTRY_FREE_GUEST_PAGETABLE,
	LG_ENTRY_DEMAND_PAGE,
	LG_ENTRY_PIN_PAGE,
	LG_ENTRY_MAP_SWITCHER_IN_GUEST,
	LG_ENTRY_GUEST_PA,
	LG_ENTRY_TRY_GUEST_PA,
	LG_ENTRY_GUEST_SET_PTE,
	LG_ENTRY_GUEST_SET_PGD,
	LG_ENTRY_GUEST_SET_PMD,
	LG_ENTRY_GUEST_NEW_PAGETABLE,
	LG_ENTRY_GUEST_PAGETABLE_FLUSH_USER,
	LG_ENTRY_GUEST_PAGETABLE_CLEAR_ALL,
	LG_ENTRY_PAGE_TABLE_GUEST_DATA_INIT,
	LG_ENTRY_GUEST_SET_STACK,
	LG_ENTRY_PIN_STACK_PAGES,
	LG_ENTRY_DO_HYPERCALLS,
	LG_ENTRY_DO_ASYNC_HCALLS,
	LG_ENTRY_DO_HCALL,
	LG_ENTRY_INITIALIZE,
	LG_ENTRY_LGREAD,
	LG_ENTRY_LGWRITE,
	LG_ENTRY_FORMAT,
};

struct lguest;
struct lguest_data;
struct lgk_guest;

struct pgdir {
	unsigned long gpgdir;
	bool switcher_mapped;
	int last_host_cpu;
	pgd_t *pgdir;
};

struct lg_cpu {
	struct lguest *lg;
	unsigned long regs_page;
	bool linear_pages;
	int cpu_pgd;
	u32 esp1;
	u32 ss1;
	u32 next_hcall;
};

struct lguest {
	struct lguest_data *lguest_data;
	void *mem_base;
	struct lg_cpu cpus[1];
	u32 pfn_limit;
	u32 device_limit;
	unsigned long kernel_address;
	u32 noirq_iret;
	u32 stack_pages;
	/* 0: alive; 1: killed with a text, which the host keeps; else -errno. */
	int dead;
	struct pgdir pgdirs[LG_PGDIRS];
};

/* What the scenario decides. */
struct lg_shared {
	u32 cpu;
	u32 nr_cpus;
	u32 switcher_addr;
	u32 tsc_khz;
	u64 pte_mask;
	u32 pins;
};

struct lg_world {
	struct lguest lg;
	struct lg_shared *shared;
	struct lg_shared decided;
	/* The Rust host, and the ledger of its guest. */
	void *host;
	struct lgk_guest *guest;
	u32 entry;
	u32 args[5];
	u32 result[2];
	u32 crash_kind, crash_pfn;
	/* The way out of a crash. */
	void *door[5];
	struct task_struct *task;
	struct page *switcher_pages[1 + 2 * 32];
};

/* The world whose original this task runs. */
struct lg_world *lg_world_now(void);
#define lg_here() lg_world_now()

void lg_crash(u32 kind, u32 pfn) __noreturn;

/* The kernel calls of the original, each by way of the Rust host. */
unsigned long lg_get_zeroed_page(void);
void lg_free_page(unsigned long address);
int lg_get_user_pages_fast(unsigned long start, int write, struct page **page);
void lg_get_page(struct page *page);
void lg_put_page(struct page *page);
u32 lg_copy_from_user(void *to, u32 from, u32 len);
u32 lg_copy_to_user(u32 to, const void *from, u32 len);
u32 lg_prandom_u32(void);
bool lg_kasprintf(const char *text, u32 len);
void lg_store(u32 kind, const void *slot, u64 value);

/* Rust. */
asmlinkage u32 lgo_get_zeroed_page(void *host);
asmlinkage u32 lgo_free_page(void *host, u32 pa);
asmlinkage u32 lgo_get_user_pages_fast(void *host, u32 addr, u32 write);
asmlinkage u32 lgo_get_page(void *host, u32 pfn);
asmlinkage u32 lgo_put_page(void *host, u32 pfn);
asmlinkage u32 lgo_copy_from_user(void *host, void *to, u32 from, u32 len);
asmlinkage u32 lgo_copy_to_user(void *host, u32 to, const void *from, u32 len);
asmlinkage u32 lgo_prandom_u32(void *host);
asmlinkage u32 lgo_kasprintf(void *host, const char *text, u32 len);
asmlinkage void lgo_stored(void *host, u32 kind, u32 pa, u32 low, u32 high);

/* The one function by which the original is entered. */
void lg_call(struct lg_world *world);
/* Where its code begins and ends is the compiler's; it has no state. */

#endif
