// SPDX-License-Identifier: GPL-2.0-or-later
//! A scenario with two-level paging, on both sides.
#![no_main]

mod states;

use lguest_engine::PagingMode;
use lguest_fuzz::{mutate, pair};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| pair::check(data, PagingMode::NoPae, &mut states::count));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::mutate(&mut data[..max_size], size, seed)
        .unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
});

fuzz_crossover!(|first: &[u8], second: &[u8], out: &mut [u8], seed: u32| {
    mutate::cross(first, second, out, seed).unwrap_or(0)
});
