// SPDX-License-Identifier: GPL-2.0-or-later
//! How fast campaigns are, as ratios measured within one run.
//!
//! For each paging mode: the original alone and the port alone on scenarios generated beforehand; the campaign, which
//! generates, runs both and compares; and the same campaign with everything compared after each step. The four take
//! turns on one thread, so that what disturbs the machine disturbs them all. The boot of a real guest, without what was
//! recorded of it, comes before them: there one side alone and both are measured.

use std::path::Path;

use cpu_time::ThreadTime;
use lguest_engine::{Care, PagingMode, Verb};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Drive, Given, run};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::{Hosts, mode_name};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::trace::{Detail, Import, Reader};
use lguest_oracle::watch::{Often, Watched};

/// Scenarios in a batch: each profile has its turns in it.
const BATCH: u64 = 150;
/// Rounds, each with scenarios of its own; what is told of a ratio is its median over them.
const ROUNDS: u64 = 9;
/// Times that each thing is measured in a round, in turns with the others. The best counts: others on the machine make
/// a thing slower at times, and nothing makes it faster.
const TIMES: u64 = 4;
/// Of these scenarios the slow comparison takes one in so many; no divisor of the turns of profiles.
const SLOW_ONE_IN: usize = 7;

/// The profile that is named on the command line, or none for all of them in turn.
fn chosen() -> Option<Profile> {
    std::env::args().find_map(|arg| {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == arg)
    })
}

/// Steps of what counts its steps, a second of this thread's time on a processor: what else the machine does is not in it.
fn per_second(what: impl FnOnce() -> u64) -> f64 {
    let begun = ThreadTime::now();
    let steps = what();
    steps as f64 / begun.elapsed().as_secs_f64()
}

fn replay<D: Drive>(drive: &mut D, scenarios: &[ScenarioBuf]) -> u64 {
    let of = |scenario: &ScenarioBuf, drive: &mut D| {
        let steps = &mut Given(scenario.steps.iter());
        let run = run(
            drive,
            &scenario.machine,
            &scenario.pages,
            steps,
            |_, _, _| {},
        );
        assert!(run.end.is_ok(), "the sides differ: {:?}", run.end);
        run.counts.steps
    };
    scenarios.iter().map(|scenario| of(scenario, drive)).sum()
}

fn generate<D: Drive>(
    drive: &mut D,
    from: u64,
    one_in: usize,
    mode: PagingMode,
    kept: Option<&mut Vec<ScenarioBuf>>,
) -> u64 {
    let mut generator = Generator::new(1, Profile::ALL[0], 0, mode);
    let mut steps = 0;
    let mut kept = kept;
    for index in (from..from + BATCH).step_by(one_in) {
        generator.reset(1, profile_of(chosen(), index), index, mode);
        let (machine, pages) = (generator.machine, generator.pages.clone());
        let mut scenario = ScenarioBuf::new(machine);
        let keeping = kept.is_some();
        let run = run(drive, &machine, &pages, &mut generator, |_, step, _| {
            if keeping {
                scenario.steps.push(*step);
            }
        });
        assert!(run.end.is_ok(), "the sides differ: {:?}", run.end);
        steps += run.counts.steps;
        if let Some(kept) = kept.as_deref_mut() {
            scenario.pages = pages;
            kept.push(scenario);
        }
    }
    steps
}

/// The boot of a real guest: what it did, without what came of it.
fn boot(mode: PagingMode) -> ScenarioBuf {
    let file = format!("../corpora/boot/{}.trace.gz", mode_name(mode));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let reader = Reader::open(&path).expect("the trace of a boot");
    let import = Import::new(reader, Detail::Results).expect("a trace");
    let mut scenario = ScenarioBuf::new(import.machine);
    let steps = import.map(|item| item.expect("a whole trace").step);
    scenario
        .steps
        .extend(steps.filter(|step| step.verb != Verb::Expect));
    scenario
}

/// The rows of a real boot.
fn boot_rows<C: Drive, P: Drive, B: Drive>(
    mode: PagingMode,
    c: &mut C,
    port: &mut P,
    both: &mut B,
) {
    let boot = [boot(mode)];
    let rounds: Vec<[f64; 3]> = (0..ROUNDS)
        .map(|_| {
            best(|| {
                [
                    per_second(|| replay(c, &boot)),
                    per_second(|| replay(port, &boot)),
                    per_second(|| replay(both, &boot)),
                ]
            })
        })
        .collect();
    for (i, what) in [
        "a real boot, original alone",
        "a real boot, port alone",
        "a real boot, both and compared",
    ]
    .iter()
    .enumerate()
    {
        let speed = median(&rounds, |round| round[i]);
        println!("{:5}  {what:38} {speed:9.0} steps/s", mode_name(mode));
    }
}

