// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the original has been, if it was built with the feature `cover`: a count for each edge of its code.
//!
//! One set of counts for the process: while they matter, one thread alone runs the original.

#[cfg(counted)]
mod counts {
    use std::sync::atomic::AtomicU8;

    /// As the shim's `LG_COVER`.
    const LEN: usize = 1 << 15;

    unsafe extern "C" {
        static lg_cover_counts: [AtomicU8; LEN];
    }

    pub fn counts() -> &'static [AtomicU8] {
        // SAFETY: an array of bytes that is always there; the shim counts in it by whole bytes.
        unsafe { &lg_cover_counts }
    }
}

#[cfg(not(counted))]
mod counts {
    use std::sync::atomic::AtomicU8;

    pub fn counts() -> &'static [AtomicU8] {
        &[]
    }
}

/// The counts, which stop at 255; empty if the original was built without them.
pub use counts::counts;
