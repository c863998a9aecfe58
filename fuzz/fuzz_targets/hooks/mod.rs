// SPDX-License-Identifier: GPL-2.0-or-later
//! A target's hooks in libFuzzer: the input, the mutator, and abstract states as coverage, which are counters in the
//! section that libFuzzer looks at beside its own.

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

/// A target whose inputs are scenarios, and what it does with one.
macro_rules! scenarios {
    ($check:expr) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $check(data));

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            use libfuzzer_sys::fuzzer_mutate;
            let number = &mut |bytes: &mut [u8]| {
                let len = bytes.len();
                fuzzer_mutate(bytes, len, len);
            };
            lguest_fuzz::mutate::mutate(&mut data[..max_size], size, seed, number)
                .unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
        });

        libfuzzer_sys::fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
            lguest_fuzz::mutate::cross(first, second, out, seed).unwrap_or(0)
        });
    };
}
pub(crate) use scenarios;
