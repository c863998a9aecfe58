/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the drop-in asks of the kernel that it is linked into: a table of
 * functions, for most of what the original calls is inline or a macro in C.
 * Fixed-width types alone; a physical address has 32 bits.
 */
#ifndef LGD_PRIMITIVES_H
#define LGD_PRIMITIVES_H

/* Both ways across go by the plain C convention, whatever the kernel's is. */
#ifdef __i386__
#define LGD_CALL __attribute__((regparm(0)))
#else
#define LGD_CALL
#endif

/* What get_user_pages_fast answers when it cannot pin. */
#define LGD_NO_PFN 0xffffffffu

struct lg_cpu;

struct lgd_primitives {
	/* Kernel calls, as the original makes them. */
	uint32_t (LGD_CALL *get_zeroed_page)(void);
	void (LGD_CALL *free_page)(uint32_t pa);
	uint32_t (LGD_CALL *get_user_pages_fast)(uint32_t addr, uint32_t write);
	void (LGD_CALL *get_page)(uint32_t pfn);
	void (LGD_CALL *put_page)(uint32_t pfn);
	/* Whether all bytes came or went. */
	uint32_t (LGD_CALL *copy_from_user)(void *to, uint32_t from,
					    uint32_t len);
	uint32_t (LGD_CALL *copy_to_user)(uint32_t to, const void *from,
					  uint32_t len);
	uint32_t (LGD_CALL *prandom_u32)(void);
	/* Whether the text could be kept; the text has no NUL. */
	uint32_t (LGD_CALL *kill_guest)(struct lg_cpu *cpu, const void *text,
					uint32_t len);
	/* Where this runs, and what the Switcher is. */
	uint32_t (LGD_CALL *smp_processor_id)(void);
	uint32_t (LGD_CALL *possible_cpus)(void);
	uint32_t (LGD_CALL *switcher)(void);
	uint32_t (LGD_CALL *switcher_page)(uint32_t i);
	uint64_t (LGD_CALL *supported_pte_mask)(void);
	/* Between the addresses in C structures and physical ones. */
	uint32_t (LGD_CALL *pa)(const void *va);
	void *(LGD_CALL *va)(uint32_t pa);
	/* The table at `pa`, which is touched: a wild one crashes in here. */
	void *(LGD_CALL *table)(uint32_t pa);
	/* Stores to the entry at `pa`; there is no middle level without PAE. */
	void (LGD_CALL *set_pte)(uint32_t pa, uint64_t value);
	void (LGD_CALL *set_pmd)(uint32_t pa, uint64_t value);
	void (LGD_CALL *set_pgd)(uint32_t pa, uint64_t value);
	/* Stack pages pinned since the guest was last entered. */
	uint32_t *(LGD_CALL *pins)(void);
	/* Bits of the original's defects that are mended. */
	uint32_t (LGD_CALL *policy)(void);
	/* BUG(): does not come back. */
	void (LGD_CALL *crash)(uint32_t kind, uint32_t pfn);
};

/* The layouts that the bindings were made with, in either width. */
#define LGD_SAME(expression, wide, narrow)                             \
	_Static_assert((expression) ==                                 \
			       (sizeof(void *) == 8 ? (wide) : (narrow)), \
		       #expression)
LGD_SAME(sizeof(struct pgdir), 24, 16);
LGD_SAME(offsetof(struct pgdir, gpgdir), 0, 0);
LGD_SAME(offsetof(struct pgdir, switcher_mapped), 4, 4);
LGD_SAME(offsetof(struct pgdir, last_host_cpu), 8, 8);
LGD_SAME(offsetof(struct pgdir, pgdir), 16, 12);
LGD_SAME(sizeof(struct lg_cpu), 32, 28);
LGD_SAME(offsetof(struct lg_cpu, lg), 0, 0);
LGD_SAME(offsetof(struct lg_cpu, regs_page), 8, 4);
LGD_SAME(offsetof(struct lg_cpu, linear_pages), 12, 8);
LGD_SAME(offsetof(struct lg_cpu, cpu_pgd), 16, 12);
LGD_SAME(offsetof(struct lg_cpu, esp1), 20, 16);
LGD_SAME(offsetof(struct lg_cpu, ss1), 24, 20);
LGD_SAME(offsetof(struct lg_cpu, next_hcall), 28, 24);
LGD_SAME(sizeof(struct lguest), 168, 124);
LGD_SAME(offsetof(struct lguest, lguest_data), 0, 0);
LGD_SAME(offsetof(struct lguest, mem_base), 8, 4);
LGD_SAME(offsetof(struct lguest, cpus), 16, 8);
LGD_SAME(offsetof(struct lguest, pfn_limit), 48, 36);
LGD_SAME(offsetof(struct lguest, device_limit), 52, 40);
LGD_SAME(offsetof(struct lguest, kernel_address), 56, 44);
LGD_SAME(offsetof(struct lguest, noirq_iret), 60, 48);
LGD_SAME(offsetof(struct lguest, stack_pages), 64, 52);
LGD_SAME(offsetof(struct lguest, dead), 68, 56);
LGD_SAME(offsetof(struct lguest, pgdirs), 72, 60);

#endif
