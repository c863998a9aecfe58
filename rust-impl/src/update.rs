// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (iii), H:400: the guest tells that it changed an entry of its tables.
//!
//! Dropping what the shadow has there is enough: the next use faults and finds the new entry.

use crate::addr::{Gpa, Gva};
use crate::bug::HostBug;
use crate::entry::{ACCESSED, DIRTY, Entry, PRESENT, RW};
use crate::guest::{Lguest, PGDIRS};
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::{Fix, Policy};

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// H:400: the guest changed top-level entry `idx` of the table at `gpgdir` (C 1030–1052).
    ///
    /// The bound lets one index too many through ([`Fix::C1`]). Without PAE it lies behind the
    /// page; with PAE it is an entry of the page that is always empty.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_set_pgd(&mut self, gpgdir: Gpa, idx: u32) -> Result<(), HostBug> {
        if idx > M::PTRS_PER_PGD || (idx == M::PTRS_PER_PGD && self.mends(Fix::C1)) {
            self.kill_guest(&Reason::SetPgdIndex(idx, M::PTRS_PER_PGD));
            return Ok(());
        }
        let pgdir = self.find_pgdir(gpgdir);
        if pgdir < PGDIRS {
            let spgd = self.top_level(pgdir)?.unchecked_slot(idx)?;
            self.release_pgd(spgd)?;
            // The Switcher may have been in there. It is the current tables that get it back,
            // which need not be these.
            if !self.allocate_switcher_mapping()? {
                self.kill_guest(&Reason::CannotPopulateSwitcher);
            }
            // Else these would be run on, and even given to another table, as if it were there.
            if pgdir != self.cpu_pgd()
                && self.pgdir(pgdir).switcher_mapped
                && self.above_switcher(idx << M::PGDIR_SHIFT, M::PGDIR_SHIFT)
                && self.mends(Fix::C3)
            {
                self.pgdir_mut(pgdir).switcher_mapped = false;
            }
            self.pgdir_mut(pgdir).last_host_cpu = -1;
        }
        Ok(())
    }

    /// The guest changed a middle-level entry: everything goes (C 1056–1059, PAE).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_set_pmd(&mut self, _pmdp: Gpa, _idx: u32) -> Result<(), HostBug> {
        self.guest_pagetable_clear_all()
    }

    /// H:410: the guest set its lowest-level entry for `vaddr` to `gpte` in the tables at
    /// `gpgdir`, or in all of them if the address is the kernel's (C 989–1014).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_set_pte(
        &mut self,
        gpgdir: Gpa,
        vaddr: Gva,
        gpte: M::Entry,
    ) -> Result<(), HostBug> {
        if vaddr.0 >= self.host.switcher_addr() {
            self.kill_guest(&Reason::SetPteIntoSwitcher);
            return Ok(());
        }
        if vaddr.0 >= self.kernel_address {
            for i in 0..PGDIRS {
                if self.pgdir(i).pgdir != 0 {
                    self.__guest_set_pte(i, vaddr, gpte)?;
                }
            }
        } else {
            let pgdir = self.find_pgdir(gpgdir);
            if pgdir != PGDIRS {
                self.__guest_set_pte(pgdir, vaddr, gpte)?;
            }
        }
        Ok(())
    }

    /// H:420: the same for the shadow in slot `idx` (C 932–975).
    ///
    /// An entry that the guest marked as used goes in at once, which spares a fault. One that
    /// fails the check leaves the old entry standing although it was released ([`Fix::C2`]).
    fn __guest_set_pte(&mut self, idx: u32, vaddr: Gva, gpte: M::Entry) -> Result<(), HostBug> {
        let mut upper = self.spgd_addr(idx, vaddr)?.get();
        if !upper.has(PRESENT) {
            return Ok(());
        }
        if M::PAE {
            upper = self.spmd_addr(upper, vaddr)?.get();
            if !upper.has(PRESENT) {
                return Ok(());
            }
        }
        let spte = self.spte_addr(upper, vaddr)?;
        self.release_pte(spte.get())?;

        let used = gpte.has(DIRTY | ACCESSED) && !self.gpte_in_iomem(gpte);
        // One that is not present would hold a reference that nothing puts back.
        let entry = if used && (gpte.has(PRESENT) || !self.mends(Fix::C23)) {
            if !self.check_gpte(gpte) {
                if spte.get().has(PRESENT) && self.mends(Fix::C2) {
                    self.host.set_pte(&spte, M::Entry::ZERO);
                }
                return Ok(());
            }
            // What is had for reading may be a frame that others see too, and must not be
            // mapped for writing.
            if gpte.flags() & (PRESENT | RW | DIRTY) == PRESENT | RW && self.mends(Fix::C25) {
                self.gpte_to_spte(gpte, RW)
            } else {
                // The dirty bit itself is the write flag, so it goes on as 0x40.
                self.gpte_to_spte(gpte, gpte.flags() & DIRTY)
            }
        } else {
            M::Entry::ZERO
        };
        self.host.set_pte(&spte, entry);
        Ok(())
    }
}
