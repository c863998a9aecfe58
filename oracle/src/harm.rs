// SPDX-License-Identifier: GPL-2.0-or-later
//! The harm that a scenario did to the host on one side alone, as a class and as a report.

use std::fmt::Write as _;

use lguest_engine::{Outcome, PagingMode, Step, Verb};

use crate::class::Class;
use crate::drive::End;
use crate::findings;
use crate::report::Divergence;
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;
use crate::watch::Breach;

/// The step in which the host crashed, if it did in one; to be told of each step and its outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crashed(Option<Step>);

impl Crashed {
    /// Takes up a step.
    #[inline]
    pub fn see(&mut self, step: &Step, outcome: Option<&Outcome>) {
        if matches!(outcome, Some(Outcome::Bug(_))) {
            self.0 = Some(*step);
        }
    }
}

/// The class of the harm in an end, if there is any. A crash outside of all steps is one of the last, `destroy`.
pub fn class_of(mode: PagingMode, end: &End, crashed: Crashed) -> Option<Class> {
    let step = crashed.0.unwrap_or(Step::new(Verb::Destroy, [0; 5]));
    Class::of_harm(mode_name(mode), end, Some(&step))
}

/// A breach as something to keep: the scenario up to the step at which it was told. `like` is the finding that it would
/// show, if it were on a port without fixes.
pub fn of_breach(
    mode: PagingMode,
    breach: &Breach,
    like: Option<&'static str>,
    mut scenario: ScenarioBuf,
) -> Divergence {
    scenario.machine.mode = mode;
    scenario
        .steps
        .truncate(breach.step.map_or(0, |step| step + 1));
    let mut text = breach.text(mode);
    if let Some(id) = like {
        // A String takes whatever is written to it.
        let _ = writeln!(text, "so shows finding {id}");
    }
    Divergence {
        class: breach.class(mode),
        step: breach.step,
        scenario,
        text,
    }
}

/// Harm to the host of the port that has fixes against all that is known: nothing explains it.
pub fn report(
    mode: PagingMode,
    end: &End,
    crashed: Crashed,
    mut scenario: ScenarioBuf,
) -> Option<Divergence> {
    let class = class_of(mode, end, crashed)?;
    scenario.machine.mode = mode;
    let mut text = format!("class {} {class}\nthe hardened port: {end}\n", class.id());
    let like: Vec<_> = findings::shown(end).collect();
    // A String takes whatever is written to it.
    let _ = match like.as_slice() {
        [] => writeln!(text, "no finding shows like this"),
        ids => writeln!(text, "so shows finding {}", ids.join(", ")),
    };
    Some(Divergence {
        step: None,
        class,
        scenario,
        text,
    })
}
