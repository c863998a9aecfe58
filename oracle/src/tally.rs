// SPDX-License-Identifier: GPL-2.0-or-later
//! What the scenarios of one mode did, counted.

use lguest_shadow::Fix;

use crate::drive::{End, Run};
use crate::findings::{IDS, causes, explains, unexplained};
use crate::hardened::Judged;
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
    /// Scenarios in which an oracle spoke and a finding explains all of it; on the port with fixes one that it keeps.
    pub known: u64,
    /// Scenarios in which each finding of [`IDS`] explains something, in that order.
    pub by_finding: [u64; IDS.len()],
    /// Scenarios in which the port with fixes parts from the original as its fixes explain.
    pub departures: u64,
    /// The same by fix; one scenario can have several.
    pub by_fix: [u64; Fix::ALL.len()],
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
        if !told.is_empty() || explains(end).is_some() {
            for id in causes(end, told) {
                let of = IDS.iter().position(|known| *known == id);
                self.by_finding[of.unwrap_or(0)] += 1;
            }
        }
    }

    /// Counts one scenario of the port with fixes, to which no finding applies.
    pub fn add_hardened(&mut self, run: &Run, judged: &Judged) {
        self.scenarios += 1;
        self.steps += run.counts.steps;
        self.events += run.counts.events;
        self.stuck += run.counts.stuck;
        self.killed += u64::from(run.end == Ok(End::Killed));
        self.host_bugs += u64::from(matches!(run.end, Ok(End::Bug(_))));
        self.known += u64::from(judged.kept);
        self.breaches += u64::from(!judged.breaches.is_empty());
        self.divergences += u64::from(judged.difference.is_some());
        if let Some(fixes) = judged.fixes {
            self.departures += 1;
            for (count, fix) in self.by_fix.iter_mut().zip(Fix::ALL) {
                *count += u64::from(fixes & fix.bit() != 0);
            }
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
        self.departures += other.departures;
        let findings = self.by_finding.iter_mut().zip(other.by_finding);
        let fixes = self.by_fix.iter_mut().zip(other.by_fix);
        for (count, more) in findings.chain(fixes) {
            *count += more;
        }
    }
}
