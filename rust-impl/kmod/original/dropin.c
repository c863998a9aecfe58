// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stood around the original in lguest, with the drop-in in its place:
 * page_tables.o is of Rust here, and this gives it its primitives.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/random.h>

#include "glue.h"
#include "lg.h"

/* A table that the ledger does not hold is a crash that harms nobody. */
static void *lg_table(u32 pa)
{
	void *table = kg_table(lg_here()->guest, pa >> PAGE_SHIFT);

	if (!table)
		lg_crash(LG_CRASH_WILD_PAGE, pa >> PAGE_SHIFT);
	return table;
}

/* It is compared with the original's recordings, so it mends nothing. */
#define LGD_POLICY 0
#define LGD_PRIMITIVES lgd_primitives
#define LGD_PTE_MASK lg_here()->shared->pte_mask
#define LGD_TABLE(pa) lg_table(pa)
#include "table.h"

#include "kill.h"

#define LG_CALL lg_call

#include "guest_memory.h"
#include "stack.h"
#include "hypercalls.h"
#include "entries.h"
