/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls: what each number asks for, the ring of asynchronous ones, and
 * the first of all, which tells the host where to find that ring.
 */
#ifndef LG_HYPERCALLS_H
#define LG_HYPERCALLS_H

#include "guest_memory.h"
#include "stack.h"

enum lhcall {
	LHCALL_FLUSH_ASYNC = 0,
	LHCALL_LGUEST_INIT = 1,
	LHCALL_SHUTDOWN = 2,
	LHCALL_NEW_PGTABLE = 4,
	LHCALL_FLUSH_TLB = 5,
	LHCALL_LOAD_IDT_ENTRY = 6,
	LHCALL_SET_STACK = 7,
	LHCALL_TS = 8,
	LHCALL_SET_CLOCKEVENT = 9,
	LHCALL_HALT = 10,
	LHCALL_SET_PMD = 13,
	LHCALL_SET_PTE = 14,
	LHCALL_SET_PGD = 15,
	LHCALL_LOAD_TLS = 16,
	LHCALL_LOAD_GDT_ENTRY = 18,
	LHCALL_SEND_INTERRUPTS = 19,
};

#define LGUEST_SHUTDOWN_RESTART 2
/* A ring slot with nothing in it. */
#define LG_RING_FREE 0xff
/* The time that every guest is told, in seconds. */
#define LG_TIMESTAMP 0x1000

static void lg_shutdown(struct lg_cpu *cpu, const struct hcall_args *args)
{
	char text[128];

	lg_zero(text, sizeof(text));
	__lgread(cpu, text, args->arg1, sizeof(text));
	text[sizeof(text) - 1] = 0;
	kill_guest(cpu, "CRASH: %s", text);
	if (args->arg2 == LGUEST_SHUTDOWN_RESTART)
		cpu->lg->dead = -ERESTART;
}

static noinline void do_hcall(struct lg_cpu *cpu, const struct hcall_args *args)
{
	switch (args->arg0) {
	case LHCALL_FLUSH_ASYNC:
	case LHCALL_SEND_INTERRUPTS:
	case LHCALL_LOAD_IDT_ENTRY:
	case LHCALL_LOAD_TLS:
	case LHCALL_LOAD_GDT_ENTRY:
	case LHCALL_TS:
	case LHCALL_SET_CLOCKEVENT:
	case LHCALL_HALT:
		/* Not about page tables. */
		break;
	case LHCALL_LGUEST_INIT:
		kill_guest(cpu, "already have lguest_data");
		break;
	case LHCALL_SHUTDOWN:
		lg_shutdown(cpu, args);
		break;
	case LHCALL_FLUSH_TLB:
		if (args->arg1)
			guest_pagetable_clear_all(cpu);
		else
			guest_pagetable_flush_user(cpu);
		break;
	case LHCALL_NEW_PGTABLE:
		guest_new_pagetable(cpu, args->arg1);
		break;
	case LHCALL_SET_STACK:
		guest_set_stack(cpu, args->arg1, args->arg2, args->arg3);
		break;
	case LHCALL_SET_PTE:
#ifdef CONFIG_X86_PAE
		guest_set_pte(cpu, args->arg1, args->arg2,
			      __pte((u64)args->arg4 << 32 | args->arg3));
#else
		guest_set_pte(cpu, args->arg1, args->arg2, __pte(args->arg3));
#endif
		break;
	case LHCALL_SET_PGD:
		guest_set_pgd(cpu->lg, args->arg1, args->arg2);
		break;
#ifdef CONFIG_X86_PAE
	case LHCALL_SET_PMD:
		guest_set_pmd(cpu->lg, args->arg1, args->arg2);
		break;
#endif
	default:
		kill_guest(cpu, "Bad hypercall %li\n", args->arg0);
	}
}

/* A guest killed by one entry still has the rest of its ring run. */
static noinline void do_async_hcalls(struct lg_cpu *cpu)
{
	struct lguest_data *data = cpu->lg->lguest_data;
	u8 status[LHCALL_RING_SIZE];
	u32 i;

	lg_zero(status, sizeof(status));
	if (copy_from_user(status, &data->hcall_status, sizeof(status)))
		return;

	for (i = 0; i < LHCALL_RING_SIZE; i++) {
		struct hcall_args args;
		u32 n = cpu->next_hcall;

		if (status[n] == LG_RING_FREE)
			break;
		cpu->next_hcall = (n + 1) % LHCALL_RING_SIZE;
		lg_zero(&args, sizeof(args));
		if (copy_from_user(&args, &data->hcalls[n], sizeof(args))) {
			kill_guest(cpu, "Fetching async hypercalls");
			break;
		}
		do_hcall(cpu, &args);
		if (put_user(LG_RING_FREE, &data->hcall_status[n])) {
			kill_guest(cpu, "Writing result for async hypercall");
			break;
		}
	}
}

static void lg_bad_guest_page(struct lg_cpu *cpu)
{
	kill_guest(cpu, "bad guest page %p", cpu->lg->lguest_data);
}

/* Each thing that fails here kills the guest, and the next is tried. */
static noinline void initialize(struct lg_cpu *cpu,
				const struct hcall_args *args)
{
	static const u32 time[2] = { LG_TIMESTAMP, 0 };
	struct lguest *lg = cpu->lg;

	if (args->arg0 != LHCALL_LGUEST_INIT) {
		kill_guest(cpu, "hypercall %li before INIT", args->arg0);
		return;
	}

	if (!lguest_address_ok(lg, args->arg1, sizeof(struct lguest_data))) {
		lg_bad_guest_page(cpu);
	} else {
		lg->lguest_data = (struct lguest_data *)(u64)
			lg_launcher_address(lg, args->arg1);
		if (put_user(lg_here()->shared->tsc_khz,
			     &lg->lguest_data->tsc_khz))
			lg_bad_guest_page(cpu);
	}
	if (get_user(lg->noirq_iret, &lg->lguest_data->noirq_iret))
		lg_bad_guest_page(cpu);
	if (copy_to_user(&lg->lguest_data->time, time, sizeof(time)))
		kill_guest(cpu, "Writing timestamp");
	page_table_guest_data_init(cpu);
	guest_pagetable_clear_all(cpu);
}

static void do_hypercalls(struct lg_cpu *cpu, const struct hcall_args *args)
{
	if (!cpu->lg->lguest_data) {
		initialize(cpu, args);
		return;
	}
	do_async_hcalls(cpu);
	do_hcall(cpu, args);
}

#endif
