// SPDX-License-Identifier: GPL-2.0-or-later
//! The spoiled originals, as sides.

use std::ffi::c_void;

use lguest_c_reference::{Original, PagingMode};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::sim::SimHost;

/// The one function of a compilation of the original.
type Entry = unsafe extern "C" fn(*mut c_void);

include!(concat!(env!("OUT_DIR"), "/spoiled.rs"));

/// The original with the bug `name` in it, in one mode; nothing if it was not compiled so.
pub fn spoiled_original<'h>(name: &str, host: &'h SimHost, pae: bool) -> Option<OriginalSide<'h>> {
    let mode = if pae {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    };
    let &(.., call) = ENTRIES
        .iter()
        .find(|(of, levels, _)| *of == name && *levels == pae)?;
    // SAFETY: the build script compiled this entry with the shim of the reference, in this mode;
    // its planted bug is a wrong decision, not a wild store past the arena and the world.
    let guest = unsafe { Original::with_call(call, mode, host, host.shared(), host.arena()) };
    Some(OriginalSide::of(host, pae, guest))
}
