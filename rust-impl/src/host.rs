// SPDX-License-Identifier: GPL-2.0-or-later
//! Everything that the shadow code asks of the kernel around it.

use crate::bug::HostBug;
use crate::mode::{Mode, Slot};

/// The kernel of the host.
///
/// Methods take `&self`: slots and tables stay borrowed while the kernel is called, so what
/// changes inside is the host's own business. A physical address has 32 bits; a page frame
/// number ("pfn") is one shifted right by twelve.
///
/// The first group are *kernel calls*: the port makes them in the order, in the number and
/// with the arguments of the original.
pub trait Host<M: Mode> {
    /// Allocates a page of zeroes: its physical address, or 0 when out of memory.
    fn get_zeroed_page(&self) -> u32;

    /// Frees the page at the physical address `pa`; 0 is fine and frees nothing.
    ///
    /// # Errors
    /// That page was not allocated.
    fn free_page(&self, pa: u32) -> Result<(), HostBug>;

    /// Takes a reference to the frame behind the launcher-virtual address `addr` and returns
    /// its pfn, or nothing if that cannot be had. `write` is the flag as the original passes
    /// it, which is not always 0 or 1: SET_PTE passes the dirty bit.
    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32>;

    /// Takes one more reference to frame `pfn`.
    fn get_page(&self, pfn: u32);

    /// Drops a reference to frame `pfn`.
    ///
    /// # Errors
    /// The shadow code holds none.
    fn put_page(&self, pfn: u32) -> Result<(), HostBug>;

    /// Fills `to` from the launcher-virtual address `from`: whether all of it came.
    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool;

    /// Stores `from` at the launcher-virtual address `to`: whether all of it went.
    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool;

    /// A random number.
    fn prandom_u32(&self) -> u32;

    /// Keeps the reason for which the guest dies (any bytes but NUL): false when out of memory.
    fn kasprintf(&self, text: &[u8]) -> bool;

    /// The CPU that this runs on.
    fn smp_processor_id(&self) -> u32;

    /// The number of CPUs that may ever be there.
    fn nr_cpu_ids(&self) -> u32;

    /// Where the Switcher begins in every guest's address space; a page boundary.
    fn switcher_addr(&self) -> u32;

    /// The pfn of page `i` of the Switcher: its text first, then two for each CPU.
    fn switcher_page(&self, i: u32) -> u32;

    /// The bits that this processor allows in a present lowest-level entry.
    fn supported_pte_mask(&self) -> u64;

    /// The speed of the time stamp counter, in kHz.
    fn tsc_khz(&self) -> u32;

    /// The table at the physical address `pa`, a page boundary.
    ///
    /// # Errors
    /// There is no table frame, free or not.
    fn table(&self, pa: u32) -> Result<&M::Table, HostBug>;

    /// Stores a lowest-level entry. A host that keeps a record overrides these three.
    #[inline]
    fn set_pte(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        slot.set(entry);
    }

    /// Stores a middle-level entry (PAE).
    #[inline]
    fn set_pmd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        slot.set(entry);
    }

    /// Stores a top-level entry.
    #[inline]
    fn set_pgd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        slot.set(entry);
    }
}
