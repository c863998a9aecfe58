// SPDX-License-Identifier: GPL-2.0-or-later
//! The verdict on a scenario file: do original and port agree, and did it come as the file expects?

use std::fmt;

use lguest_engine::{Care, PagingMode};

use crate::drive::{Counts, End, Given, run};
use crate::findings;
use crate::report::{Divergence, investigate};
use crate::rig::Hosts;
use crate::scenario_buf::ScenarioBuf;

/// What became of a scenario in one mode.
pub enum Verdict {
    /// It came as expected.
    Pass(Counts, End),
    /// The sides differ.
    Differ(Box<Divergence>),
    /// The sides agree, but it should do harm to the host, as a finding says, and does not.
    FindingGone(End),
    /// The sides agree, and it does harm to the host that the file does not name.
    Unexplained(End),
    /// The sides differed, and did not when run again: the rig is broken.
    Unsteady,
    /// There is no original to compare with.
    NoOriginal,
}

impl Verdict {
    /// It came as expected.
    pub fn passed(&self) -> bool {
        matches!(self, Verdict::Pass(..))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass(counts, end) => write!(to, "agree: {} steps, {end}", counts.steps),
            Verdict::Differ(found) => write!(to, "DIFFER\n{}", found.text),
            Verdict::FindingGone(end) => write!(to, "the finding does not show: {end}"),
            Verdict::Unexplained(end) => {
                write!(to, "harm to the host that no finding explains: {end}")
            }
            Verdict::Unsteady => {
                write!(to, "differed once and not again: the rig itself is broken")
            }
            Verdict::NoOriginal => write!(to, "there is no original to compare with"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Lived => write!(to, "the guest lived"),
            End::Killed => write!(to, "the guest was killed"),
            End::Bug(bug) => write!(to, "the host crashes ({})", bug.kind().name()),
            End::NoGuest(errno, left) => {
                write!(
                    to,
                    "no guest (errno {errno}); left: {} tables, {} references",
                    left.tables, left.references
                )
            }
            End::Breach(left, _) => write!(
                to,
                "left behind: {} tables, {} references",
                left.tables, left.references
            ),
        }
    }
}

/// Runs a scenario on both sides in one mode, with everything compared after each step.
pub fn verify(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Verdict {
    let steps = &mut Given(scenario.steps.iter());
    let (machine, pages) = (&scenario.machine, &scenario.pages);
    let run = match mode {
        PagingMode::Pae => hosts
            .pae(Care::Full)
            .map(|mut both| run(&mut both, machine, pages, steps, |_, _, _| {})),
        _ => hosts
            .nopae(Care::Full)
            .map(|mut both| run(&mut both, machine, pages, steps, |_, _, _| {})),
    };
    let Some(run) = run else {
        return Verdict::NoOriginal;
    };
    let end = match run.end {
        Ok(end) => end,
        Err(_) => {
            return investigate(hosts, scenario, mode)
                .map_or(Verdict::Unsteady, |found| Verdict::Differ(Box::new(found)));
        }
    };
    match scenario.machine.expect.id() {
        None if findings::harms(&end) => Verdict::Unexplained(end),
        Some(id) if !findings::shows(id, &end) => Verdict::FindingGone(end),
        _ => Verdict::Pass(run.counts, end),
    }
}
