// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest-virtual to guest-physical addresses, along the guest's own tables.
//!
//! The original has these among the functions of section (v), without a tag.

use crate::addr::Gva;
use crate::bug::HostBug;
use crate::entry::{Entry, PAGE_SHIFT, PRESENT};
use crate::guest::Lguest;
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::Policy;

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// Puts the guest-physical address for `vaddr` into `paddr`, or all ones: whether
    /// something is mapped there (C 676–713).
    ///
    /// Neither flags nor limits are checked, and PAE page numbers are cut to 32-bit addresses.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn __guest_pa(&mut self, vaddr: Gva, paddr: &mut u32) -> Result<bool, HostBug> {
        if self.linear_pages() {
            *paddr = vaddr.0;
            return Ok(true);
        }
        *paddr = !0;
        let mut upper = self.lgread(self.gpgd_addr(vaddr));
        if !upper.has(PRESENT) {
            return Ok(false);
        }
        if M::PAE {
            upper = self.lgread(self.gpmd_addr(upper, vaddr)?);
            if !upper.has(PRESENT) {
                return Ok(false);
            }
        }
        let gpte = self.lgread(self.gpte_addr(upper, vaddr)?);
        if !gpte.has(PRESENT) {
            return Ok(false);
        }
        *paddr = (gpte.pte_pfn() << PAGE_SHIFT) | vaddr.offset();
        Ok(true)
    }

    /// The guest-physical address for `vaddr`; all ones, and the guest dies, if there is none
    /// (C 719–726).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn guest_pa(&mut self, vaddr: Gva) -> Result<u32, HostBug> {
        let mut paddr = 0;
        if !self.__guest_pa(vaddr, &mut paddr)? {
            self.kill_guest(&Reason::BadAddress(vaddr.0));
        }
        Ok(paddr)
    }
}
