// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (vi), H:480: the Switcher's pages for this CPU are mapped before the guest runs.
//!
//! The Switcher takes the processor into the guest and back, so it must be in the guest's
//! address space: its text, and two pages for the CPU, but not those of other CPUs.

use crate::addr::Gva;
use crate::bug::HostBug;
use crate::entry::{Entry, KERNEL_DATA, KERNEL_DATA_RO, PAGE_SHIFT, PAGE_SIZE};
use crate::guest::Lguest;
use crate::host::Host;
use crate::mode::{Mode, Slot};
use crate::policy::Policy;

impl<'h, M: Mode, P: Policy, H: Host<M>> Lguest<'h, M, P, H> {
    /// H:480: maps this CPU's two pages in the current tables, in place of those of the CPU
    /// before (C 1167–1226). No page table is allocated.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        let host = self.host;
        let pgdir = *self.pgdir(self.cpu_pgd());
        if !pgdir.switcher_mapped {
            return Err(HostBug::BUG_ON);
        }

        let cpu = host.smp_processor_id();
        if pgdir.last_host_cpu == cpu as i32 {
            return Ok(());
        }
        if pgdir.last_host_cpu == -1 {
            for i in 0..host.nr_cpu_ids() {
                self.remove_switcher_percpu_map(i)?;
            }
        } else {
            self.remove_switcher_percpu_map(pgdir.last_host_cpu as u32)?;
        }

        // The first page is the guest's own page of registers: the Switcher saves them where
        // the host looks for them.
        let base = self.switcher_pages(cpu);
        let pte = self.find_spte(base, false, 0, 0)?;
        self.map_page(pte, self.cpus[0].regs_page >> PAGE_SHIFT, KERNEL_DATA)?;

        // The second has descriptor tables in it, which are not the guest's to change.
        let pte = self.find_spte(base.wrapping_add(PAGE_SIZE), false, 0, 0)?;
        let page = host.switcher_page(cpu.wrapping_mul(2).wrapping_add(2));
        self.map_page(pte, page, KERNEL_DATA_RO)?;

        let current = self.cpu_pgd();
        self.pgdir_mut(current).last_host_cpu = cpu as i32;
        Ok(())
    }

    /// H:481: unmaps the two pages of CPU `i` (C 1142–1155).
    #[inline]
    fn remove_switcher_percpu_map(&mut self, i: u32) -> Result<(), HostBug> {
        let base = self.switcher_pages(i);
        self.unmap_page(base)?;
        self.unmap_page(base.wrapping_add(PAGE_SIZE))
    }

    #[inline]
    fn unmap_page(&mut self, vaddr: Gva) -> Result<(), HostBug> {
        // Tables that lost the Switcher have no such entry; the original does not ask.
        let pte = self
            .find_spte(vaddr, false, 0, 0)?
            .ok_or(HostBug::NULL_ENTRY)?;
        self.release_pte(pte.get())?;
        self.host.set_pte(&pte, M::Entry::ZERO);
        Ok(())
    }

    /// The reference is taken first, so it is taken even where there is no entry.
    #[inline]
    fn map_page(&self, pte: Option<Slot<'h, M>>, pfn: u32, protection: u64) -> Result<(), HostBug> {
        self.host.get_page(pfn);
        let entry = M::Entry::pfn_pte(
            pfn,
            protection | M::Entry::NX,
            self.host.supported_pte_mask(),
        );
        self.host.set_pte(&pte.ok_or(HostBug::NULL_ENTRY)?, entry);
        Ok(())
    }

    /// Where the two pages of CPU `i` are mapped: behind the text.
    #[inline]
    fn switcher_pages(&self, i: u32) -> Gva {
        let pages = i.wrapping_mul(2).wrapping_add(1);
        Gva(self.host.switcher_addr()).wrapping_add(pages.wrapping_mul(PAGE_SIZE))
    }
}
