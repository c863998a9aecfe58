/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the C and the Rust of this crate share: the guest's state, the
 * counters that both languages keep, the callbacks and the world that ties
 * them together.  Fixed-width types alone, so that the layout is the same for
 * both paging modes and whatever the compiler thinks of `long`; the bindings
 * in src/bindings.rs are made from this file.
 */
#ifndef LG_WORLD_H
#define LG_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The variant with a 32-bit long calls by the Windows convention; whatever
 * crosses to the door is System V in every variant.
 */
#ifdef LG_LLP64
#define LG_SYSV __attribute__((sysv_abi))
#else
#define LG_SYSV
#endif

/* More host CPUs than this are refused by the Rust side. */
#define LG_MAX_CPUS 32
/* The Switcher's text and two pages for each CPU. */
#define LG_MAX_SWITCHER_PAGES (1 + 2 * LG_MAX_CPUS)
/* A step that pins more stack pages than this is a lockup of the host. */
#define LG_MAX_PINS 64
/* How many page tables of a guest are shadowed at a time. */
#define LG_PGDIRS 4
/* What get_user_pages_fast's callback answers when it cannot pin. */
#define LG_NO_PFN 0xffffffffu
/* Faults below this address, or this far below the top, are of a NULL. */
#define LG_NULL_SPAN 0x10000u

/* What crashed the host; 0 is "nothing did". */
enum lg_crash_kind {
	LG_CRASH_NONE = 0,
	LG_CRASH_BUG_ON = 1,
	LG_CRASH_NULL_ENTRY = 2,
	LG_CRASH_OUTSIDE_PAGE = 3,
	LG_CRASH_WILD_PAGE = 4,
	LG_CRASH_BAD_FREE = 5,
	LG_CRASH_PUT_NOT_HELD = 6,
	LG_CRASH_LOCKUP = 7,
	LG_CRASH_DIRTY_FREE = 8,
};

/* The kinds of word that go into the running hash. */
enum lg_call_kind {
	LG_CALL_GET_ZEROED_PAGE = 1,
	LG_CALL_FREE_PAGE = 2,
	LG_CALL_GET_USER_PAGES_FAST = 3,
	LG_CALL_GET_PAGE = 4,
	LG_CALL_PUT_PAGE = 5,
	LG_CALL_COPY_FROM_USER = 6,
	LG_CALL_COPY_TO_USER = 7,
	LG_CALL_PRANDOM_U32 = 8,
	LG_CALL_KASPRINTF = 9,
	LG_CALL_SET_PTE = 10,
	LG_CALL_SET_PMD = 11,
	LG_CALL_SET_PGD = 12,
};

/* What can be asked of a mode's `call`. */
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
	/* For tests: kills with one text that uses every conversion. */
	LG_ENTRY_FORMAT,
	/* For benches: nothing but the door itself. */
	LG_ENTRY_NOTHING,
};

struct lg_pgd;
struct page;
struct lguest;
struct lguest_data;
struct lg_world;

struct pgdir {
	uint32_t gpgdir;
	bool switcher_mapped;
	int32_t last_host_cpu;
	struct lg_pgd *pgdir;
};

struct lg_cpu {
	struct lguest *lg;
	uint32_t regs_page;
	bool linear_pages;
	int32_t cpu_pgd;
	uint32_t esp1;
	uint32_t ss1;
	uint32_t next_hcall;
};

struct lguest {
	/* Launcher addresses: 32 bits, in pointers only to suit the original. */
	struct lguest_data *lguest_data;
	void *mem_base;
	struct lg_cpu cpus[1];
	uint32_t pfn_limit;
	uint32_t device_limit;
	uint32_t kernel_address;
	uint32_t noirq_iret;
	uint32_t stack_pages;
	/* 0: alive; 1: killed with a text, which the host keeps; else -errno. */
	int32_t dead;
	struct pgdir pgdirs[LG_PGDIRS];
};

/* Counters that both languages keep; owned by the Rust side. */
struct lg_shared {
	uint64_t hash;
	uint32_t calls;
	uint32_t trace;
	uint32_t cpu;
	uint32_t nr_cpus;
	uint32_t switcher_addr;
	uint32_t data_base;
	uint32_t data_count;
	uint32_t pins;
	uint64_t pte_mask;
	int32_t *held;
	uint32_t tsc_khz;
	uint32_t during;
};

/*
 * The host's answers.  All but `event` and `traced` are kernel calls: the
 * Rust side counts them and mixes them into the hash by itself.
 */
struct lg_callbacks {
	uint32_t (LG_SYSV *get_zeroed_page)(const void *context);
	/* 0, or kind << 32 | pfn of the crash this free would be. */
	uint64_t (LG_SYSV *free_page)(const void *context, uint32_t pa);
	uint32_t (LG_SYSV *get_user_pages_fast)(const void *context,
						uint32_t addr, uint32_t write);
	bool (LG_SYSV *copy_from_user)(const void *context, uint8_t *to,
				       uint32_t from, uint32_t len);
	bool (LG_SYSV *copy_to_user)(const void *context, uint32_t to,
				     const uint8_t *from, uint32_t len);
	uint32_t (LG_SYSV *prandom_u32)(const void *context);
	bool (LG_SYSV *kasprintf)(const void *context, const uint8_t *text,
				  uint32_t len);
	void (LG_SYSV *event)(const void *context);
	void (LG_SYSV *traced)(const void *context, uint32_t kind, uint64_t a,
			       uint64_t b);
};

struct lg_world {
	struct lguest lg;
	struct lg_shared *shared;
	/* Aligned to 4 GiB, so that a pointer's low half is its address. */
	uint64_t arena;
	const struct lg_callbacks *callbacks;
	const void *context;
	/* The mode's one entry. */
	void (LG_SYSV *call)(struct lg_world *world);
	/* Table frames the arena has: frame numbers 2, 4, ... 2 * this. */
	uint32_t table_frames;
	/* Copies for the length of a call, so that no callback moves them. */
	uint32_t cpu;
	uint32_t nr_cpus;
	/* What is asked, and the answer. */
	uint32_t entry;
	uint32_t args[5];
	uint32_t result[2];
	/* The door's own. */
	volatile uint32_t inside;
	volatile uint64_t crash;
	void *door;
	struct lg_world *outer;
	/* Frame numbers, never pointers to follow. */
	struct page *switcher_pages[LG_MAX_SWITCHER_PAGES];
};

/* A constant of a mode, for the tests. */
struct lg_fact {
	const char *name;
	uint64_t value;
};

/* The door. */
LG_SYSV void lg_install(void);
LG_SYSV uint64_t lg_enter(struct lg_world *world);

/* One entry and one NULL-ended table of constants for each mode. */
LG_SYSV void nopae_call(struct lg_world *world);
LG_SYSV void pae_call(struct lg_world *world);
extern const struct lg_fact nopae_facts[];
extern const struct lg_fact pae_facts[];

#endif
