// SPDX-License-Identifier: GPL-2.0-or-later
//! H:320: where the entries for an address lie, in the shadow tables and in the guest's own.
//!
//! The original has two variants of most of these, by configuration. Assertions that its
//! callers make true beforehand stand here too.

use crate::addr::{Gpa, Gva};
use crate::bug::{BugKind, HostBug};
use crate::entry::{Entry, PAGE_SHIFT, PAGE_SIZE, PRESENT};
use crate::guest::Lguest;
use crate::host::Host;
use crate::mode::{Mode, Slot, Table};
use crate::policy::Policy;

/// A shadow table and where it lies.
#[derive(Clone, Copy)]
pub(crate) struct ShadowTable<'h, M: Mode> {
    table: &'h M::Table,
    pa: u32,
}

impl<'h, M: Mode> ShadowTable<'h, M> {
    /// Its entry `index`, which the caller knows to be in range.
    #[inline]
    pub(crate) fn slot(&self, index: u32) -> Slot<'h, M> {
        Slot::new(
            self.table.entry(index),
            self.pa.wrapping_add(index.wrapping_mul(M::Entry::SIZE)),
        )
    }

    /// Its entry `index`, of whatever size that is.
    ///
    /// # Errors
    /// The entry would lie behind the page.
    #[inline]
    pub(crate) fn unchecked_slot(&self, index: u32) -> Result<Slot<'h, M>, HostBug> {
        // A lowest-level table fills its page in both modes.
        if index >= M::PTRS_PER_PTE {
            return Err(outside_page(self.pa));
        }
        Ok(self.slot(index))
    }

    /// Its physical address.
    #[inline]
    pub(crate) fn pa(&self) -> u32 {
        self.pa
    }

    /// Its first `count` entries, or all.
    #[inline]
    pub(crate) fn entries(&self, count: u32) -> &'h [core::cell::Cell<M::Entry>] {
        let all = self.table.entries();
        all.get(..count as usize).unwrap_or(all)
    }
}

#[cold]
fn outside_page(pa: u32) -> HostBug {
    HostBug::new(BugKind::OutsidePage, pa >> PAGE_SHIFT)
}

/// A slot that was never allocated is a null pointer in the original, not physical page 0.
#[cold]
fn no_pgdir(pa: u32, error: HostBug) -> HostBug {
    if pa == 0 { HostBug::NULL_ENTRY } else { error }
}

/// `BUG_ON(!(flags & _PAGE_PRESENT))`.
#[inline]
fn bug_on_absent(entry: impl Entry) -> Result<(), HostBug> {
    if entry.has(PRESENT) {
        Ok(())
    } else {
        Err(HostBug::BUG_ON)
    }
}

impl<'h, M: Mode, P: Policy, H: Host<M>> Lguest<'h, M, P, H> {
    /// The table at `pa`, a page boundary.
    #[inline(always)]
    pub(crate) fn table(&self, pa: u32) -> Result<ShadowTable<'h, M>, HostBug> {
        let host = self.host;
        Ok(ShadowTable {
            table: host.table(pa)?,
            pa,
        })
    }

    /// The top level of slot `i`.
    ///
    /// # Errors
    /// Nothing was allocated for it.
    #[inline(always)]
    pub(crate) fn top_level(&self, i: u32) -> Result<ShadowTable<'h, M>, HostBug> {
        let pa = self.pgdir(i).pgdir;
        self.table(pa).map_err(|error| no_pgdir(pa, error))
    }

    /// The top-level entry for an address in slot `i` (C 83–89).
    #[inline(always)]
    pub(crate) fn spgd_addr(&self, i: u32, vaddr: Gva) -> Result<Slot<'h, M>, HostBug> {
        Ok(self.top_level(i)?.slot(M::pgd_index(vaddr)))
    }

    /// The middle-level entry for an address, below this top-level one (C 97–107, PAE).
    #[inline(always)]
    pub(crate) fn spmd_addr(&self, spgd: M::Entry, vaddr: Gva) -> Result<Slot<'h, M>, HostBug> {
        bug_on_absent(spgd)?;
        Ok(self.table(spgd.table_address())?.slot(M::pmd_index(vaddr)))
    }

    /// The lowest-level entry for an address (C 115–130).
    ///
    /// `upper` is the entry one level above. The original wants the top-level one and with
    /// PAE goes through the middle level once more; every caller has just been there.
    #[inline(always)]
    pub(crate) fn spte_addr(&self, upper: M::Entry, vaddr: Gva) -> Result<Slot<'h, M>, HostBug> {
        bug_on_absent(upper)?;
        Ok(self.table(upper.table_address())?.slot(M::pte_index(vaddr)))
    }

    /// Whether the upper-level entry for `vaddr`, which covers `1 << shift` bytes, is on the way
    /// to a page of the Switcher.
    pub(crate) fn above_switcher(&self, vaddr: u32, shift: u32) -> bool {
        let first = self.host.switcher_addr();
        let pages = self.host.nr_cpu_ids().wrapping_mul(2);
        let last = first.wrapping_add(pages.wrapping_mul(PAGE_SIZE));
        (first >> shift..=last >> shift).contains(&(vaddr >> shift))
    }

    /// Where the guest's top-level entry for an address lies (C 136–140).
    #[inline]
    pub(crate) fn gpgd_addr(&self, vaddr: Gva) -> Gpa {
        Gpa(self.pgdir(self.cpu_pgd()).gpgdir).entry(M::pgd_index(vaddr), M::Entry::SIZE)
    }

    /// Where the guest's middle-level entry for an address lies (C 144–149, PAE).
    #[inline]
    pub(crate) fn gpmd_addr(&self, gpgd: M::Entry, vaddr: Gva) -> Result<Gpa, HostBug> {
        bug_on_absent(gpgd)?;
        Ok(Gpa(gpgd.table_address()).entry(M::pmd_index(vaddr), M::Entry::SIZE))
    }

    /// Where the guest's lowest-level entry for an address lies, `upper` being the entry one
    /// level above (C 152–159 with PAE, 162–169 without).
    #[inline]
    pub(crate) fn gpte_addr(&self, upper: M::Entry, vaddr: Gva) -> Result<Gpa, HostBug> {
        bug_on_absent(upper)?;
        Ok(Gpa(upper.table_address()).entry(M::pte_index(vaddr), M::Entry::SIZE))
    }
}
