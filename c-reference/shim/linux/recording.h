/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The running hash of what the original does, for the primitives that are
 * inline; the callbacks' share is mixed by the Rust side in the same way.
 */
#ifndef LG_LINUX_RECORDING_H
#define LG_LINUX_RECORDING_H

#include <linux/kernel.h>

#define LG_HASH_FACTOR 0x9e3779b97f4a7c15u

static inline u64 lg_mixed(u64 hash, u64 word)
{
	return ((hash << 5 | hash >> 59) ^ word) * LG_HASH_FACTOR;
}

/* A kernel call that takes a frame number and gives nothing back. */
static inline struct lg_shared *lg_kernel_call(u32 kind, u32 pfn)
{
	struct lg_shared *shared = lg_here()->shared;

	shared->calls++;
	if (unlikely(shared->calls == shared->during))
		lg_event();
	shared->hash = lg_mixed(shared->hash, (u64)kind << 56 | pfn);
	if (unlikely(shared->trace))
		lg_traced(kind, pfn, 0);
	return shared;
}

/* A store that changes an entry of a shadow table; not a kernel call. */
static inline void lg_store(u32 kind, u32 pa, u64 value)
{
	struct lg_shared *shared = lg_here()->shared;

	shared->hash = lg_mixed(lg_mixed(shared->hash, (u64)kind << 56 | pa),
				value);
	if (unlikely(shared->trace))
		lg_traced(kind, pa, value);
}

/* A lowest-level entry stored as it was is nothing that counts, but whoever
 * listens is told: number behind those of the calls. */
#define LG_STORED_AGAIN 13

static inline void lg_stored_again(u32 pa, u64 value)
{
	if (unlikely(lg_here()->shared->trace) && value)
		lg_traced(LG_STORED_AGAIN, pa, value);
}

#endif
