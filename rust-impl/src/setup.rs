// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (vii), H:500: the first tables of a guest, what LGUEST_INIT adds, and the end.

use crate::addr::{Gpa, Gva};
use crate::bug::HostBug;
use crate::entry::{Entry, PAGE_KERNEL_RX, PAGE_SIZE, PAGE_TABLE, PRESENT};
use crate::guest::{Lguest, PGDIRS};
use crate::host::Host;
use crate::hypercalls::lguest_data;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::{Fix, Policy};

/// Out of memory, as a negative error number.
pub const ENOMEM: i32 = -12;

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// H:500: gives a new guest its first shadow tables, with the Switcher in them, and has
    /// it run in linear mode (C 1073–1093). 0, or [`ENOMEM`].
    ///
    /// Where the Switcher's tables cannot be had, the top level is left allocated; only
    /// [`Lguest::free_guest_pagetable`] frees it, which nobody calls then ([`Fix::C7b`]).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        let mut allocated = false;
        let first = self.new_pgdir(Gpa(0), &mut allocated)?;
        self.cpu().cpu_pgd = first;
        if !allocated {
            return Ok(ENOMEM);
        }
        self.cpu().linear_pages = true;
        if !self.allocate_switcher_mapping()? {
            self.release_all_pagetables()?;
            return self.give_up(first);
        }
        Ok(0)
    }

    /// There will be no guest: nobody will know of the top level in slot `first`.
    #[cold]
    fn give_up(&mut self, first: u32) -> Result<i32, HostBug> {
        if self.mends(Fix::C7b) {
            self.host.free_page(self.pgdir(first).pgdir)?;
            self.pgdir_mut(first).pgdir = 0;
        }
        Ok(ENOMEM)
    }

    /// H:501: sees to it that the current tables have all levels for the Switcher, and maps
    /// its text (C 794–820). False if memory ran out; the guest is dead then.
    pub(crate) fn allocate_switcher_mapping(&mut self) -> Result<bool, HostBug> {
        let host = self.host;
        let total = host.nr_cpu_ids().wrapping_mul(2).wrapping_add(1);
        let mut i = 0_u32;
        while i < total {
            let vaddr = Gva(host.switcher_addr()).wrapping_add(i.wrapping_mul(PAGE_SIZE));
            let Some(pte) = self.find_spte(vaddr, true, M::CHECK_GPGD_MASK, PAGE_TABLE)? else {
                return Ok(false);
            };
            // SET_PGD calls this just in case, so the text may well be there.
            if i == 0 && !pte.get().has(PRESENT) {
                let text = host.switcher_page(0);
                host.get_page(text);
                let entry = M::Entry::pfn_pte(text, PAGE_KERNEL_RX, host.supported_pte_mask());
                host.set_pte(&pte, entry);
            }
            // The original looks up each page. Those in the same table are all found by now,
            // so this goes on with the first one in the next.
            i = i.wrapping_add(M::PTRS_PER_PTE.wrapping_sub(M::pte_index(vaddr)));
        }
        let current = self.cpu_pgd();
        self.pgdir_mut(current).switcher_mapped = true;
        Ok(true)
    }

    /// H:508: the part of LGUEST_INIT that concerns page tables (C 1096–1125).
    ///
    /// The guest learns how much of the top of its address space is taken, and tells where
    /// its kernel begins. A kernel in the Switcher kills, but is stored.
    pub fn page_table_guest_data_init(&mut self) {
        let data = self.lguest_data;
        let switcher = self.host.switcher_addr();
        let read = self.get_user(data.wrapping_add(lguest_data::KERNEL_ADDRESS));
        self.kernel_address = read.unwrap_or_else(|zero| zero);
        if read.is_err()
            || !self.host.copy_to_user(
                data.wrapping_add(lguest_data::RESERVE_MEM),
                &switcher.wrapping_neg().to_le_bytes(),
            )
        {
            self.kill_guest(&Reason::BadGuestPage(data));
            return;
        }
        // flush_user_mappings relies on the Switcher being above the kernel's beginning.
        if self.kernel_address >= switcher {
            self.kill_guest(&Reason::BadKernelAddress(self.kernel_address));
        }
    }

    /// Frees all tables of a guest (C 1128–1137). The slots keep their old addresses.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.release_all_pagetables()?;
        for i in 0..PGDIRS {
            self.host.free_page(self.pgdir(i).pgdir)?;
        }
        Ok(())
    }
}
