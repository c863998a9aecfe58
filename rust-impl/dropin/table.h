/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of primitives over what lg.h and the kernel's headers offer the
 * original, called as the original calls it. Included where page_tables.c
 * would be, in a kernel and in the rig alike; LGD_PRIMITIVES names the table.
 */
#include "lg.h"
#include "primitives.h"

/* Longer than every reason that the page-table code has. */
#define LGD_TEXT 128

static LGD_CALL uint32_t lgd_get_zeroed_page(void)
{
	__auto_type page = get_zeroed_page(GFP_KERNEL);

	return page ? __pa(page) : 0;
}

static LGD_CALL void lgd_free_page(uint32_t pa)
{
	free_page(pa ? (uintptr_t)__va(pa) : 0);
}

static LGD_CALL uint32_t lgd_get_user_pages_fast(uint32_t addr, uint32_t write)
{
	struct page *page;

	if (get_user_pages_fast(addr, 1, (int)write, &page) != 1)
		return LGD_NO_PFN;
	return page_to_pfn(page);
}

static LGD_CALL void lgd_get_page(uint32_t pfn)
{
	get_page(pfn_to_page(pfn));
}

static LGD_CALL void lgd_put_page(uint32_t pfn)
{
	put_page(pfn_to_page(pfn));
}

static LGD_CALL uint32_t lgd_copy_from_user(void *to, uint32_t from,
					    uint32_t len)
{
	return !copy_from_user(to, (const void __user *)(uintptr_t)from, len);
}

static LGD_CALL uint32_t lgd_copy_to_user(uint32_t to, const void *from,
					  uint32_t len)
{
	return !copy_to_user((void __user *)(uintptr_t)to, from, len);
}

static LGD_CALL uint32_t lgd_prandom_u32(void)
{
	return prandom_u32();
}

static LGD_CALL uint32_t lgd_kill_guest(struct lg_cpu *cpu, const void *text,
					uint32_t len)
{
	const char *from = text;
	char reason[LGD_TEXT];
	uint32_t i;

	for (i = 0; i < len && i < LGD_TEXT - 1; i++)
		reason[i] = from[i];
	reason[i] = 0;
	kill_guest(cpu, "%s", reason);
	return cpu->lg->dead > 0;
}

static LGD_CALL uint32_t lgd_smp_processor_id(void)
{
	return raw_smp_processor_id();
}

static LGD_CALL uint32_t lgd_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

static LGD_CALL uint32_t lgd_switcher_addr(void)
{
	return switcher_addr;
}

static LGD_CALL uint32_t lgd_switcher_page(uint32_t i)
{
	return page_to_pfn(lg_switcher_pages[i]);
}

static LGD_CALL uint64_t lgd_supported_pte_mask(void)
{
	return LGD_PTE_MASK;
}

static LGD_CALL uint32_t lgd_pa(const void *va)
{
	return __pa((uintptr_t)va);
}

static LGD_CALL void *lgd_va(uint32_t pa)
{
	return __va(pa);
}

static LGD_CALL void *lgd_table(uint32_t pa)
{
	return LGD_TABLE(pa);
}

static LGD_CALL void lgd_set_pte(uint32_t pa, uint64_t value)
{
	set_pte((pte_t *)__va(pa), __pte(value));
}

#ifdef CONFIG_X86_PAE
static LGD_CALL void lgd_set_pmd(uint32_t pa, uint64_t value)
{
	set_pmd((pmd_t *)__va(pa), __pmd(value));
}
#endif

static LGD_CALL void lgd_set_pgd(uint32_t pa, uint64_t value)
{
	set_pgd((pgd_t *)__va(pa), __pgd(value));
}

static LGD_CALL uint32_t *lgd_pins(void)
{
	return &lg_here()->shared->pins;
}

static LGD_CALL uint32_t lgd_policy(void)
{
	return LGD_POLICY;
}

static LGD_CALL void lgd_crash(uint32_t kind, uint32_t pfn)
{
	lg_crash(kind, pfn);
}

extern const struct lgd_primitives LGD_PRIMITIVES;
const struct lgd_primitives LGD_PRIMITIVES = {
	.get_zeroed_page = lgd_get_zeroed_page,
	.free_page = lgd_free_page,
	.get_user_pages_fast = lgd_get_user_pages_fast,
	.get_page = lgd_get_page,
	.put_page = lgd_put_page,
	.copy_from_user = lgd_copy_from_user,
	.copy_to_user = lgd_copy_to_user,
	.prandom_u32 = lgd_prandom_u32,
	.kill_guest = lgd_kill_guest,
	.smp_processor_id = lgd_smp_processor_id,
	.possible_cpus = lgd_nr_cpu_ids,
	.switcher = lgd_switcher_addr,
	.switcher_page = lgd_switcher_page,
	.supported_pte_mask = lgd_supported_pte_mask,
	.pa = lgd_pa,
	.va = lgd_va,
	.table = lgd_table,
	.set_pte = lgd_set_pte,
#ifdef CONFIG_X86_PAE
	.set_pmd = lgd_set_pmd,
#endif
	.set_pgd = lgd_set_pgd,
	.pins = lgd_pins,
	.policy = lgd_policy,
	.crash = lgd_crash,
};
