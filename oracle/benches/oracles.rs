// SPDX-License-Identifier: GPL-2.0-or-later
//! What the independent oracles cost a campaign, in instructions, which no load of the machine changes.
//!
//! A campaign of fixed scenarios, generated, run on both sides and compared, with the oracles and without, each below
//! callgrind. Needs valgrind: `cargo bench -p lguest-oracle --bench oracles`. It fails if a quarter or more of the
//! watched campaign is theirs. `LGUEST_BENCH_FUNCTIONS=1` lists where the instructions go.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use lguest_engine::{Care, PagingMode};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Drive, run};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::watch::{Often, Watched};

/// Scenarios of the campaign: each profile has its turns in it.
const SCENARIOS: u64 = 60;
/// The share that the oracles must stay below, in percent.
const BELOW: f64 = 25.0;

/// What is counted.
#[inline(never)]
fn counted_campaign<D: Drive>(drive: &mut D, mode: PagingMode) {
    let mut generator = Generator::new(1, Profile::ALL[0], 0, mode);
    for index in 0..SCENARIOS {
        generator.reset(1, profile_of(None, index), index, mode);
        let machine = generator.machine;
        let pages = std::mem::take(&mut generator.pages);
        let run = run(drive, &machine, &pages, &mut generator, |_, _, _| {});
        assert!(run.end.is_ok(), "the sides differ: {:?}", run.end);
        generator.pages = pages;
    }
}

/// The half that runs under valgrind.
fn child(watched: bool, mode: &str) {
    let hosts = Hosts::new().expect("room for a simulated host");
    let missing = "the original is there";
    if mode == "pae" {
        let both = hosts.pae(Care::Cheap).expect(missing);
        if watched {
            counted_campaign(&mut Watched::new(both, Often::AtTimes), PagingMode::Pae);
        } else {
            counted_campaign(&mut { both }, PagingMode::Pae);
        }
    } else {
        let both = hosts.nopae(Care::Cheap).expect(missing);
        if watched {
            counted_campaign(&mut Watched::new(both, Often::AtTimes), PagingMode::NoPae);
        } else {
            counted_campaign(&mut { both }, PagingMode::NoPae);
        }
    }
}

/// Instructions of a campaign, and by function.
fn measure(how: &str, mode: PagingMode) -> (u64, BTreeMap<String, u64>) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{how}-{}.out", mode_name(mode)));
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg("--toggle-collect=*counted_campaign*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(["child", how, mode_name(mode)])
        .status()
        .expect("valgrind starts; apt-get install valgrind");
    assert!(status.success(), "valgrind failed");
    let profile = std::fs::read_to_string(&out).expect("callgrind's file");
    let (mut sum, mut by_function) = (0, BTreeMap::new());
    let (mut function, mut inclusive) = (String::new(), false);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = name.to_owned();
        } else if line.starts_with("calls=") {
            inclusive = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            let cost: u64 = cost.unwrap_or(0);
            if !std::mem::take(&mut inclusive) {
                sum += cost;
                *by_function.entry(function.clone()).or_default() += cost;
            }
        }
    }
    (sum, by_function)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, how, mode] = &args[..]
        && word == "child"
    {
        child(how == "watched", mode);
        return ExitCode::SUCCESS;
    }
    if !args.iter().any(|arg| arg == "--bench") {
        println!("oracles: run by cargo bench alone");
        return ExitCode::SUCCESS;
    }
    if lguest_c_reference::reference().is_none() {
        println!("oracles: skipped, this program was built without the original");
        return ExitCode::SUCCESS;
    }
    let mut above = false;
    println!("mode          campaign      watched  of it the oracles'");
    for mode in modes(PagingMode::Both) {
        let ((plain, without), (watched, with)) =
            (measure("plain", *mode), measure("watched", *mode));
        let share = 100.0 * (1.0 - plain as f64 / watched as f64);
        let verdict = if share < BELOW { "" } else { "  ABOVE" };
        println!(
            "{:5} {plain:16} {watched:12}  {share:.1} % (less than {BELOW}){verdict}",
            mode_name(*mode)
        );
        above |= share >= BELOW;
        if std::env::var_os("LGUEST_BENCH_FUNCTIONS").is_some() {
            let more = |(name, cost): (&String, &u64)| {
                cost.saturating_sub(without.get(name).copied().unwrap_or(0))
            };
            let mut rows: Vec<_> = with.iter().map(|row| (more(row), row.0)).collect();
            rows.sort_by_key(|(more, _)| std::cmp::Reverse(*more));
            rows.iter()
                .take(24)
                .for_each(|(more, name)| println!("    {more:12} {name}"));
        }
    }
    if above {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
