// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the original has been, if it was built so that it counts: with the feature `cover`, or with `LGUEST_C_COVER`
//! as `trace-pc` (the shim counts) or `libfuzzer` (clang's counters, in a program with libFuzzer in it). A count for
//! each edge of its code; in a fuzzer's build clang's are those of the Rust code, too.
//!
//! One set of counts for the process: while they matter, one thread alone runs the original.

use std::sync::atomic::AtomicU8;

#[cfg(counted)]
fn all() -> &'static [AtomicU8] {
    unsafe extern "C" {
        static lg_cover_counts: [AtomicU8; 0];
        static lg_cover_len: u32;
    }
    // SAFETY: the shim's array, always there, with the length that the shim says; it counts by whole bytes.
    unsafe {
        std::slice::from_raw_parts((&raw const lg_cover_counts).cast(), lg_cover_len as usize)
    }
}

#[cfg(sancov)]
fn all() -> &'static [AtomicU8] {
    unsafe extern "C" {
        #[link_name = "__start___sancov_cntrs"]
        static START: [AtomicU8; 0];
        #[link_name = "__stop___sancov_cntrs"]
        static STOP: [AtomicU8; 0];
    }
    let (start, stop) = (&raw const START, &raw const STOP);
    // SAFETY: the linker's bounds of the section in which clang counts, by whole bytes; it is always there.
    unsafe { std::slice::from_raw_parts(start.cast(), stop.addr() - start.addr()) }
}

#[cfg(not(any(counted, sancov)))]
fn all() -> &'static [AtomicU8] {
    &[]
}

/// The counts: the shim's stop at 255, clang's go on from 0. Empty if the original was built without any.
pub fn counts() -> &'static [AtomicU8] {
    all()
}
