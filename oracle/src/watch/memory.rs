// SPDX-License-Identifier: GPL-2.0-or-later
//! **Memory.** A guest's access along a told translation reaches the word that was last written to that guest-physical
//! address by guest, device or host.
//!
//! To show: of each access that came to an end, that the value is the one in the frame on which the launcher has that
//! page now, whatever frame the entry names, and that the entry is the one in the tables of the page directory that the
//! guest chose last. Where the launcher has unmapped the page there is no such word, and nothing is shown.

use lguest_engine::Machinery;

use super::leaf::Leaf;
use crate::sim::SimHost;

/// The frame was replaced when copy-on-write was broken, and the entry was not told.
pub const STALE: &str = "a frame that a copy has replaced";

/// What is wrong with a word that an access at `vaddr` came to along the entry of this record.
#[inline]
pub fn word(
    host: &SimHost,
    leaf: &Leaf,
    vaddr: u32,
    write: bool,
    value: u32,
) -> Option<&'static str> {
    let page = leaf.origin.page()?;
    let at = (vaddr >> 2 & 0x3ff) as usize;
    if host.load(leaf.pfn(), at) != Some(value) {
        return Some(if write {
            "a write went to another frame than the entry's"
        } else {
            "a read came from another frame than the entry's"
        });
    }
    let now = host.frame_of(page)?;
    (now != leaf.pfn() && host.load(now, at) != Some(value)).then_some(STALE)
}
