// SPDX-License-Identifier: GPL-2.0-or-later
//! The mutator: what it makes is canonical, fits, depends on input and seed alone, and gets everywhere.

use std::collections::BTreeSet;

use lguest_engine::{PagingMode, Scenario, Verb};
use lguest_fuzz::mutate::{cross, mutate};
use lguest_oracle::fuzzed::MAX_STEPS;
use lguest_oracle::sim::mix;

/// A fuzzer that changes numbers its own way.
fn number(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = byte.wrapping_mul(3).wrapping_add(1);
    }
}

/// A chain of mutations from nothing; each input is handed to `seen`.
fn chain(room: usize, length: u32, mut seen: impl FnMut(&[u8])) {
    let mut data = vec![0; room];
    let mut size = 0;
    for seed in 0..length {
        if let Some(new) = mutate(&mut data, size, mix(7, seed.into()) as u32, &mut number) {
            size = new;
            seen(&data[..size]);
        }
    }
}

#[test]
fn mutants_are_canonical_and_fit() {
    let mut count = 0;
    for room in [208, 256, 1000, 4096, 65536] {
        chain(room, 20_000, |bytes| {
            let scenario = Scenario::strict(bytes).expect("canonical");
            assert!(scenario.len() <= MAX_STEPS && bytes.len() <= room);
            count += 1;
        });
    }
    assert!(count > 90_000);
}

#[test]
fn too_little_room_falls_back_to_bytes() {
    for seed in 0..100 {
        assert_eq!(mutate(&mut [0; 100], 50, seed, &mut number), None);
        assert_eq!(cross(&[1; 300], &[2; 300], &mut [0; 100], seed), None);
    }
    // And now and then with room, too.
    let fallen = (0..10_000).filter(|seed| mutate(&mut [0; 4096], 0, *seed, &mut number).is_none());
    assert!((50..500).contains(&fallen.count()));
}

#[test]
fn any_bytes_can_be_mutated_and_spliced() {
    let mut state = 1;
    let mut noise = |len: usize| -> Vec<u8> {
        (0..len)
            .map(|_| {
                state = mix(state, 1);
                state as u8
            })
            .collect()
    };
    for seed in 0..3000 {
        let (first, second) = (noise(seed as usize % 700), noise(seed as usize % 1100));
        let mut out = vec![0; 2048];
        let len = cross(&first, &second, &mut out, seed).expect("room");
        Scenario::strict(&out[..len]).expect("canonical");
        out[..first.len()].copy_from_slice(&first);
        if let Some(len) = mutate(&mut out, first.len(), seed, &mut number) {
            Scenario::strict(&out[..len]).expect("canonical");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_mutants() {
    let all = || {
        let mut sum = 0;
        chain(4096, 5000, |bytes| {
            sum = bytes.iter().fold(sum, |sum, b| mix(sum, (*b).into()));
        });
        sum
    };
    assert_eq!(all(), all());
}

#[test]
fn every_verb_and_every_qualifier_is_reached() {
    let mut verbs = BTreeSet::new();
    let mut quals = [0; 6];
    let mut pages = 0;
    chain(8192, 50_000, |bytes| {
        let scenario = Scenario::total(bytes);
        assert_ne!(scenario.machine.mode, PagingMode::Both);
        pages += scenario.pages().len();
        for step in scenario.steps() {
            verbs.insert(step.verb);
            let q = step.quals;
            let is = [
                q.fail_alloc != 0,
                q.fail_pin != 0,
                q.fail_copy != 0,
                q.fail_message,
                q.draw.is_some(),
                q.during.is_some(),
            ];
            for (count, is) in quals.iter_mut().zip(is) {
                *count += u32::from(is);
            }
        }
    });
    // What was recorded elsewhere is nothing that a fuzzer could know.
    let expected = Verb::ALL.into_iter().filter(|v| *v != Verb::Expect);
    assert_eq!(verbs, expected.collect());
    assert!(quals.iter().all(|count| *count > 0), "{quals:?}");
    assert!(pages > 0);
}

#[test]
fn numbers_that_the_fuzzer_found_get_into_steps() {
    // What a comparison in the code would be told of, as one argument and as an entry of two.
    let (mut one, mut two) = (0, 0);
    let mut data = vec![0; 4096];
    let mut size = 0;
    for seed in 0..20_000 {
        let mut magic = |bytes: &mut [u8]| {
            let len = bytes.len();
            bytes.copy_from_slice(&[0x5a, 0x17, 0xc3, 0x99, 0x24, 0xd6, 0x08, 0xeb][..len]);
        };
        if let Some(new) = mutate(&mut data, size, seed, &mut magic) {
            size = new;
            for step in Scenario::total(&data[..size]).steps() {
                one += u32::from(step.args.contains(&0x99c3_175a));
                let pairs = step.args.windows(2);
                two += pairs
                    .filter(|pair| *pair == [0x99c3_175a, 0xeb08_d624])
                    .count();
            }
        }
    }
    assert!(one > 0 && two > 0, "{one} arguments, {two} entries");
}
