// SPDX-License-Identifier: GPL-2.0-or-later
//! The two kinds of guest address, kept apart by type because every walk holds both.
//!
//! The host's own addresses have no type of their own: they travel inside [`Slot`](crate::Slot)s.

use crate::entry::PAGE_SHIFT;

/// A guest-virtual address in bytes. All 32-bit values are possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Gva(pub u32);

/// A guest-physical address in bytes: an offset into the launcher's memory for the guest.
///
/// All 32-bit values are possible, for the guest makes them up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Gpa(pub u32);

impl Gva {
    /// The number of its page.
    #[inline]
    pub const fn page(self) -> u32 {
        self.0 >> PAGE_SHIFT
    }

    /// Its offset in its page.
    #[inline]
    pub const fn offset(self) -> u32 {
        self.0 & 0xfff
    }

    /// The address `bytes` further on; it wraps, as all sums of the original do.
    #[inline]
    pub const fn wrapping_add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Gpa {
    /// The address of entry `index` of a table that begins here, with entries of `size` bytes.
    #[inline]
    pub const fn entry(self, index: u32, size: u32) -> Self {
        Self(self.0.wrapping_add(index.wrapping_mul(size)))
    }
}
