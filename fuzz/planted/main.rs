// SPDX-License-Identifier: GPL-2.0-or-later
//! The target `nopae`, or `pae` if `LGUEST_MODE` says so, against a copy of the original with something planted in it,
//! which `LGUEST_PLANTED` names. It shows what the targets find; `../tests/targets.rs` and `../benches/planted.rs` run it.
#![no_main]

#[path = "../fuzz_targets/hooks/mod.rs"]
mod hooks;

use std::cell::RefCell;
use std::env;
use std::ffi::c_void;

use lguest_c_reference::{Original, PagingMode as Mode};
use lguest_engine::PagingMode;
use lguest_fuzz::pair::{Worlds, check_in};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::sim::SimHost;

/// The one function of a compilation of the original.
type Entry = unsafe extern "C" fn(*mut c_void);

include!(concat!(env!("OUT_DIR"), "/planted.rs"));

thread_local! {
    static WORLDS: RefCell<Worlds> = RefCell::new(Worlds::of(planted));
}

fn planted(host: &'static SimHost, pae: bool) -> OriginalSide<'static> {
    let name = env::var("LGUEST_PLANTED").expect("LGUEST_PLANTED names a copy");
    let known = ENTRIES.iter().find(|(known, ..)| *known == name);
    let &(_, two, three) = known.unwrap_or_else(|| panic!("LGUEST_PLANTED={name}: no such copy"));
    let (mode, call) = if pae {
        (Mode::Pae, three)
    } else {
        (Mode::NoPae, two)
    };
    // SAFETY: the build script compiled this entry with the shim of the reference, in this mode; what is planted is a
    // wrong decision, not a wild store past the arena and the world.
    let guest = unsafe { Original::with_call(call, mode, host, host.shared(), host.arena()) };
    OriginalSide::of(host, pae, guest)
}

fn run(data: &[u8]) {
    let mode = match env::var("LGUEST_MODE").as_deref() {
        Ok("pae") => PagingMode::Pae,
        _ => PagingMode::NoPae,
    };
    WORLDS.with_borrow_mut(|worlds| check_in(worlds, data, mode, &mut hooks::count));
}

hooks::scenarios!(run);
