/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts where the original has been, a byte for each edge, in the section
 * that libFuzzer looks at beside its own counters.  Compiled without coverage.
 *
 * A place is told by its distance from a function of the same program, so
 * that it is the same wherever the program was loaded.  Two return addresses
 * are at least a call's five bytes apart, so a quarter of the distance tells
 * them apart, as long as the original is no longer than LG_COVER counters
 * reach.
 */
#include <stdint.h>

#define LG_COVER (1u << 15)

uint8_t lg_cover_counts[LG_COVER]
	__attribute__((section("__libfuzzer_extra_counters"), used,
		       aligned(64), visibility("hidden")));

/* Whoever reads the counts asks here how many there are. */
__attribute__((visibility("hidden"))) const uint32_t lg_cover_len = LG_COVER;

__attribute__((visibility("hidden"))) void lg_cover_pc(void);

void lg_cover_pc(void)
{
	uintptr_t here = (uintptr_t)__builtin_return_address(0);
	uintptr_t from = here - (uintptr_t)lg_cover_pc;
	uint8_t *count = &lg_cover_counts[from / 4 % LG_COVER];

	/* It stays at the most: a count that wraps would be none. */
	*count += *count != UINT8_MAX;
}