/// The best of each of several speeds.
fn best<const N: usize>(mut measure: impl FnMut() -> [f64; N]) -> [f64; N] {
    (0..TIMES).fold([0.0; N], |best, _| {
        let now = measure();
        std::array::from_fn(|i| now[i].max(best[i]))
    })
}

/// The middle one of what each round gives.
fn median<R>(rounds: &[R], of: impl Fn(&R) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rows<C: Drive, P: Drive, B: Drive, W: Drive, F: Drive>(
    mode: PagingMode,
    c: &mut C,
    port: &mut P,
    both: &mut B,
    watched: &mut W,
    full: &mut F,
) {
    boot_rows(mode, c, port, both);
    let mut rounds: Vec<[f64; 6]> = Vec::new();
    for round in 0..ROUNDS {
        let from = round * BATCH;
        let mut scenarios = Vec::new();
        generate(port, from, 1, mode, Some(&mut scenarios));
        rounds.push(best(|| {
            [
                per_second(|| replay(c, &scenarios)),
                per_second(|| replay(port, &scenarios)),
                per_second(|| generate(both, from, 1, mode, None)),
                per_second(|| replay(both, &scenarios)),
                per_second(|| generate(full, from, SLOW_ONE_IN, mode, None)),
                per_second(|| generate(watched, from, 1, mode, None)),
            ]
        }));
    }
    let name = mode_name(mode);
    for (i, what) in [
        "original alone",
        "port alone",
        "campaign: generate, run both, compare",
        "the same without generating",
        "everything compared after each step",
        "campaign under the oracles",
    ]
    .iter()
    .enumerate()
    {
        println!(
            "{name:5}  {what:38} {:9.0} steps/s",
            median(&rounds, |round| round[i])
        );
    }
    let ratio = |what: &str, value: f64, least: f64| {
        let verdict = if value >= least { "" } else { "  BELOW" };
        println!("{name:5}  {what:38} {value:9.2} (at least {least}){verdict}");
    };
    ratio(
        "campaign / one side after the other",
        median(&rounds, |[c, port, both, ..]| both * (1.0 / c + 1.0 / port)),
        0.8,
    );
    ratio(
        "campaign / everything compared",
        median(&rounds, |[_, _, both, _, full, _]| both / full),
        8.0,
    );
    let oracles = 100.0 * median(&rounds, |[_, _, both, _, _, watched]| 1.0 - watched / both);
    let verdict = if oracles < 25.0 { "" } else { "  ABOVE" };
    println!(
        "{name:5}  {:38} {oracles:9.1} % (less than 25){verdict}",
        "of the watched campaign spent on oracles"
    );
    println!(
        "{name:5}  {:38} {:9.1} %",
        "of the campaign spent on generating",
        100.0 * median(&rounds, |[_, _, both, replayed, ..]| 1.0 - both / replayed)
    );
}

fn main() {
    // `cargo bench` passes --bench; `cargo test --benches` passes nothing, and has no use for times.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("speed: run by cargo bench alone");
        return;
    }
    let hosts = [(); 5].map(|()| Hosts::new().expect("room for a simulated host"));
    let Some(mut c) = hosts[0].original_alone(false) else {
        println!("speed: skipped, this program was built without the original");
        return;
    };
    let missing = "the original is there";
    let (mut both, mut full) = (
        hosts[2].nopae(Care::Cheap).expect(missing),
        hosts[3].nopae(Care::Full).expect(missing),
    );
    rows(
        PagingMode::NoPae,
        &mut c,
        &mut hosts[1].port_nopae(),
        &mut both,
        &mut Watched::new(hosts[4].nopae(Care::Cheap).expect(missing), Often::AtTimes),
        &mut full,
    );
    let mut c = hosts[0].original_alone(true).expect(missing);
    let (mut both, mut full) = (
        hosts[2].pae(Care::Cheap).expect(missing),
        hosts[3].pae(Care::Full).expect(missing),
    );
    rows(
        PagingMode::Pae,
        &mut c,
        &mut hosts[1].port_pae(),
        &mut both,
        &mut Watched::new(hosts[4].pae(Care::Cheap).expect(missing), Often::AtTimes),
        &mut full,
    );
}
