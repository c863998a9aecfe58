// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (i), H:330: a page fault of the guest is looked up in its tables and repaired.
//!
//! Shadow entries come into being here, one fault at a time.

use crate::addr::{Gpa, Gva};
use crate::bug::HostBug;
use crate::entry::{
    ACCESSED, DIRTY, Entry, GLOBAL, PAGE_SHIFT, PAGE_TABLE, PRESENT, PSE, RW, USER,
};
use crate::guest::Lguest;
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::{Mode, Slot};
use crate::policy::{Fix, Policy};

/// Bit of a fault's error code: it was a write.
const FAULT_WRITE: u32 = 2;
/// Bit of a fault's error code: it came from user code.
const FAULT_USER: u32 = 4;

/// The page number that stands for a page that could not be had. It goes into the shadow
/// entry, cut to the bits that fit.
const NO_PFN: u32 = !0;

impl<'h, M: Mode, P: Policy, H: Host<M>> Lguest<'h, M, P, H> {
    /// H:330: tries to repair a page fault at `vaddr` (C 393–538).
    ///
    /// True if the address is mapped now; false if the guest must handle it, or if it was
    /// killed. `iomem` becomes 0, or for memory of a device the guest-physical address, which
    /// goes with false.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn demand_page(
        &mut self,
        vaddr: Gva,
        errcode: u32,
        iomem: &mut u32,
    ) -> Result<bool, HostBug> {
        *iomem = 0;

        // The Switcher is never mapped on demand.
        if vaddr.0 >= self.host.switcher_addr() {
            return Ok(false);
        }

        let linear = self.linear_pages();
        // In linear mode, upper levels as a guest would have them; their tables are not used.
        let mut gpgd = M::Entry::from_wide(u64::from(M::CHECK_GPGD_MASK));
        let mut gpmd = M::Entry::from_wide(u64::from(PAGE_TABLE));
        let mut gpte_ptr = Gpa(0);
        let mut gpte;
        if linear {
            gpte = M::Entry::pfn_pte(vaddr.page(), u64::from(RW | PRESENT), !0);
        } else {
            gpgd = self.lgread(self.gpgd_addr(vaddr));
            if !gpgd.has(PRESENT) || !self.check_gpgd(gpgd) {
                return Ok(false);
            }
            let mut upper = gpgd;
            if M::PAE {
                gpmd = self.lgread(self.gpmd_addr(gpgd, vaddr)?);
                if !gpmd.has(PRESENT) || !self.check_gpmd(gpmd) {
                    return Ok(false);
                }
                upper = gpmd;
            }
            // Kept, for the entry is written back below.
            gpte_ptr = self.gpte_addr(upper, vaddr)?;
            gpte = self.lgread(gpte_ptr);
        }

        if !gpte.has(PRESENT)
            || (errcode & FAULT_WRITE != 0 && !gpte.has(RW))
            || (errcode & FAULT_USER != 0 && !gpte.has(USER))
        {
            return Ok(false);
        }

        if self.gpte_in_iomem(gpte) {
            *iomem = (gpte.pte_pfn() << PAGE_SHIFT) | vaddr.offset();
            return Ok(false);
        }
        if !self.check_gpte(gpte) {
            return Ok(false);
        }

        gpte = gpte.with(ACCESSED);
        if errcode & FAULT_WRITE != 0 {
            gpte = gpte.with(DIRTY);
        }

        let Some(spte) = self.find_spte(vaddr, true, gpgd.flags(), gpmd.flags())? else {
            return Ok(false);
        };
        // There is an old entry where a read came before this write.
        self.release_pte(spte.get())?;

        if gpte.has(DIRTY) {
            // C 510, the one lowest-level store that does not go through set_pte.
            let entry = self.gpte_to_spte(gpte, 1);
            spte.set(entry);
        } else {
            // Read-only until a write faults again, so that the guest's dirty bit comes true.
            let entry = self.gpte_to_spte(gpte.without(RW), 0);
            self.host.set_pte(&spte, entry);
        }

        // Also where the page could not be had and the guest is dead.
        if !linear {
            self.lgwrite(gpte_ptr, gpte);
        }
        Ok(true)
    }

    /// H:331: the shadow's lowest-level entry for an address in the current tables; missing
    /// levels are allocated, with these flags, if `allocate` says so (C 303–375).
    ///
    /// The texts for the two levels are the wrong way round, as in the original. A middle
    /// table stays where the allocation below it fails.
    ///
    /// It is inlined so that a look-up with a constant `allocate` is a short one.
    #[inline(always)]
    pub(crate) fn find_spte(
        &mut self,
        vaddr: Gva,
        allocate: bool,
        mut pgd_flags: u32,
        mut pmd_flags: u32,
    ) -> Result<Option<Slot<'h, M>>, HostBug> {
        let spgd = self.spgd_addr(self.cpu_pgd(), vaddr)?;
        if !spgd.get().has(PRESENT) {
            if !allocate {
                return Ok(None);
            }
            let page = self.host.get_zeroed_page();
            if page == 0 {
                self.kill_guest(&Reason::NoPtePage);
                return Ok(None);
            }
            // The guest's stack can come before the Switcher, which needs to be written through.
            if pgd_flags != M::CHECK_GPGD_MASK
                && self.above_switcher(vaddr.0, M::PGDIR_SHIFT)
                && self.mends(Fix::C24)
            {
                pgd_flags = M::CHECK_GPGD_MASK;
            }
            self.host.set_pgd(&spgd, M::Entry::naming(page, pgd_flags));
        }

        let mut upper = spgd;
        if M::PAE {
            let spmd = self.spmd_addr(spgd.get(), vaddr)?;
            if !spmd.get().has(PRESENT) {
                if !allocate {
                    return Ok(None);
                }
                let page = self.host.get_zeroed_page();
                if page == 0 {
                    self.kill_guest(&Reason::NoPmdPage);
                    return Ok(None);
                }
                if pmd_flags != PAGE_TABLE
                    && self.above_switcher(vaddr.0, M::PMD_SHIFT)
                    && self.mends(Fix::C24)
                {
                    pmd_flags = PAGE_TABLE;
                }
                self.host.set_pmd(&spmd, M::Entry::naming(page, pmd_flags));
            }
            upper = spmd;
        }

        self.spte_addr(upper.get(), vaddr).map(Some)
    }

    /// H:340: the shadow entry for a guest's entry that was checked (C 206–239).
    ///
    /// It holds a reference to the page, present or not. If the page cannot be had, the
    /// guest dies and the entry is one that is not present.
    #[inline]
    pub(crate) fn gpte_to_spte(&mut self, gpte: M::Entry, write: u32) -> M::Entry {
        // The guest believes in global pages only so that it says what it flushes.
        let mut flags = gpte.flags() & !GLOBAL;
        // The guest's page 0 is in the middle of the launcher's memory.
        let base = self.mem_base >> PAGE_SHIFT;
        let pfn = match self.get_pfn(base.wrapping_add(gpte.pte_pfn()), write) {
            Some(pfn) => pfn,
            None => {
                self.kill_guest(&Reason::FailedToGetPage(gpte.pte_pfn()));
                flags = 0;
                NO_PFN
            }
        };
        M::Entry::pfn_pte(pfn, u64::from(flags), self.host.supported_pte_mask())
    }

    /// H:350: the frame behind a page of the launcher, with a reference taken that
    /// `release_pte` puts back (C 188–198).
    #[inline]
    fn get_pfn(&self, virtpfn: u32, write: u32) -> Option<u32> {
        self.host.get_user_pages_fast(virtpfn << PAGE_SHIFT, write)
    }

    /// Whether a guest's entry names a page of a device (C 253–261). Large pages are none.
    #[inline]
    pub(crate) fn gpte_in_iomem(&self, gpte: M::Entry) -> bool {
        !gpte.has(PSE) && gpte.pte_pfn() >= self.pfn_limit && gpte.pte_pfn() < self.device_limit
    }

    /// Kills the guest unless this entry names a small page of its memory (C 263–271).
    #[inline]
    pub(crate) fn check_gpte(&mut self, gpte: M::Entry) -> bool {
        if gpte.has(PSE) || gpte.pte_pfn() >= self.pfn_limit {
            self.kill_guest(&Reason::BadPageTableEntry);
            return false;
        }
        true
    }

    /// The same for the top level, with the flags that may be there (C 273–281).
    #[inline]
    fn check_gpgd(&mut self, gpgd: M::Entry) -> bool {
        if gpgd.has(0xfff & !M::CHECK_GPGD_MASK) || gpgd.table_pfn() >= u64::from(self.pfn_limit) {
            self.kill_guest(&Reason::BadPageDirectoryEntry);
            return false;
        }
        true
    }

    /// The same for the middle level (C 284–292, PAE).
    #[inline]
    fn check_gpmd(&mut self, gpmd: M::Entry) -> bool {
        if gpmd.has(0xfff & !PAGE_TABLE) || gpmd.table_pfn() >= u64::from(self.pfn_limit) {
            self.kill_guest(&Reason::BadPageMiddleDirectoryEntry);
            return false;
        }
        true
    }
}
