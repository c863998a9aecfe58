// SPDX-License-Identifier: GPL-2.0-or-later
//! **Justified.** Each present entry below the Switcher names the frame that the pin for it returned, with no right
//! beyond those that the host's mapping and the request gave at that pin.
//!
//! To show: of each entry that becomes present, that a pin of the same call, not yet used for another entry, returned
//! its frame, and that it was asked for to be written, by a mapping that lets it, if the entry lets the guest write; and
//! of each that is present later, that it is the one that was shown. A pin for reading gives no right to write even where
//! the mapping would have given it: the host neither breaks copy-on-write nor marks the page dirty for it. What the host does to its mapping afterwards takes nothing back: the original has no
//! notifier. The reference that the pin took is `references`' business.

use super::leaf::Leaf;
use super::walk::{self, USER, WRITE};

/// What a pin gave.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// Launcher address.
    pub addr: u32,
    /// The frame.
    pub pfn: u32,
    /// It was asked for to be written.
    pub write: bool,
    /// The mapping lets it be written.
    pub writable: bool,
    /// When it was made: `course::Call`'s clock.
    pub clock: u32,
    /// It was made for SET_PTE.
    pub update: bool,
}

/// C lines 957-963.
pub const WRITABLE: &str = "an entry may be written and its page may not";
/// The same, where the mapping would have let it be.
pub const UNASKED: &str = "an entry may be written and its page was pinned for reading";

/// It was there and is not.
pub const GONE: &str = "an entry is gone that nobody emptied";

/// What is wrong with an entry that became present with a pin, or without one.
#[inline]
pub fn stored(value: u64, pin: Option<&Pin>) -> Option<&'static str> {
    match pin {
        None => Some("an entry names a frame that no pin returned"),
        Some(pin) if value & WRITE != 0 && !pin.writable => Some(WRITABLE),
        Some(pin) if value & WRITE != 0 && !pin.write => Some(UNASKED),
        Some(_) => None,
    }
}

/// What is wrong with an entry of which there is this record: only the processor may have changed it since, by A and D.
#[inline]
pub fn standing(value: u64, leaf: Option<&Leaf>) -> Option<&'static str> {
    match leaf {
        None => Some("an entry appeared that nobody stored"),
        Some(leaf) if walk::frame(value) != leaf.pfn() => Some("an entry changed its frame"),
        Some(leaf) if value & !u64::from(leaf.rights()) & (WRITE | USER) != 0 => {
            Some("an entry gained a right")
        }
        Some(_) => None,
    }
}
