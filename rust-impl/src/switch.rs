// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (iv), H:430: the guest switches to another set of page tables.

use crate::addr::Gpa;
use crate::bug::HostBug;
use crate::guest::{Lguest, PGDIRS};
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::{Fix, Policy};

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// H:430: the guest goes over to the tables at `pgtable` (C 867–904).
    ///
    /// The first call ends linear mode. The stack is pinned only in tables that were just
    /// allocated: not in known ones, and not in the slot of linear mode if that is drawn.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_new_pagetable(&mut self, pgtable: Gpa) -> Result<(), HostBug> {
        let mut newpgdir;
        let mut repin = false;

        if self.linear_pages() {
            self.release_all_pagetables()?;
            self.cpu().linear_pages = false;
            newpgdir = PGDIRS;
            // The slot of linear mode goes by 0 already. A second one of that name would never
            // be told of the guest's changes.
            if pgtable.0 == 0 && self.mends(Fix::C17) {
                newpgdir = self.find_pgdir(pgtable);
                repin = true;
            }
        } else {
            newpgdir = self.find_pgdir(pgtable);
        }
        if newpgdir == PGDIRS {
            newpgdir = self.new_pgdir(pgtable, &mut repin)?;
        }
        self.cpu().cpu_pgd = newpgdir;
        if repin {
            self.pin_stack_pages()?;
        }
        if !self.pgdir(newpgdir).switcher_mapped && !self.allocate_switcher_mapping()? {
            self.kill_guest(&Reason::CannotPopulateSwitcher);
        }
        Ok(())
    }

    /// The slot that shadows the tables at `pgtable`, or [`PGDIRS`] (C 733–740).
    #[inline]
    pub(crate) fn find_pgdir(&self, pgtable: Gpa) -> u32 {
        for i in 0..PGDIRS {
            let pgdir = self.pgdir(i);
            if pgdir.pgdir != 0 && pgdir.gpgdir == pgtable.0 {
                return i;
            }
        }
        PGDIRS
    }

    /// H:435: a slot for the tables at `gpgdir`: one is drawn and its user half thrown away
    /// (C 747–782). `blank_pgdir` is set if its top level is new, with nothing in it.
    ///
    /// If that cannot be allocated, the current slot loses its tables instead, silently.
    pub(crate) fn new_pgdir(
        &mut self,
        gpgdir: Gpa,
        blank_pgdir: &mut bool,
    ) -> Result<u32, HostBug> {
        let mut next = self.host.prandom_u32() % PGDIRS;
        if self.pgdir(next).pgdir == 0 {
            let page = self.host.get_zeroed_page();
            self.pgdir_mut(next).pgdir = page;
            if page == 0 {
                next = self.cpu_pgd();
            } else {
                *blank_pgdir = true;
            }
        }
        self.pgdir_mut(next).gpgdir = gpgdir.0;
        self.flush_user_mappings(next)?;
        self.pgdir_mut(next).last_host_cpu = -1;
        Ok(next)
    }
}
