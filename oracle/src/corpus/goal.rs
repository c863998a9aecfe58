// SPDX-License-Identifier: GPL-2.0-or-later
//! The goal of keeping features: a candidate must show all that is wanted, and come as it expects on both sides.

use super::feature::{Features, Look, Observer};
use crate::minimize::{Goal, Look as Seen};
use crate::rig::{Hosts, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::verify::{Verdict, verify};

/// Keeps features.
pub struct Showing<'o, 'h> {
    /// Tells what a candidate shows.
    pub observer: &'o mut Observer<'h>,
    /// How closely it looks.
    pub look: Look,
    /// What must not be lost.
    pub wanted: Features,
}

impl Goal for Showing<'_, '_> {
    fn look(&mut self, candidate: &ScenarioBuf) -> Seen {
        let shown = self.observer.see(candidate, self.look);
        if self.wanted.is_subset(&shown) && trouble(self.observer.hosts(), candidate).is_none() {
            Seen::Shows(candidate.steps.len())
        } else {
            Seen::Nothing
        }
    }
}

/// What is wrong with a scenario in one of its modes: nothing if it comes as it expects, or if there is no original
/// to say so.
pub fn trouble(hosts: &Hosts, scenario: &ScenarioBuf) -> Option<Verdict> {
    modes(scenario.machine.mode)
        .iter()
        .map(|mode| verify(hosts, scenario, *mode))
        .find(|verdict| !verdict.passed() && !matches!(verdict, Verdict::NoOriginal))
}
