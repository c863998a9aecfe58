// SPDX-License-Identifier: GPL-2.0-or-later
//! Minimizing what a file shows, and keeping what comes of it on disk.

use std::fmt;
use std::io;
use std::path::Path;

use lguest_engine::PagingMode;

use super::sides::{Keep, Same, eye};
use super::{Budget, Minimized, Progress, minimize};
use crate::class::{Class, verb_name};
use crate::findings;
use crate::report::{Divergence, investigate};
use crate::rig::{Hosts, Subject};
use crate::scenario_buf::ScenarioBuf;
use crate::text::print::{self, step_text};
use crate::witness::{repeat, write_whole};

/// A scenario made small, with its class.
pub struct Small {
    /// What it shows.
    pub class: Class,
    /// Steps that it had, up to the trouble or not.
    pub before: usize,
    /// What came of it.
    pub done: Minimized,
}

impl fmt::Display for Small {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.done.scenario.steps.len();
        let how = if self.done.minimal {
            "1-minimal"
        } else {
            "not minimal: time"
        };
        write!(to, "{} steps, {after} left, {how}", self.before)
    }
}

/// Minimizes what a scenario shows to this subject in this mode, the class `want` if it shows several; nothing if it
/// shows nothing.
#[expect(clippy::too_many_arguments, reason = "each is the caller's to say")]
pub fn small(
    hosts: &Hosts,
    subject: Subject,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    keep: Keep,
    want: Option<&Class>,
    budget: &Budget<'_>,
    progress: &dyn Fn(Progress),
) -> Option<Small> {
    let mut scenario = scenario.clone();
    scenario.machine.mode = mode;
    let mut goal = Same::new(
        eye(hosts, subject, mode, &scenario, want)?,
        keep,
        &scenario,
        want,
    )?;
    let done = minimize(&scenario, &mut goal, budget, progress)?;
    // Of a kind that is kept, another class may be what is left.
    let class = goal.class_of(&done.scenario)?;
    Some(Small {
        class,
        before: scenario.steps.len(),
        done,
    })
}

/// What a scenario shows, as a report has it: the class `want`, if it shows several.
pub fn divergence(
    hosts: &Hosts,
    subject: Subject,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    want: Option<&Class>,
) -> Option<Divergence> {
    if subject == Subject::Both
        && let Some(found) = investigate(hosts, scenario, mode)
    {
        return Some(found);
    }
    let seen = eye(hosts, subject, mode, scenario, want)?.see(scenario, want)?;
    let mut text = format!("class {} {}\n", seen.class.id(), seen.class);
    let step = seen.steps.checked_sub(1);
    // What is seen when the guest is destroyed need not have a step of its own.
    if let Some(last) = step.and_then(|step| scenario.steps.get(step))
        && verb_name(Some(last)) == seen.class.verb
    {
        text.push_str(&format!("step {}: {}\n", seen.steps, step_text(last)));
    }
    if let Some(id) = findings::like(&seen.class) {
        text.push_str(&format!("so shows finding {id}\n"));
    }
    if let Some(end) = seen.end {
        text.push_str(&format!("all sides agree: {end}\n"));
    }
    let mut scenario = scenario.clone();
    scenario.machine.mode = mode;
    scenario.steps.truncate(seen.steps);
    Some(Divergence {
        class: seen.class,
        step,
        scenario,
        text,
    })
}

/// Writes a small scenario to `path`, and what it shows beside it.
///
/// # Errors
/// They cannot be written.
pub fn write(
    path: &Path,
    hosts: &Hosts,
    subject: Subject,
    small: &Small,
    origin: &str,
) -> io::Result<()> {
    let scenario = &small.done.scenario;
    let class = &small.class;
    let mut text = format!("# class {} {class}\n", class.id());
    text.push_str(&format!("# {small}\n"));
    for line in origin.lines() {
        text.push_str(&format!("# {line}\n"));
    }
    text.push_str(&print::print(scenario));
    if let Some(found) = divergence(hosts, subject, scenario, scenario.machine.mode, Some(class)) {
        let report = format!("{}repeat: {}\n", found.text, repeat(path, subject));
        write_whole(&path.with_extension("txt"), report.as_bytes())?;
    }
    write_whole(path, text.as_bytes())
}
