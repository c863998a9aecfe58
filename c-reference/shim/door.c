// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The door: every call into the original goes through `lg_enter`, and what
 * would have crashed a host comes back from it as a value.
 *
 * A fault is taken for the original's only while this thread is inside it
 * (callbacks are not) and only if the processor raised it.  Every other one
 * goes to whoever handled the signal before: the Rust runtime's stack guard,
 * a sanitizer, a fuzzer, or the default.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

#include "door.h"

#define barrier() __asm__ volatile("" ::: "memory")

/* A fault this near to the stack pointer is the stack's, not the tables'. */
#define STACK_SPAN 0x10000u

__thread struct lg_world *lg_world_here
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

static const int caught[] = { SIGSEGV, SIGBUS };
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))
static struct sigaction former[CAUGHT];

LG_SYSV __attribute__((const)) struct lg_world *lg_world_now(void);

LG_SYSV struct lg_world *lg_world_now(void)
{
	return lg_world_here;
}

static uint64_t packed(uint32_t kind, uint32_t pfn)
{
	return (uint64_t)kind << 32 | pfn;
}

static __attribute__((noreturn)) void leave(struct lg_world *world,
					    uint64_t crash)
{
	world->crash = crash;
	world->inside = 0;
	siglongjmp(*(sigjmp_buf *)world->door, 1);
}

static uint64_t classify(const struct lg_world *world, uint64_t addr)
{
	uint32_t pfn = (uint32_t)addr >> 12;

	if (addr < LG_NULL_SPAN || addr >= -(uint64_t)LG_NULL_SPAN)
		return packed(LG_CRASH_NULL_ENTRY, 0);
	/* Table frames have even numbers, and each a guard behind it. */
	if (addr - world->arena < (uint64_t)1 << 32 && (pfn & 1) && pfn > 2 &&
	    pfn / 2 <= world->table_frames)
		return packed(LG_CRASH_OUTSIDE_PAGE, pfn - 1);
	return packed(LG_CRASH_WILD_PAGE, pfn);
}

static bool near_stack(uint64_t addr, const void *context)
{
	const ucontext_t *at = context;
	uint64_t sp = (uint64_t)at->uc_mcontext.gregs[REG_RSP];

	return addr - (sp - STACK_SPAN) < 2 * STACK_SPAN;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	const struct sigaction *to = &former[sig == SIGBUS];
	sigset_t with, before;

	if (!(to->sa_flags & SA_SIGINFO) &&
	    (to->sa_handler == SIG_DFL || to->sa_handler == SIG_IGN)) {
		/* The instruction is tried again and meets the default ... */
		if (to->sa_handler == SIG_IGN && info->si_code <= 0)
			return;
		signal(sig, SIG_DFL);
		/* ... but a signal that someone sent does not come again. */
		if (info->si_code <= 0)
			raise(sig);
		return;
	}

	/* The handler finds the mask that it asked for. */
	with = to->sa_mask;
	if (!(to->sa_flags & SA_NODEFER))
		sigaddset(&with, sig);
	pthread_sigmask(SIG_BLOCK, &with, &before);
	if (to->sa_flags & SA_SIGINFO)
		to->sa_sigaction(sig, info, context);
	else
		to->sa_handler(sig);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct lg_world *world = lg_world_here;
	uint64_t addr = (uint64_t)info->si_addr;

	if (world && world->inside && info->si_code > 0 &&
	    !near_stack(addr, context))
		leave(world, classify(world, addr));
	pass_on(sig, info, context);
}

/* Called once; the Rust side sees to that. */
LG_SYSV void lg_install(void)
{
	struct sigaction ours;
	size_t i;

	/* Read first: the handler may run as soon as it stands. */
	for (i = 0; i < CAUGHT; i++)
		sigaction(caught[i], NULL, &former[i]);

	ours.sa_sigaction = on_fault;
	sigemptyset(&ours.sa_mask);
	/*
	 * Nothing is blocked in the handler, so leaving it by a jump that does
	 * not touch the mask is right, and the door need not save one.
	 */
	ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	for (i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &ours, NULL);
}

LG_SYSV uint64_t lg_enter(struct lg_world *world)
{
	sigjmp_buf door;
	struct lg_world *now;

	world->outer = lg_world_here;
	world->door = &door;
	world->crash = 0;
	world->shared->pins = 0;
	lg_world_here = world;
	if (sigsetjmp(door, 0) == 0) {
		world->inside = 1;
		barrier();
		world->call(world);
		barrier();
	}
	/* After a jump only what is in memory can be trusted. */
	now = lg_world_here;
	now->inside = 0;
	now->door = NULL;
	lg_world_here = now->outer;
	return now->crash;
}

LG_SYSV void lg_crash(uint32_t kind, uint32_t pfn)
{
	leave(lg_world_here, packed(kind, pfn));
}

/* The flag is down while the host answers: its faults are its own. */
static inline struct lg_world *step_out(void)
{
	struct lg_world *world = lg_world_here;

	world->inside = 0;
	barrier();
	return world;
}

static inline void step_in(struct lg_world *world)
{
	barrier();
	world->inside = 1;
}

LG_SYSV uint32_t lg_get_zeroed_page(void)
{
	struct lg_world *world = step_out();
	uint32_t pa = world->callbacks->get_zeroed_page(world->context);

	step_in(world);
	return pa;
}

LG_SYSV void lg_free_page(uint32_t pa)
{
	struct lg_world *world = step_out();
	uint64_t crash = world->callbacks->free_page(world->context, pa);

	step_in(world);
	if (crash)
		leave(world, crash);
}

LG_SYSV uint32_t lg_get_user_pages_fast(uint32_t addr, uint32_t write)
{
	struct lg_world *world = step_out();
	uint32_t pfn = world->callbacks->get_user_pages_fast(world->context,
							     addr, write);

	step_in(world);
	return pfn;
}

LG_SYSV uint32_t lg_copy_from_user(void *to, uint32_t from, uint32_t len)
{
	struct lg_world *world = step_out();
	bool ok = world->callbacks->copy_from_user(world->context, to, from,
						   len);

	step_in(world);
	return ok ? 0 : len;
}

LG_SYSV uint32_t lg_copy_to_user(uint32_t to, const void *from, uint32_t len)
{
	struct lg_world *world = step_out();
	bool ok = world->callbacks->copy_to_user(world->context, to, from,
						 len);

	step_in(world);
	return ok ? 0 : len;
}

LG_SYSV uint32_t lg_prandom_u32(void)
{
	struct lg_world *world = step_out();
	uint32_t value = world->callbacks->prandom_u32(world->context);

	step_in(world);
	return value;
}

LG_SYSV bool lg_kasprintf(const char *text, uint32_t len)
{
	struct lg_world *world = step_out();
	bool ok = world->callbacks->kasprintf(world->context,
					      (const uint8_t *)text, len);

	step_in(world);
	return ok;
}

LG_SYSV void lg_event(void)
{
	struct lg_world *world = step_out();

	world->callbacks->event(world->context);
	step_in(world);
}

LG_SYSV void lg_traced(uint32_t kind, uint64_t a, uint64_t b)
{
	struct lg_world *world = step_out();

	world->callbacks->traced(world->context, kind, a, b);
	step_in(world);
}
