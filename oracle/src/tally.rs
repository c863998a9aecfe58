// SPDX-License-Identifier: GPL-2.0-or-later
//! What the scenarios of one mode did, counted.

use crate::drive::{End, Run};
use crate::findings::{explains, unexplained};
use crate::watch::Breach;

/// Counts for one mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Scenarios run.
    pub scenarios: u64,
    /// Steps that entered the original on a live guest.
    pub steps: u64,
    /// Other steps.
    pub events: u64,
    /// Scenarios whose guest was killed.
    pub killed: u64,
    /// Scenarios that would have crashed the host, on all sides alike.
    pub host_bugs: u64,
    /// Accesses that did not end.
    pub stuck: u64,
    /// Scenarios in which the sides differ.
    pub divergences: u64,
    /// Scenarios in which an oracle spoke, or something was left, that no finding explains.
    pub breaches: u64,
    /// Scenarios in which an oracle spoke and a finding explains all of it.
    pub known: u64,
}

impl Tally {
    /// Counts one scenario, with what the oracles told of it.
    pub fn add(&mut self, run: &Run, told: &[Breach]) {
        self.scenarios += 1;
        self.steps += run.counts.steps;
        self.events += run.counts.events;
        self.stuck += run.counts.stuck;
        match &run.end {
            Ok(End::Lived) => {}
            Ok(End::Killed) => self.killed += 1,
            Ok(End::Bug(_)) => self.host_bugs += 1,
            Ok(_) => {}
            Err(_) => self.divergences += 1,
        }
        let Ok(end) = &run.end else { return };
        let left = matches!(end, End::Breach(..)) && told.is_empty() && explains(end).is_none();
        if left || unexplained(told).next().is_some() {
            self.breaches += 1;
        } else if !told.is_empty() || explains(end).is_some() {
            self.known += 1;
        }
    }

    /// Adds what another thread counted.
    pub fn sum(&mut self, other: &Tally) {
        self.scenarios += other.scenarios;
        self.steps += other.steps;
        self.events += other.events;
        self.killed += other.killed;
        self.host_bugs += other.host_bugs;
        self.stuck += other.stuck;
        self.divergences += other.divergences;
        self.breaches += other.breaches;
        self.known += other.known;
    }
}
