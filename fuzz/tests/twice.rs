// SPDX-License-Identifier: GPL-2.0-or-later
//! No state but the world that is reset: an input run again, whatever ran in between, does the same.
//!
//! With `LGUEST_C_COVER=trace-pc`, or `libfuzzer` and clang, the coverage of the original is compared, too.

use std::path::Path;
use std::sync::atomic::Ordering;

use lguest_c_reference::cover;
use lguest_engine::PagingMode;
use lguest_fuzz::mutate::mutate;
use lguest_fuzz::pair::{Seen, Worlds};
use lguest_oracle::behaviour::Behaviour;
use lguest_oracle::drive::End;
use lguest_oracle::fuzzed;
use lguest_oracle::load::{find, load};
use lguest_oracle::sim::mix;

/// All that a run shows.
fn once(worlds: &mut Worlds, bytes: &[u8], mode: PagingMode) -> (Seen, Vec<Behaviour>, Vec<u8>) {
    for count in cover::counts() {
        count.store(0, Ordering::Relaxed);
    }
    let mut states = Vec::new();
    let scenario = fuzzed::read(bytes, mode);
    let seen = worlds.see(&scenario, mode, &mut |state| states.push(state));
    let counts = cover::counts();
    let counts = counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
    (seen, states, counts)
}

#[test]
fn an_input_run_twice_does_the_same() {
    let mut inputs = Vec::new();
    let (mut data, mut size) = (vec![0; 4096], 0);
    for seed in 0..6000u32 {
        if let Some(new) = mutate(&mut data, size, mix(3, seed.into()) as u32, &mut |_| {}) {
            size = new;
            inputs.push(data[..size].to_vec());
        }
        // Long chains wander off into noise.
        if seed % 200 == 199 {
            size = 0;
        }
    }
    // Mutants seldom crash a host; the findings do.
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/findings");
    for file in find(&findings).expect("the findings") {
        inputs.push(load(&file).expect("a scenario").to_bytes());
    }
    // One thread and one test: the original's counts are the process's.
    let mut worlds = Worlds::new();
    let mut fresh = Worlds::new();
    let (mut crashed, mut killed) = (0, 0);
    for mode in [PagingMode::NoPae, PagingMode::Pae] {
        let first: Vec<_> = inputs
            .iter()
            .map(|bytes| once(&mut worlds, bytes, mode))
            .collect();
        for (i, bytes) in inputs.iter().enumerate().rev() {
            assert_eq!(
                once(&mut worlds, bytes, mode),
                first[i],
                "input {i} in {mode:?}"
            );
            if i % 50 == 0 {
                assert_eq!(
                    once(&mut fresh, bytes, mode),
                    first[i],
                    "input {i} in a new world"
                );
            }
        }
        crashed += first
            .iter()
            .filter(|(seen, ..)| matches!(seen.run.end, Ok(End::Bug(_))))
            .count();
        killed += first
            .iter()
            .filter(|(seen, ..)| matches!(seen.run.end, Ok(End::Killed)))
            .count();
        assert!(first.iter().all(|(seen, ..)| seen.run.end.is_ok()));
        if cover::counts().is_empty() {
            // Asked for, it is there; not asked for, that is said.
            assert_eq!(option_env!("LGUEST_C_COVER"), None);
            eprintln!("the coverage of the original is not compared: set LGUEST_C_COVER=trace-pc");
        } else {
            assert!(
                first
                    .iter()
                    .any(|(_, _, counts)| counts.iter().any(|c| *c != 0))
            );
        }
    }
    // Crashes of the host and dead guests were among them.
    assert!(
        crashed > 0 && killed > 0,
        "{crashed} crashed, {killed} killed"
    );
}
