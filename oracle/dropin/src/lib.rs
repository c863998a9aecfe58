// SPDX-License-Identifier: GPL-2.0-or-later
//! The drop-in linked with the very shim that the original is linked with, and entered through the same door: a side
//! that the rig drives as it drives the original. Beside it, copies of it with a bug in each.
#![warn(missing_docs)]

pub mod table;

#[doc(hidden)]
pub mod spoiled {
    //! The copies, one module each; made by the build script.
    include!(concat!(env!("OUT_DIR"), "/spoiled.rs"));
}

use std::ffi::c_void;

use lguest_c_reference::{Original, PagingMode};
// The C calls it by name.
use lguest_dropin as _;
use lguest_oracle::original::OriginalSide;
use lguest_oracle::sim::SimHost;

/// The one function of a mode of the shim.
type Entry = unsafe extern "C" fn(*mut c_void);

include!(concat!(env!("OUT_DIR"), "/entries.rs"));

/// The drop-in without a bug, for [`side`] and [`guest`].
pub const SOUND: &str = "dropin";

/// A guest of the drop-in, or of a copy of it, on a host of the C's; nothing without the original's shim.
pub fn guest<'h, C: lguest_c_reference::Callbacks>(
    name: &str,
    pae: bool,
    host: &'h C,
    shared: &'h lguest_c_reference::Shared,
    arena: &'h lguest_c_reference::Arena,
) -> Option<Original<'h, C>> {
    let mode = if pae {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    };
    let &(.., call) = ENTRIES
        .iter()
        .find(|(of, levels, _)| *of == name && *levels == pae)?;
    // SAFETY: the build script compiled this entry with the shim of the reference, in this mode; the planted bugs are
    // wrong decisions, not wild stores.
    Some(unsafe { Original::with_call(call, mode, host, shared, arena) })
}

/// The same as a side on a simulated host.
pub fn side<'h>(name: &str, host: &'h SimHost, pae: bool) -> Option<OriginalSide<'h>> {
    let guest = guest(name, pae, host, host.shared(), host.arena())?;
    Some(OriginalSide::of(host, pae, guest))
}
