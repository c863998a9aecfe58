// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (v), H:440: shadow tables are thrown away, from one entry up to everything.
//!
//! Most entries of most tables are absent. So tables are read a [`BLOCK`] at a time, and only
//! in blocks with something in them is each entry looked at. The order of what is released is
//! the original's, which looks at one entry after the other.

use core::cell::Cell;

use crate::addr::Gva;
use crate::bug::HostBug;
use crate::entry::{Entry, PRESENT};
use crate::guest::{Lguest, PGDIRS};
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::{Mode, Slot};
use crate::policy::{Fix, Policy};
use crate::walk::ShadowTable;

/// Entries that are looked at together.
const BLOCK: usize = 16;

impl<'h, M: Mode, P: Policy, H: Host<M>> Lguest<'h, M, P, H> {
    /// H:440: the guest flushes its user mappings in the current tables (C 668–672).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_pagetable_flush_user(&mut self) -> Result<(), HostBug> {
        self.flush_user_mappings(self.cpu_pgd())
    }

    /// H:445: releases the top-level entries of slot `idx` below the guest's kernel, which
    /// keeps all of one that the kernel begins inside ([`Fix::C9`]; C 654–660).
    pub(crate) fn flush_user_mappings(&self, idx: u32) -> Result<(), HostBug> {
        let user = M::pgd_index(Gva(self.kernel_address));
        let inside = self.kernel_address.trailing_zeros() < M::PGDIR_SHIFT;
        if inside && self.policy().fixes(Fix::C9) {
            self.flush_below_kernel(idx)?;
        }
        // Before the guest has told, there is nothing to do, and there may be no table.
        if user == 0 {
            return Ok(());
        }
        let top = self.top_level(idx)?;
        self.release_slots(&top, user, Self::release_pgd)
    }

    /// Releases what is the user's below the top-level entry that the kernel begins inside. A
    /// page that is the kernel's in part goes too: it comes back with the next fault.
    #[cold]
    fn flush_below_kernel(&self, idx: u32) -> Result<(), HostBug> {
        let kernel = Gva(self.kernel_address);
        let mut upper = self.spgd_addr(idx, kernel)?.get();
        if !upper.has(PRESENT) {
            return Ok(());
        }
        if M::PAE {
            let table = self.table(upper.table_address())?;
            for i in 0..M::pmd_index(kernel) {
                let spmd = table.slot(i);
                if spmd.get().has(PRESENT) && self.mends(Fix::C9) {
                    self.release_pmd(spmd)?;
                }
            }
            upper = table.slot(M::pmd_index(kernel)).get();
            if !upper.has(PRESENT) {
                return Ok(());
            }
        }
        let table = self.table(upper.table_address())?;
        let in_part = u32::from(kernel.offset() != 0);
        for i in 0..M::pte_index(kernel).wrapping_add(in_part) {
            let spte = table.slot(i);
            if spte.get().has(PRESENT) && self.mends(Fix::C9) {
                self.release_pte(spte.get())?;
                self.host.set_pte(&spte, M::Entry::ZERO);
            }
        }
        Ok(())
    }

    /// H:450: releases all that hangs on a top-level entry, and the table (C 604–619 with
    /// PAE, 627–646 without).
    pub(crate) fn release_pgd(&self, spgd: Slot<'h, M>) -> Result<(), HostBug> {
        if !spgd.get().has(PRESENT) {
            return Ok(());
        }
        let table = self.table(spgd.get().table_address())?;
        if M::PAE {
            // A middle table fills its page, like a lowest-level one.
            self.release_slots(&table, M::PTRS_PER_PTE, Self::release_pmd)?;
            self.host.free_page(spgd.get().table_address())?;
            self.host.set_pgd(&spgd, M::Entry::ZERO);
        } else {
            self.release_ptes(&table)?;
            self.host.free_page(spgd.get().table_address())?;
            // C 644, the one upper-level store that does not go through set_pgd.
            spgd.set(M::Entry::ZERO);
        }
        Ok(())
    }

    /// The same for a middle-level entry (C 588–602, PAE).
    fn release_pmd(&self, spmd: Slot<'h, M>) -> Result<(), HostBug> {
        if !spmd.get().has(PRESENT) {
            return Ok(());
        }
        let table = self.table(spmd.get().table_address())?;
        self.release_ptes(&table)?;
        self.host.free_page(spmd.get().table_address())?;
        self.host.set_pmd(&spmd, M::Entry::ZERO);
        Ok(())
    }

    /// H:460: puts back the page reference that a present entry holds (C 242–250).
    #[inline]
    pub(crate) fn release_pte(&self, pte: M::Entry) -> Result<(), HostBug> {
        if pte.has(PRESENT) {
            self.host.put_page(pte.pte_pfn())?;
        }
        Ok(())
    }

    /// `release_pte` for a whole table.
    fn release_ptes(&self, table: &ShadowTable<'h, M>) -> Result<(), HostBug> {
        for block in table.entries(M::PTRS_PER_PTE).chunks_exact(BLOCK) {
            if any_present(block) {
                for pte in block {
                    self.release_pte(pte.get())?;
                }
            }
        }
        Ok(())
    }

    /// `release` for the first `count` slots of an upper-level table.
    #[inline]
    fn release_slots(
        &self,
        table: &ShadowTable<'h, M>,
        count: u32,
        release: impl Fn(&Self, Slot<'h, M>) -> Result<(), HostBug>,
    ) -> Result<(), HostBug> {
        let mut pa = table.pa();
        let mut blocks = table.entries(count).chunks_exact(BLOCK);
        let release_each = |entries: &'h [Cell<M::Entry>], mut pa: u32| {
            for entry in entries {
                if entry.get().has(PRESENT) {
                    release(self, Slot::new(entry, pa))?;
                }
                pa = pa.wrapping_add(M::Entry::SIZE);
            }
            Ok(())
        };
        for block in &mut blocks {
            if any_present(block) {
                release_each(block, pa)?;
            }
            pa = pa.wrapping_add(M::Entry::SIZE.wrapping_mul(BLOCK as u32));
        }
        release_each(blocks.remainder(), pa)
    }

    /// H:470: throws away everything in all slots, the kernel's mappings and the Switcher
    /// included; only the top levels stay (C 827–842).
    pub(crate) fn release_all_pagetables(&mut self) -> Result<(), HostBug> {
        for i in 0..PGDIRS {
            if self.pgdir(i).pgdir == 0 {
                continue;
            }
            let top = self.top_level(i)?;
            self.release_slots(&top, M::PTRS_PER_PGD, Self::release_pgd)?;
            let pgdir = self.pgdir_mut(i);
            pgdir.switcher_mapped = false;
            pgdir.last_host_cpu = -1;
        }
        Ok(())
    }

    /// The guest changed a mapping of its kernel, which is in all tables: everything goes
    /// (C 850–858). Its stack and the Switcher come back at once, in the current tables.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_pagetable_clear_all(&mut self) -> Result<(), HostBug> {
        self.release_all_pagetables()?;
        self.pin_stack_pages()?;
        if !self.allocate_switcher_mapping()? {
            self.kill_guest(&Reason::CannotPopulateSwitcher);
        }
        Ok(())
    }
}

/// Whether a block has a present entry.
#[inline]
fn any_present<E: Entry>(block: &[Cell<E>]) -> bool {
    block
        .iter()
        .fold(E::ZERO, |all, entry| all.union(entry.get()))
        .has(PRESENT)
}
