/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's kernel stack.  A stack the guest has no right to kills it, but
 * is recorded and pinned all the same, however many pages it claims to have.
 */
#ifndef LG_STACK_H
#define LG_STACK_H

#include "lg.h"

static void pin_stack_pages(struct lg_cpu *cpu)
{
	u32 i;

	for (i = 0; i < cpu->lg->stack_pages; i++) {
		/* A real host would be busy here for hours. */
		if (lg_here()->shared->pins >= LG_MAX_PINS)
			lg_crash(LG_CRASH_LOCKUP, 0);
		lg_here()->shared->pins++;
		pin_page(cpu, cpu->esp1 - 1 - i * PAGE_SIZE);
	}
}

static void guest_set_stack(struct lg_cpu *cpu, u32 seg, u32 esp, u32 pages)
{
	if ((seg & 3) != 1)
		kill_guest(cpu, "bad stack segment %i", seg);
	if (pages > 2)
		kill_guest(cpu, "bad stack pages %u", pages);
	cpu->ss1 = seg;
	cpu->esp1 = esp;
	cpu->lg->stack_pages = pages;
	pin_stack_pages(cpu);
}

#endif
