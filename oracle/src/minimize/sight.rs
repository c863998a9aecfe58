// SPDX-License-Identifier: GPL-2.0-or-later
//! What a scenario shows on two sides, or on one: its class, without any of the texts that a report has.

use lguest_engine::{Care, Difference, Outcome, PagingMode, Side, Step, Verb};

use crate::class::{Class, Seen, observable, verb_name};
use crate::drive::{Both, Drive, End, Given, run};
use crate::findings;
use crate::rig::{Hosts, mode_name};
use crate::scenario_buf::ScenarioBuf;

/// Trouble that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its class.
    pub class: Class,
    /// Steps of the scenario that it takes.
    pub steps: usize,
    /// A finding is known that looks like it.
    pub known: bool,
    /// How the scenario ends on all sides, unless they differ.
    pub end: Option<End>,
}

/// How a run went.
struct Played {
    end: Result<End, Difference>,
    /// The last step, and its number from 0; none if there was no step.
    last: Option<(usize, Step)>,
}

fn play<D: Drive>(drive: &mut D, scenario: &ScenarioBuf, mut each: impl FnMut(bool)) -> Played {
    let mut last = None;
    let mut number = 0;
    let mut crashed = false;
    let steps = &mut Given(scenario.steps.iter());
    let run = run(
        drive,
        &scenario.machine,
        &scenario.pages,
        steps,
        |_, step, outcome| {
            last = Some((number, *step));
            number += 1;
            crashed = matches!(outcome, Some(Outcome::Bug(_)));
            each(outcome.is_some());
        },
    );
    let last = match run.end {
        Err((at, _)) => at.and(last),
        // The guest is destroyed behind the last step, which is a step that nobody is shown.
        Ok(End::Bug(_)) if !crashed && run.counts.steps + run.counts.events > 0 => {
            Some((number, Step::new(Verb::Destroy, [0; 5])))
        }
        _ => last,
    };
    Played {
        end: run.end.map_err(|(_, difference)| difference),
        last,
    }
}

impl Played {
    /// Steps of `scenario` that it took to come to this end.
    fn steps(&self, scenario: &ScenarioBuf) -> usize {
        let needed = match self.end {
            // What is left behind is seen when all is over.
            Ok(End::Breach(..)) => scenario.steps.len(),
            _ => self.last.map_or(0, |(number, _)| number + 1),
        };
        needed.min(scenario.steps.len())
    }

    /// Harm to the host, the same on all sides that ran.
    fn harm(&self, scenario: &ScenarioBuf, mode: PagingMode) -> Option<Sighting> {
        let end = self.end.as_ref().ok()?;
        let step = self.last.map(|(_, step)| step);
        Some(Sighting {
            class: Class::of_harm(mode_name(mode), end, step.as_ref())?,
            steps: self.steps(scenario),
            known: findings::known(end),
            end: Some(*end),
        })
    }
}

/// What a scenario shows on one side.
pub fn alone<D: Drive>(
    drive: &mut D,
    scenario: &ScenarioBuf,
    mode: PagingMode,
) -> Option<Sighting> {
    play(drive, scenario, |_| {}).harm(scenario, mode)
}

/// Whether a look that compares what is cheap alone shows anything, and up to which step.
pub fn cheaply<A: Side, B: Side>(
    both: &mut Both<A, B>,
    scenario: &ScenarioBuf,
    mode: PagingMode,
) -> Option<usize> {
    both.care = Care::Cheap;
    let played = play(both, scenario, |_| {});
    let trouble = played.end.is_err() || played.harm(scenario, mode).is_some();
    trouble.then(|| played.steps(scenario))
}

/// What a scenario shows on two sides, with everything compared after each step.
pub fn both<A: Side, B: Side>(
    hosts: &Hosts,
    both: &mut Both<A, B>,
    scenario: &ScenarioBuf,
    mode: PagingMode,
) -> Option<Sighting> {
    both.care = Care::Full;
    let mut played = play(both, scenario, |_| {});
    let (mut calls_a, mut calls_b) = (Vec::new(), Vec::new());
    let difference = match played.end {
        Ok(_) => return played.harm(scenario, mode),
        Err(Difference::Calls) => {
            // Which call it is takes a run that keeps them, those of the last step.
            hosts.keep_log(true);
            played = play(both, scenario, |agreed| {
                if agreed {
                    hosts.original.swap_log(&mut calls_a);
                    hosts.port.swap_log(&mut calls_b);
                }
            });
            hosts.keep_log(false);
            hosts.original.swap_log(&mut calls_a);
            hosts.port.swap_log(&mut calls_b);
            played.end.err()?
        }
        Err(difference) => difference,
    };
    let seen = Seen {
        difference,
        calls_a: &calls_a,
        calls_b: &calls_b,
    };
    let (kind, observable) = observable(&seen, &both.pair.a.side, &both.pair.b.side);
    Some(Sighting {
        class: Class {
            mode: mode_name(mode),
            kind,
            verb: verb_name(played.last.as_ref().map(|(_, step)| step)),
            observable,
        },
        steps: played.steps(scenario),
        known: false,
        end: None,
    })
}
