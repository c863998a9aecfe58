// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bridge to the original: which world a task is in, the kernel calls that
 * the original makes, and the way in and, after a crash, out.
 */
#include <linux/mm.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "world.h"
#include "state.h"
#include "glue.h"

/* Worlds that are inside the original now; a task finds its own. */
#define INSIDE 64
static struct lg_world *inside[INSIDE];
static DEFINE_SPINLOCK(inside_lock);

struct lg_world *lg_world_now(void)
{
	u32 i;

	for (i = 0; i < INSIDE; i++) {
		struct lg_world *world = READ_ONCE(inside[i]);

		/* Entries of other tasks come and go; ours stays. */
		if (world && READ_ONCE(world->task) == current)
			return world;
	}
	BUG();
}

static int go_in(struct lg_world *world)
{
	u32 i;

	spin_lock(&inside_lock);
	for (i = 0; i < INSIDE && inside[i]; i++)
		;
	if (i < INSIDE) {
		world->task = current;
		WRITE_ONCE(inside[i], world);
	}
	spin_unlock(&inside_lock);
	return i < INSIDE ? (int)i : -1;
}

static void go_out(int at)
{
	spin_lock(&inside_lock);
	inside[at] = NULL;
	spin_unlock(&inside_lock);
}

void lg_crash(u32 kind, u32 pfn)
{
	struct lg_world *world = lg_here();

	world->crash_kind = kind;
	world->crash_pfn = pfn;
	/*
	 * The original holds no lock.  Of Rust, the drop-in's frames may lie on
	 * the way, which have nothing to drop.
	 */
	__builtin_longjmp(world->door, 1);
}

unsigned long lg_get_zeroed_page(void)
{
	u32 pa = lgo_get_zeroed_page(lg_here()->host);

	return pa ? (unsigned long)__va(pa) : 0;
}

void lg_free_page(unsigned long address)
{
	u32 pa = address ? __pa(address) : 0;
	u32 kind = lgo_free_page(lg_here()->host, pa);

	if (kind)
		lg_crash(kind, pa >> PAGE_SHIFT);
}

int lg_get_user_pages_fast(unsigned long start, int write, struct page **page)
{
	u32 pfn = lgo_get_user_pages_fast(lg_here()->host, start, write);

	if (pfn == LG_NO_PFN)
		return 0;
	*page = pfn_to_page(pfn);
	return 1;
}

void lg_get_page(struct page *page)
{
	u32 pfn = page_to_pfn(page);
	u32 kind = lgo_get_page(lg_here()->host, pfn);

	if (kind)
		lg_crash(kind, pfn);
}

void lg_put_page(struct page *page)
{
	u32 pfn = page_to_pfn(page);
	u32 kind = lgo_put_page(lg_here()->host, pfn);

	if (kind)
		lg_crash(kind, pfn);
}

u32 lg_copy_from_user(void *to, u32 from, u32 len)
{
	return lgo_copy_from_user(lg_here()->host, to, from, len) ? 0 : len;
}

u32 lg_copy_to_user(u32 to, const void *from, u32 len)
{
	return lgo_copy_to_user(lg_here()->host, to, from, len) ? 0 : len;
}

u32 lg_prandom_u32(void)
{
	return lgo_prandom_u32(lg_here()->host);
}

bool lg_kasprintf(const char *text, u32 len)
{
	return lgo_kasprintf(lg_here()->host, text, len);
}

void lg_store(u32 kind, const void *slot, u64 value)
{
	lgo_stored(lg_here()->host, kind, __pa(slot), value, value >> 32);
}

asmlinkage void *kgo_new(void *host);
asmlinkage void *kgo_new(void *host)
{
	struct lg_world *world = kzalloc(sizeof(*world), GFP_KERNEL_ACCOUNT);

	if (world)
		world->host = host;
	return world;
}

asmlinkage void kgo_delete(struct lg_world *world);
asmlinkage void kgo_delete(struct lg_world *world)
{
	kfree(world);
}

asmlinkage void kgo_reset(struct lg_world *world,
			  const struct lgo_machine *machine);
asmlinkage void kgo_reset(struct lg_world *world,
			  const struct lgo_machine *machine)
{
	struct lguest *lg = &world->lg;
	u32 i;

	memset(lg, 0, sizeof(*lg));
	lg->mem_base = (void *)(unsigned long)machine->mem_base;
	lg->pfn_limit = machine->pfn_limit;
	lg->device_limit = machine->device_limit;
	lg->cpus[0].lg = lg;
	/* Kept as the kernel's address of the page, as lguest did. */
	lg->cpus[0].regs_page = (unsigned long)__va(machine->regs_page);
	world->guest = machine->guest;
	world->shared = &world->decided;
	world->decided = (struct lg_shared){
		.nr_cpus = machine->nr_cpus,
		.switcher_addr = machine->switcher_addr,
		.tsc_khz = machine->tsc_khz,
		.pte_mask = (u64)machine->pte_mask_high << 32 |
			    machine->pte_mask_low,
	};
	for (i = 0; i < 1 + 2 * min(machine->nr_cpus, 32u); i++)
		world->switcher_pages[i] = pfn_to_page(
			kg_pfn(machine->guest, 1 + i));
}

/* Nothing here lives in a register across the way back. */
asmlinkage noinline u32 kgo_call(struct lg_world *world, u32 entry,
				 const u32 *args, u32 cpu, u32 *result);
asmlinkage noinline u32 kgo_call(struct lg_world *world, u32 entry,
				 const u32 *args, u32 cpu, u32 *result)
{
	volatile int at = go_in(world);

	if (at < 0)
		return LG_CRASH_LOCKUP;
	world->entry = entry;
	memcpy(world->args, args, sizeof(world->args));
	world->decided.cpu = cpu;
	world->crash_kind = 0;
	world->crash_pfn = 0;
	if (entry == LG_ENTRY_DO_HYPERCALLS ||
	    entry == LG_ENTRY_INIT_GUEST_PAGETABLE)
		world->decided.pins = 0;
	if (!__builtin_setjmp(world->door))
		lg_call(world);
	go_out(at);
	result[0] = world->result[0];
	result[1] = world->result[1];
	result[2] = world->crash_pfn;
	return world->crash_kind;
}

asmlinkage void kgo_state(const struct lg_world *world,
			  struct lgo_state *state);
asmlinkage void kgo_state(const struct lg_world *world,
			  struct lgo_state *state)
{
	const struct lguest *lg = &world->lg;
	u32 i;

	for (i = 0; i < LG_PGDIRS; i++) {
		const struct pgdir *from = &lg->pgdirs[i];

		state->slots[i].gpgdir = from->gpgdir;
		state->slots[i].pgdir = from->pgdir ? __pa(from->pgdir) : 0;
		state->slots[i].last_host_cpu = from->last_host_cpu;
		state->slots[i].switcher_mapped = from->switcher_mapped;
	}
	state->cpu_pgd = lg->cpus[0].cpu_pgd;
	state->linear_pages = lg->cpus[0].linear_pages;
	state->kernel_address = lg->kernel_address;
	state->lguest_data = (u32)(unsigned long)lg->lguest_data;
	state->ss1 = lg->cpus[0].ss1;
	state->esp1 = lg->cpus[0].esp1;
	state->stack_pages = lg->stack_pages;
	state->next_hcall = lg->cpus[0].next_hcall;
	state->dead = lg->dead;
	state->pins = world->decided.pins;
}
