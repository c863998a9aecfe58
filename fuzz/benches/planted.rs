// SPDX-License-Identifier: GPL-2.0-or-later
//! The way to planted bugs from an empty corpus, with abstract states and without: inputs run until the target tells of
//! a difference. Inputs are counted and not seconds.
//!
//! `cargo bench --bench planted [NAME...]` runs those whose names are given, or all.

#[path = "../tests/building/mod.rs"]
#[allow(dead_code)]
mod building;

use std::env;

use building::{Build, have, scratch};

/// Inputs after which a search is given up.
const LIMIT: u64 = 200_000;
/// Searches with and without, each.
const SEEDS: u64 = 5;

/// The copies of the original that have them, and the mode that shows them.
const BUGS: [(&str, &str); 4] = [
    ("pages_of_another_cpu", "nopae"),
    ("one_entry_too_many", "nopae"),
    ("stack_pinned_by_read", "nopae"),
    ("stack_pinned_by_read", "pae"),
];

fn main() {
    let pinned = lguest_c_reference::reference().is_some_and(|original| original.pinned);
    if !pinned || !have("cargo", &["fuzz", "--version"]) {
        println!("skipped: it needs the pinned original and cargo-fuzz");
        return;
    }
    let chosen: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    println!("inputs to the bug, {SEEDS} searches each, sorted; - after {LIMIT}");
    for (name, mode) in BUGS {
        if !chosen.is_empty() && !chosen.iter().any(|other| other == name) {
            continue;
        }
        for (states, with) in [("1", "with states"), ("0", "without")] {
            let build = Build::new("bench")
                .features("planted")
                .with("LGUEST_PLANTED", name)
                .with("LGUEST_MODE", mode)
                .with("LGUEST_STATES", states);
            let mut found: Vec<Option<u64>> =
                (1..=SEEDS).map(|seed| search(&build, seed)).collect();
            found.sort_by_key(|inputs| inputs.unwrap_or(u64::MAX));
            let shown = found
                .iter()
                .map(|n| n.map_or("-".into(), |n| n.to_string()));
            let shown = shown.collect::<Vec<String>>().join(" ");
            println!("{name:<22} {mode:<6} {with:<12} {shown}");
        }
    }
}

/// Inputs until the bug is told, if it is.
fn search(build: &Build, seed: u64) -> Option<u64> {
    let corpus = scratch("bench-corpus");
    let out = build.run(
        "planted",
        &[
            &format!("-seed={seed}"),
            &format!("-runs={LIMIT}"),
            "-max_len=16384",
            "-print_final_stats=1",
            corpus.to_str().expect("text"),
        ],
    );
    if out.status.success() {
        return None;
    }
    let log = String::from_utf8_lossy(&out.stderr);
    let count = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    Some(count.expect("a count").trim().parse().expect("a number"))
}
