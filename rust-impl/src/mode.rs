// SPDX-License-Identifier: GPL-2.0-or-later
//! The two paging modes, their tables, and the slots in those.

use core::cell::Cell;
use core::fmt::Debug;

use crate::addr::Gva;
use crate::entry::{Entry, PAGE_TABLE, PRESENT};

/// A paging mode of 32-bit x86.
pub trait Mode: Copy + Debug + Default + PartialEq + Eq + 'static {
    /// Whether there is a middle level: stands where `CONFIG_X86_PAE` was tested.
    const PAE: bool;
    /// log2 of the bytes that one top-level entry covers.
    const PGDIR_SHIFT: u32;
    /// The same for a middle-level entry; where there is none, for one that names a lowest-level
    /// table.
    const PMD_SHIFT: u32;
    /// Entries of the top level in use. The page that holds them may have room for more.
    const PTRS_PER_PGD: u32;
    /// Entries of a lowest-level table, which are as many as a page holds.
    const PTRS_PER_PTE: u32;
    /// Flags that a guest's top-level entry may have (C 60–68).
    const CHECK_GPGD_MASK: u32;
    /// An entry, of any level.
    type Entry: Entry;
    /// A page full of entries, of any level.
    type Table: Table<Self::Entry>;

    /// Index of the top-level entry for an address.
    #[inline]
    fn pgd_index(vaddr: Gva) -> u32 {
        if Self::PAE {
            vaddr.0 >> 30
        } else {
            vaddr.0 >> 22
        }
    }

    /// Index of the middle-level entry for an address; PAE alone has that level.
    #[inline]
    fn pmd_index(vaddr: Gva) -> u32 {
        (vaddr.0 >> 21) & 511
    }

    /// Index of the lowest-level entry for an address.
    #[inline]
    fn pte_index(vaddr: Gva) -> u32 {
        if Self::PAE {
            vaddr.page() & 511
        } else {
            vaddr.page() & 1023
        }
    }
}

/// Two-level paging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoPae;

/// Three-level paging with 64-bit entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pae;

impl Mode for NoPae {
    const PAE: bool = false;
    const PGDIR_SHIFT: u32 = 22;
    const PMD_SHIFT: u32 = 22;
    const PTRS_PER_PGD: u32 = 1024;
    const PTRS_PER_PTE: u32 = 1024;
    const CHECK_GPGD_MASK: u32 = PAGE_TABLE;
    type Entry = u32;
    type Table = [Cell<u32>; 1024];
}

impl Mode for Pae {
    const PAE: bool = true;
    const PGDIR_SHIFT: u32 = 30;
    const PMD_SHIFT: u32 = 21;
    const PTRS_PER_PGD: u32 = 4;
    const PTRS_PER_PTE: u32 = 512;
    const CHECK_GPGD_MASK: u32 = PRESENT;
    type Entry = u64;
    type Table = [Cell<u64>; 512];
}

/// A page of entries.
pub trait Table<E>: 'static {
    /// Entry `index`; an index beyond the page wraps round.
    fn entry(&self, index: u32) -> &Cell<E>;
    /// All of them.
    fn entries(&self) -> &[Cell<E>];
}

impl Table<u32> for [Cell<u32>; 1024] {
    #[inline]
    fn entry(&self, index: u32) -> &Cell<u32> {
        &self[(index & 1023) as usize]
    }

    #[inline]
    fn entries(&self) -> &[Cell<u32>] {
        self
    }
}

impl Table<u64> for [Cell<u64>; 512] {
    #[inline]
    fn entry(&self, index: u32) -> &Cell<u64> {
        &self[(index & 511) as usize]
    }

    #[inline]
    fn entries(&self) -> &[Cell<u64>] {
        self
    }
}

/// One entry of a shadow table: what the original has a pointer for.
#[derive(Debug)]
pub struct Slot<'a, M: Mode> {
    cell: &'a Cell<M::Entry>,
    pa: u32,
}

// Derived, these would ask the entry cell to be copied.
impl<M: Mode> Clone for Slot<'_, M> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Mode> Copy for Slot<'_, M> {}

impl<'a, M: Mode> Slot<'a, M> {
    /// The slot in `cell`, which lies at the physical address `pa`.
    #[inline]
    pub const fn new(cell: &'a Cell<M::Entry>, pa: u32) -> Self {
        Self { cell, pa }
    }

    /// The entry now.
    #[inline]
    pub fn get(self) -> M::Entry {
        self.cell.get()
    }

    /// Stores without telling anyone. Only the two stores that go round `set_pte` and
    /// `set_pgd` in the original do this, and the host on behalf of all others.
    #[inline]
    pub fn set(self, entry: M::Entry) {
        self.cell.set(entry);
    }

    /// The physical address of the entry itself, in bytes.
    #[inline]
    pub const fn pa(self) -> u32 {
        self.pa
    }
}
