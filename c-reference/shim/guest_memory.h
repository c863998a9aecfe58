/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the host reaches guest memory: bounds in 32 bits, which wrap for a
 * guest of 4 GiB, and a killed guest where an access fails.
 */
#ifndef LG_GUEST_MEMORY_H
#define LG_GUEST_MEMORY_H

#include "lg.h"

static bool lguest_address_ok(const struct lguest *lg, u32 addr, u32 len)
{
	u32 end = addr + len;

	return end <= lg->pfn_limit * PAGE_SIZE && end >= addr;
}

/* Where a guest-physical address lies in the launcher: a 32-bit sum. */
static u32 lg_launcher_address(const struct lguest *lg, u32 addr)
{
	return LG_LAUNCHER_ADDRESS(lg->mem_base) + addr;
}

/* In a loop of our own: a variant must not call the C library's memset. */
static void lg_zero(void *to, u32 len)
{
	u8 *bytes = to;
	u32 i;

	for (i = 0; i < len; i++)
		bytes[i] = 0;
}

static noinline void __lgread(struct lg_cpu *cpu, void *to, u32 addr, u32 len)
{
	if (!lguest_address_ok(cpu->lg, addr, len) ||
	    lg_copy_from_user(to, lg_launcher_address(cpu->lg, addr), len)) {
		lg_zero(to, len);
		kill_guest(cpu, "bad read address %#lx len %u", addr, len);
	}
}

static noinline void __lgwrite(struct lg_cpu *cpu, u32 addr, const void *from,
			       u32 len)
{
	if (!lguest_address_ok(cpu->lg, addr, len) ||
	    lg_copy_to_user(lg_launcher_address(cpu->lg, addr), from, len))
		kill_guest(cpu, "bad write address %#lx len %u", addr, len);
}

#endif
