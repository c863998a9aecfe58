// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory as the host sees it: a stretch of the launcher's address space.

use crate::addr::Gpa;
use crate::entry::{Entry, PAGE_SIZE};
use crate::guest::Lguest;
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::Policy;

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// Whether `len` bytes from `addr` on are guest memory.
    ///
    /// In 32 bits, as in the original: a guest of 2^20 pages or more makes the limit wrap.
    #[inline]
    pub fn lguest_address_ok(&self, addr: Gpa, len: u32) -> bool {
        let end = addr.0.wrapping_add(len);
        end <= self.pfn_limit.wrapping_mul(PAGE_SIZE) && end >= addr.0
    }

    /// Fills `to` from guest memory; if it cannot, with zeroes, and the guest dies.
    #[inline]
    pub fn __lgread(&mut self, to: &mut [u8], addr: Gpa) {
        // No buffer of ours has 4 GiB.
        let len = to.len() as u32;
        if !self.lguest_address_ok(addr, len)
            || !self
                .host
                .copy_from_user(to, self.mem_base.wrapping_add(addr.0))
        {
            to.fill(0);
            self.kill_guest(&Reason::BadRead(addr.0, len));
        }
    }

    /// Stores `from` in guest memory; if it cannot, the guest dies.
    #[inline]
    pub fn __lgwrite(&mut self, addr: Gpa, from: &[u8]) {
        let len = from.len() as u32;
        if !self.lguest_address_ok(addr, len)
            || !self
                .host
                .copy_to_user(self.mem_base.wrapping_add(addr.0), from)
        {
            self.kill_guest(&Reason::BadWrite(addr.0, len));
        }
    }

    /// Reads an entry of the guest's tables; one that cannot be read maps nothing.
    #[inline]
    pub(crate) fn lgread(&mut self, addr: Gpa) -> M::Entry {
        let mut bytes = M::Entry::ZERO_BYTES;
        self.__lgread(bytes.as_mut(), addr);
        M::Entry::from_bytes(bytes)
    }

    /// Writes an entry of the guest's tables.
    #[inline]
    pub(crate) fn lgwrite(&mut self, addr: Gpa, entry: M::Entry) {
        self.__lgwrite(addr, entry.to_bytes().as_ref());
    }

    /// Reads a word of the launcher's memory; like the kernel's, it gives 0 with a failure.
    #[inline]
    pub(crate) fn get_user(&self, addr: u32) -> Result<u32, u32> {
        let mut bytes = [0; 4];
        if self.host.copy_from_user(&mut bytes, addr) {
            Ok(u32::from_le_bytes(bytes))
        } else {
            Err(0)
        }
    }
}
