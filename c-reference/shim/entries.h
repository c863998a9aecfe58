/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one function by which the door calls a paging mode: it takes what is
 * asked for and its arguments from the world, and leaves the answer there.
 */
#ifndef LG_ENTRIES_H
#define LG_ENTRIES_H

#include "hypercalls.h"

/* Stands in an out-parameter that the original did not write. */
#define LG_NOT_WRITTEN 0xdeadbeefu

static void lg_hypercall_args(const struct lg_world *world,
			      struct hcall_args *args)
{
	args->arg0 = world->args[0];
	args->arg1 = world->args[1];
	args->arg2 = world->args[2];
	args->arg3 = world->args[3];
	args->arg4 = world->args[4];
}

LG_SYSV void LG_CALL(struct lg_world *world)
{
	struct lguest *lg = &world->lg;
	struct lg_cpu *cpu = &lg->cpus[0];
	const u32 *a = world->args;
	struct hcall_args args;
	lg_ulong out = LG_NOT_WRITTEN;
	u32 answer = 0;

	switch (world->entry) {
	case LG_ENTRY_INIT_GUEST_PAGETABLE:
		answer = (u32)init_guest_pagetable(lg);
		break;
	case LG_ENTRY_FREE_GUEST_PAGETABLE:
		free_guest_pagetable(lg);
		break;
	case LG_ENTRY_DEMAND_PAGE:
		answer = demand_page(cpu, a[0], (int)a[1], &out);
		break;
	case LG_ENTRY_PIN_PAGE:
		pin_page(cpu, a[0]);
		break;
	case LG_ENTRY_MAP_SWITCHER_IN_GUEST:
		map_switcher_in_guest(cpu, NULL);
		break;
	case LG_ENTRY_GUEST_PA:
		answer = guest_pa(cpu, a[0]);
		break;
	case LG_ENTRY_TRY_GUEST_PA:
		answer = __guest_pa(cpu, a[0], &out);
		break;
	case LG_ENTRY_GUEST_SET_PTE:
#ifdef CONFIG_X86_PAE
		guest_set_pte(cpu, a[0], a[1],
			      __pte((u64)a[3] << 32 | a[2]));
#else
		guest_set_pte(cpu, a[0], a[1], __pte(a[2]));
#endif
		break;
	case LG_ENTRY_GUEST_SET_PGD:
		guest_set_pgd(lg, a[0], a[1]);
		break;
	case LG_ENTRY_GUEST_SET_PMD:
#ifdef CONFIG_X86_PAE
		guest_set_pmd(lg, a[0], a[1]);
#endif
		break;
	case LG_ENTRY_GUEST_NEW_PAGETABLE:
		guest_new_pagetable(cpu, a[0]);
		break;
	case LG_ENTRY_GUEST_PAGETABLE_FLUSH_USER:
		guest_pagetable_flush_user(cpu);
		break;
	case LG_ENTRY_GUEST_PAGETABLE_CLEAR_ALL:
		guest_pagetable_clear_all(cpu);
		break;
	case LG_ENTRY_PAGE_TABLE_GUEST_DATA_INIT:
		page_table_guest_data_init(cpu);
		break;
	case LG_ENTRY_GUEST_SET_STACK:
		guest_set_stack(cpu, a[0], a[1], a[2]);
		break;
	case LG_ENTRY_PIN_STACK_PAGES:
		pin_stack_pages(cpu);
		break;
	case LG_ENTRY_DO_HYPERCALLS:
		lg_hypercall_args(world, &args);
		do_hypercalls(cpu, &args);
		break;
	case LG_ENTRY_DO_ASYNC_HCALLS:
		do_async_hcalls(cpu);
		break;
	case LG_ENTRY_DO_HCALL:
		lg_hypercall_args(world, &args);
		do_hcall(cpu, &args);
		break;
	case LG_ENTRY_INITIALIZE:
		lg_hypercall_args(world, &args);
		initialize(cpu, &args);
		break;
	case LG_ENTRY_LGREAD:
		answer = lgread(cpu, a[0], u32);
		break;
	case LG_ENTRY_LGWRITE:
		lgwrite(cpu, a[0], u32, a[1]);
		break;
	case LG_ENTRY_FORMAT:
		kill_guest(cpu, "%#lx %lx %lu %u %li %i %p %s%%", a[0], a[0],
			   a[1], a[1], a[2], a[2], (void *)(u64)a[3], "text");
		break;
	default:
		break;
	}
	world->result[0] = answer;
	world->result[1] = out;
}

#endif
