// SPDX-License-Identifier: GPL-2.0-or-later
//! The hunt: a small campaign with a fixed seed, until the sides differ or the scenarios run out.

use std::fmt;
use std::time::{Duration, Instant};

use lguest_engine::{Care, PagingMode, Pair, Side, Step, Verb};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Both, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::minimize::sides::{Keep, Same, Two};
use lguest_oracle::minimize::{Budget, CLASS_WORK, minimize};
use lguest_oracle::report::slowly;
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;

/// The seed of every hunt.
pub const SEED: u64 = 0x1a57;

/// A bug that was found.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Scenarios that it took, the one that shows it included.
    pub scenarios: u64,
    /// The first step that differs, from 1; 0 for `init_guest_pagetable`.
    pub step: usize,
    /// The class of the difference, as one line.
    pub class: String,
    /// Wall time.
    pub elapsed: Duration,
}

impl fmt::Display for Caught {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "scenario {}, step {}, {} ms: {}",
            self.scenarios,
            self.step,
            self.elapsed.as_millis(),
            self.class
        )
    }
}

/// Runs a campaign's first `limit` scenarios, its profiles in turn, on two sides that share
/// `hosts`: the first difference, or nothing.
///
/// # Panics
/// The sides differ and do not when the same scenario runs with everything compared after each
/// step: then the rig itself is broken.
pub fn hunt<A: Side, B: Side>(hosts: &Hosts, a: A, b: B, limit: u64) -> Option<Caught> {
    chase(hosts, &mut pair(a, b), limit).map(|(caught, _)| caught)
}

/// The same, and what it found made small; [`work`](Budget::work) is all that limits it.
///
/// # Panics
/// As [`hunt`]; or the scenario that was found cannot be minimized.
pub fn hunt_and_minimize<A: Side, B: Side>(
    hosts: &Hosts,
    a: A,
    b: B,
    limit: u64,
) -> Option<(Caught, Small)> {
    let mode = mode_of(&a);
    let mut both = pair(a, b);
    let (caught, scenario) = chase(hosts, &mut both, limit)?;
    let begun = Instant::now();
    let budget = Budget {
        work: Some(CLASS_WORK),
        ..Budget::default()
    };
    let eye = Two::new(hosts, both, mode);
    let mut goal = Same::on(eye, Keep::Class, &scenario).expect("a class to keep");
    assert_eq!(goal.class.to_string(), caught.class);
    let done = minimize(&scenario, &mut goal, &budget, &|_| {}).expect("it shows its class");
    let small = Small {
        before: count(&scenario),
        after: count(&done.scenario),
        minimal: done.minimal,
        runs: done.runs,
        others: done.others.len(),
        elapsed: begun.elapsed(),
        scenario: done.scenario,
    };
    Some((caught, small))
}

/// What was found, made small.
#[derive(Clone, Debug)]
pub struct Small {
    /// Steps up to the first that differs.
    pub before: usize,
    /// Steps that are left.
    pub after: usize,
    /// It is 1-minimal.
    pub minimal: bool,
    /// Candidates that were run.
    pub runs: u64,
    /// Other classes that were met on the way.
    pub others: usize,
    /// Wall time.
    pub elapsed: Duration,
    /// What is left.
    pub scenario: ScenarioBuf,
}

/// Steps; LGUEST_INIT, which any guest begins with, is none.
fn count(scenario: &ScenarioBuf) -> usize {
    let init = |step: &Step| step.verb == Verb::Hypercall && step.args[0] == 1;
    scenario.steps.iter().filter(|step| !init(step)).count()
}

fn mode_of<S: Side>(side: &S) -> PagingMode {
    if side.pae() {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    }
}

fn pair<A: Side, B: Side>(a: A, b: B) -> Both<A, B> {
    Both {
        pair: Pair::new(a, b),
        care: Care::Cheap,
    }
}

/// What was caught, and the scenario up to the step that differs.
fn chase<A: Side, B: Side>(
    hosts: &Hosts,
    both: &mut Both<A, B>,
    limit: u64,
) -> Option<(Caught, ScenarioBuf)> {
    let begun = Instant::now();
    let mode = mode_of(&both.pair.a.side);
    let mut steps = Vec::new();
    for index in 0..limit {
        let mut generator = Generator::new(SEED, profile_of(None, index), index, mode);
        let mut scenario = ScenarioBuf::new(generator.machine);
        scenario.pages.clone_from(&generator.pages);
        steps.clear();
        let end = run(
            both,
            &scenario.machine,
            &scenario.pages,
            &mut generator,
            |_, step, _| steps.push(*step),
        )
        .end;
        if let Err((_, difference)) = end {
            let elapsed = begun.elapsed();
            scenario.steps.clone_from(&steps);
            both.care = Care::Full;
            let Some(found) = slowly(hosts, both, &scenario, mode) else {
                panic!("scenario {index}: {difference:?}, and not when run slowly");
            };
            let caught = Caught {
                scenarios: index + 1,
                step: found.step.map_or(0, |step| step + 1),
                class: found.class.to_string(),
                elapsed,
            };
            return Some((caught, found.scenario));
        }
    }
    None
}
