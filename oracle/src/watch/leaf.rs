// SPDX-License-Identifier: GPL-2.0-or-later
//! The record of one lowest-level entry, and where it lies.

use std::num::NonZeroU32;

/// A guest-physical page, counted within the launcher's 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page(NonZeroU32);

impl Page {
    /// By its number.
    pub fn new(number: u32) -> Self {
        Page(NonZeroU32::MIN.saturating_add(number))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0.get() - 1
    }
}

/// The record of a present entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leaf {
    /// The frame it names.
    pub pfn: u32,
    /// The page that was pinned for it; nothing for the Switcher's.
    pub page: Option<Page>,
    /// When it was told: [`super::Watch`]'s count of calls.
    pub clock: u32,
    /// Its rights, as bits of an entry.
    pub rights: u32,
}

/// Where an entry lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its guest-virtual address.
    pub vaddr: u32,
    /// Frame of the top level above it.
    pub root: u32,
}
