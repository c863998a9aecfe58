// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest's shadow tables before this machine's own MMU: a root that has
 * the kernel's entries and, below them, the guest's goes into CR3 with
 * interrupts off, and an address is touched.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/pgtable.h>
#include <asm/special_insns.h>

#include "glue.h"
#include "ioctl.h"

/* Top-level entries below the kernel's. */
#define BELOW (PAGE_OFFSET >> PGDIR_SHIFT)

/* What the touch gives: 0, or -EFAULT. */
static int touch(unsigned long root, u32 addr, bool write, u32 *word)
{
	unsigned long flags, before;
	int result;

	pagefault_disable();
	local_irq_save(flags);
	before = __native_read_cr3();
	native_write_cr3(root);
	/* A fault comes back by the exception table, nobody repairs it. */
	if (write)
		result = __put_user(*word, (u32 __user *)addr);
	else
		result = __get_user(*word, (u32 __user *)addr);
	native_write_cr3(before);
	local_irq_restore(flags);
	pagefault_enable();
	return result;
}

/* The running root's entries with the guest's `top` below the kernel's. */
static void mix(pgd_t *root, const pgd_t *top)
{
	u32 i;

	memcpy(root, __va(__native_read_cr3() & ~0x1ful),
	       PTRS_PER_PGD * sizeof(pgd_t));
	for (i = 0; i < BELOW; i++) {
#ifdef CONFIG_X86_PAE
		/* All but P and the address is reserved or ignored here. */
		root[i].pgd = top[i].pgd & (PHYSICAL_PAGE_MASK | _PAGE_PRESENT);
#else
		root[i] = top[i];
#endif
	}
}

/* What the processor marked in the copies of the guest's entries. */
static void marks(const pgd_t *root, pgd_t *top)
{
#ifndef CONFIG_X86_PAE
	u32 i;

	for (i = 0; i < BELOW; i++)
		top[i].pgd |= root[i].pgd & _PAGE_ACCESSED;
#endif
}

static u32 judge(struct lgk_file *f, struct lgk_probe *probe, int fault)
{
	struct lgk_guest *guest = &f->guest[0];
	u32 pfn = lgs_walk(f->world, probe->address, probe->write,
			   fault ? LGK_FAULTED : LGK_REACHED);

	if (pfn == LGK_DIFFERS)
		return fault ? LGK_PROBE_FAULTS : LGK_PROBE_REACHES;
	if (fault)
		return LGK_PROBE_FAULT;
	if (kg_load(guest, kg_find(guest, pfn), probe->address / 4 % 1024) !=
	    probe->word)
		return LGK_PROBE_WORD;
	return LGK_PROBE_MAPPED;
}

long lgk_probe(struct lgk_file *f, void __user *at)
{
	struct lgk_probe probe;
	unsigned long root;
	pgd_t *top;
	int fault;

	if (copy_from_user(&probe, at, sizeof(probe)))
		return -EFAULT;
	if (probe.address % 4 || probe.address >= PAGE_OFFSET)
		return -EINVAL;
	if (!f->begun)
		return -ENODEV;
	top = kg_table(&f->guest[0], lgs_root(f->world) >> PAGE_SHIFT);
	if (!top)
		return -ENODEV;
	if (lgs_walk(f->world, probe.address, probe.write, LGK_LOOK)) {
		/* A reserved bit would be an oops. */
		probe.verdict = LGK_PROBE_LEFT_OUT;
	} else {
		/* Page-table isolation keeps another root behind: bit 12 clear. */
		root = __get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
		if (!root)
			return -ENOMEM;
		mix((pgd_t *)root, top);
		fault = touch(__pa(root), probe.address, probe.write,
			      &probe.word);
		marks((const pgd_t *)root, top);
		free_pages(root, 1);
		probe.verdict = judge(f, &probe, fault);
	}
	return copy_to_user(at, &probe, sizeof(probe)) ? -EFAULT : 0;
}
