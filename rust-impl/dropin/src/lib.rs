// SPDX-License-Identifier: GPL-2.0-or-later
//! The drop-in: the port of lguest's `page_tables.c` behind the exported names, the calls and the C structures of the
//! original, to be linked where `page_tables.o` was.
//!
//! State lives in the C's `struct lguest` and `struct lg_cpu`. Each exported function reads it, lets the port do its
//! work on [`kernel::Kernel`], and writes back what the original may change; `dead` is written by the C's `kill_guest`
//! at the moment of the kill. Of what stands around the original, the port brings the way to guest memory and the loop
//! over the stack's pages with it; all else is asked of the C by `struct lgd_primitives` (`primitives.h`).
//!
//! Where the original would crash its host, the C's `crash` is called, which does not come back. It may jump over the
//! frames of this crate: nothing in them needs to be dropped.
//!
//! With `--cfg kbuild` (and `pae`) this is one relocatable object for an i386 kernel, whose own calls take three
//! arguments in registers: `regparm` has the exported names. Else there are both modes, with names of their own,
//! for a program that has the original in it too.
#![no_std]
// The names are the C's.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

#[cfg(target_pointer_width = "32")]
#[path = "bindings32.rs"]
#[allow(missing_docs, clippy::arithmetic_side_effects)]
#[rustfmt::skip]
pub mod bindings;
#[cfg(target_pointer_width = "64")]
#[path = "bindings64.rs"]
#[allow(missing_docs, clippy::arithmetic_side_effects)]
#[rustfmt::skip]
pub mod bindings;

#[macro_use]
mod exports;
mod guest;
pub mod kernel;
#[cfg(kbuild)]
mod regparm;

#[cfg(not(kbuild))]
exports!(nopae, lguest_shadow::NoPae, "dropin_nopae_");
#[cfg(not(kbuild))]
exports!(pae, lguest_shadow::Pae, "dropin_pae_");
#[cfg(all(kbuild, not(pae)))]
exports!(stack, lguest_shadow::NoPae, "lgd_");
#[cfg(all(kbuild, pae))]
exports!(stack, lguest_shadow::Pae, "lgd_");
