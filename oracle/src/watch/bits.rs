// SPDX-License-Identifier: GPL-2.0-or-later
//! **Bits.** No entry has a reserved bit at any level, and none below the Switcher is global.
//!
//! To show: of each value that is stored, that it has none of the bits below. A reserved bit faults at the first use
//! with an error that nobody expects, or in the top level at the load of CR3; a global entry outlives every switch. The
//! bits for the cache are not judged (the rig models none).

const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
/// Bits 52 to 62 of eight-byte entries.
const HIGH: u64 = 0x7ff << 52;
/// What the four entries of the top of three levels must not have: rights, A, D and large, and everything high.
const TOP: u64 = 0x1e6 | HIGH | super::walk::NX;

/// What is wrong with a present entry of the lowest level, below the Switcher.
#[inline]
pub fn leaf(value: u64, pae: bool) -> Option<&'static str> {
    if value & GLOBAL != 0 {
        Some("a global entry below the Switcher")
    } else if value & LARGE != 0 || (pae && value & HIGH != 0) {
        Some("a reserved bit in a lowest-level entry")
    } else {
        None
    }
}

/// The same for one above; `top`: of the top of three levels.
pub fn upper(value: u64, pae: bool, top: bool) -> Option<&'static str> {
    if value & 1 == 0 {
        None
    } else if pae && top && value & TOP != 0 {
        Some("a reserved bit in a top-level entry")
    } else if value & LARGE != 0 || (pae && value & HIGH != 0) {
        Some("a reserved bit in an upper-level entry")
    } else {
        None
    }
}
