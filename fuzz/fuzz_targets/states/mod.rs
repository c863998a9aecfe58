// SPDX-License-Identifier: GPL-2.0-or-later
//! Abstract states as coverage: counters in the section that libFuzzer looks at beside its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use lguest_oracle::behaviour::Behaviour;

/// Counters; libFuzzer looks through all of them after each input.
const PLACES: usize = 1 << 13;

// SAFETY: bytes of the kind that libFuzzer expects there; it reads and clears them between inputs.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: [AtomicU8; PLACES] = [const { AtomicU8::new(0) }; PLACES];

/// Counts a state, unless `LGUEST_STATES=0`.
pub fn count(state: Behaviour) {
    static OFF: OnceLock<bool> = OnceLock::new();
    if *OFF.get_or_init(|| std::env::var_os("LGUEST_STATES").is_some_and(|value| value == "0")) {
        return;
    }
    // That it was there is all; how often belongs to the code's own counters.
    COUNTERS[state.place(PLACES)].store(1, Ordering::Relaxed);
}
