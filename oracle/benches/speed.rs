// SPDX-License-Identifier: GPL-2.0-or-later
//! How fast campaigns are, as ratios measured within one run.
//!
//! For each paging mode: the original alone and the port alone on scenarios generated beforehand; the campaign, which
//! generates, runs both and compares; and the same scenarios with everything compared after each step. The four take
//! turns on one thread, so that what disturbs the machine disturbs them all. The boot of a real guest, without what was
//! recorded of it, comes before them: there one side alone and both are measured.

use std::path::Path;
use std::time::{Duration, Instant};

use lguest_engine::{Care, PagingMode, Verb};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Drive, Given, run};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::{Hosts, mode_name};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::trace::{Detail, Import, Reader};

/// Scenarios in a batch; each profile gets a third of them.
const BATCH: u64 = 60;
/// Rounds, each with scenarios of its own.
const ROUNDS: u64 = 10;
/// Of these scenarios the slow comparison takes one in so many.
const SLOW_ONE_IN: usize = 6;

/// The profile that is named on the command line, or none for all of them in turn.
fn chosen() -> Option<Profile> {
    std::env::args().find_map(|arg| {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == arg)
    })
}

/// Steps and the time that they took.
#[derive(Default, Clone, Copy)]
struct Speed {
    steps: u64,
    time: Duration,
}

impl Speed {
    fn per_second(self) -> f64 {
        self.steps as f64 / self.time.as_secs_f64()
    }

    fn measure(&mut self, what: impl FnOnce() -> u64) {
        let begun = Instant::now();
        self.steps += what();
        self.time += begun.elapsed();
    }
}

fn replay<D: Drive>(drive: &mut D, scenarios: &[ScenarioBuf], one_in: usize) -> u64 {
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
    scenarios
        .iter()
        .step_by(one_in)
        .map(|scenario| of(scenario, drive))
        .sum()
}

fn generate<D: Drive>(
    drive: &mut D,
    from: u64,
    mode: PagingMode,
    kept: Option<&mut Vec<ScenarioBuf>>,
) -> u64 {
    let mut generator = Generator::new(1, Profile::ALL[0], 0, mode);
    let mut steps = 0;
    let mut kept = kept;
    for index in from..from + BATCH {
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
    let [mut of_c, mut of_port, mut of_both] = [Speed::default(); 3];
    for _ in 0..ROUNDS {
        of_c.measure(|| replay(c, &boot, 1));
        of_port.measure(|| replay(port, &boot, 1));
        of_both.measure(|| replay(both, &boot, 1));
    }
    for (what, speed) in [
        ("a real boot, original alone", of_c),
        ("a real boot, port alone", of_port),
        ("a real boot, both and compared", of_both),
    ] {
        let (mode, steps) = (mode_name(mode), speed.per_second());
        println!("{mode:5}  {what:38} {steps:9.0} steps/s");
    }
}

/// A generator's cost without the world's: the steps are made, and seen by nobody.
fn rows<C: Drive, P: Drive, B: Drive, F: Drive>(
    mode: PagingMode,
    c: &mut C,
    port: &mut P,
    both: &mut B,
    full: &mut F,
) {
    let [
        mut of_c,
        mut of_port,
        mut of_campaign,
        mut of_replay,
        mut of_full,
    ] = [Speed::default(); 5];
    boot_rows(mode, c, port, both);
    for round in 0..ROUNDS {
        let mut scenarios = Vec::new();
        generate(port, round * BATCH, mode, Some(&mut scenarios));
        of_c.measure(|| replay(c, &scenarios, 1));
        of_port.measure(|| replay(port, &scenarios, 1));
        of_campaign.measure(|| generate(both, round * BATCH, mode, None));
        of_replay.measure(|| replay(both, &scenarios, 1));
        of_full.measure(|| replay(full, &scenarios, SLOW_ONE_IN));
    }
    let in_turn = 1.0 / (1.0 / of_c.per_second() + 1.0 / of_port.per_second());
    let row = |what: &str, speed: Speed| {
        println!(
            "{:5}  {what:38} {:9.0} steps/s",
            mode_name(mode),
            speed.per_second()
        );
    };
    row("original alone", of_c);
    row("port alone", of_port);
    row("campaign: generate, run both, compare", of_campaign);
    row("the same without generating", of_replay);
    row("everything compared after each step", of_full);
    let ratio = |what: &str, value: f64, least: f64| {
        let verdict = if value >= least { "" } else { "  BELOW" };
        println!(
            "{:5}  {what:38} {value:9.2} (at least {least}){verdict}",
            mode_name(mode)
        );
    };
    ratio(
        "campaign / one side after the other",
        of_campaign.per_second() / in_turn,
        0.8,
    );
    ratio(
        "campaign / everything compared",
        of_campaign.per_second() / of_full.per_second(),
        8.0,
    );
    println!(
        "{:5}  {:38} {:9.1} %",
        mode_name(mode),
        "of the campaign spent on generating",
        100.0
            * (1.0
                - of_campaign.time.as_secs_f64() / of_campaign.steps as f64
                    * of_replay.per_second())
            .abs()
    );
}

fn main() {
    // `cargo bench` passes --bench; `cargo test --benches` passes nothing, and has no use for times.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("speed: run by cargo bench alone");
        return;
    }
    let hosts = [(); 4].map(|()| Hosts::new().expect("room for a simulated host"));
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
        &mut full,
    );
}
