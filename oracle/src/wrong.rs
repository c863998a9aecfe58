// SPDX-License-Identifier: GPL-2.0-or-later
//! What is wrong with a scenario that was run on both sides under the oracles, each thing as something to keep: how
//! campaigns and fuzz targets judge a run.

use lguest_engine::{Difference, PagingMode};

use crate::class::{Class, Kind};
use crate::drive::{End, Run};
use crate::findings::{explains, harms, unexplained};
use crate::harm::of_breach;
use crate::report::Divergence;
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;
use crate::watch::Breach;

/// What a difference is said to be of that was not there when its scenario ran again.
const SEEN_ONCE: &str = "seen once";

impl Divergence {
    /// The sides differed, and did not when run again slowly: the rig is broken.
    pub fn seen_once(&self) -> bool {
        self.class.observable == SEEN_ONCE
    }
}

/// Everything that is wrong with a run: a difference, breaches that no finding explains, or what is left behind.
/// The scenario is asked for if something is, and `slowly` runs it once more on the same sides.
pub fn wrongs(
    scenario: impl Fn() -> ScenarioBuf,
    mode: PagingMode,
    run: &Run,
    breaches: &[Breach],
    slowly: impl FnOnce(&ScenarioBuf) -> Option<Divergence>,
) -> Vec<Divergence> {
    match &run.end {
        Err((step, difference)) => {
            let scenario = scenario();
            let found = slowly(&scenario);
            vec![found.unwrap_or_else(|| unsteady(scenario, mode, *step, difference))]
        }
        // Else it was told before, at the step that it comes of.
        Ok(end) if breaches.is_empty() && harms(end) && explains(end).is_none() => {
            of_end(mode, end, scenario()).into_iter().collect()
        }
        Ok(_) => unexplained(breaches)
            .map(|breach| of_breach(mode, breach, None, scenario()))
            .collect(),
    }
}

fn unsteady(
    scenario: ScenarioBuf,
    mode: PagingMode,
    step: Option<usize>,
    difference: &Difference,
) -> Divergence {
    Divergence {
        class: Class {
            mode: mode_name(mode),
            kind: Kind::Diff,
            verb: "scenario",
            observable: SEEN_ONCE.into(),
        },
        step,
        scenario,
        text: format!("step {step:?}: {difference:?}, not seen again when run slowly"),
    }
}

fn of_end(mode: PagingMode, end: &End, mut scenario: ScenarioBuf) -> Option<Divergence> {
    let class = Class::of_harm(mode_name(mode), end, scenario.steps.last())?;
    scenario.machine.mode = mode;
    let text = format!("class {} {class}\nafter destruction: {end}\n", class.id());
    Some(Divergence {
        step: None,
        class,
        scenario,
        text,
    })
}
