// SPDX-License-Identifier: GPL-2.0-or-later
//! The record of one lowest-level entry, and where it lies.

use super::walk::frame;

/// Accessed and dirty: what the processor sets in an entry by itself.
pub const ACCESSED_DIRTY: u32 = 0x60;
/// Rights, as bits of an entry.
pub const RIGHTS: u32 = 6;

/// The record of a present entry.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// What was stored, without [`ACCESSED_DIRTY`].
    value: u64,
    /// What it came from.
    pub origin: Origin,
}

impl Leaf {
    /// Of an entry that holds this.
    pub fn new(value: u64, origin: Origin) -> Self {
        let value = value & !u64::from(ACCESSED_DIRTY);
        Leaf { value, origin }
    }

    /// The entry, without what the processor sets.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The frame it names.
    pub fn pfn(&self) -> u32 {
        frame(self.value)
    }

    /// Its rights, as bits of an entry.
    pub fn rights(&self) -> u32 {
        self.value as u32 & RIGHTS
    }
}

/// What an entry came from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// When it was told: [`super::Watch`]'s count of calls.
    pub clock: u32,
    /// The page that was pinned for it, above [`PINNED`].
    page: u32,
}

/// A page was pinned for the entry; the Switcher's have none.
const PINNED: u32 = 1;

impl Origin {
    /// Of an entry for which no page was pinned.
    pub fn own(clock: u32) -> Self {
        Origin { clock, page: 0 }
    }

    /// Of one for which this guest-physical page was, of 20 bits: it is counted within the launcher's 32 bits.
    pub fn pinned(page: u32, clock: u32) -> Self {
        let page = page << 12 | PINNED;
        Origin { clock, page }
    }

    /// The page that was pinned for it.
    pub fn page(&self) -> Option<u32> {
        (self.page & PINNED != 0).then_some(self.page >> 12)
    }

    /// Whether it is a guest's and was told before `clock`; it passes for told then from now on.
    pub fn renew(&mut self, clock: u32) -> bool {
        let old = self.clock < clock && self.page & PINNED != 0;
        if old {
            self.clock = clock;
        }
        old
    }
}

/// Where an entry lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its guest-virtual address.
    pub vaddr: u32,
    /// Frame of the top level above it.
    pub root: u32,
}
