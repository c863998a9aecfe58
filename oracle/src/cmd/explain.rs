// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff explain`: a scenario step by step, with what came of each step, what it changed, and what the oracles
//! say of it.

use std::io::{self, BufWriter, Write};

use lguest_engine::{Outcome, PagingMode, Side, Step};
use similar::{ChangeTag, TextDiff};

use super::{ExplainArgs, usage};
use crate::drive::{Alone, Drive, Given, run};
use crate::exit::Exit;
use crate::findings::explains_breach;
use crate::load::load;
use crate::report::{outcome_text, side_text};
use crate::rig::{Hosts, mode_name, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::sim::SimHost;
use crate::text::print;
use crate::watch::{Breach, Often, Watched};

/// Shows a scenario on the original, or on the port if there is no original.
pub fn explain(args: &ExplainArgs) -> Exit {
    let scenario = match load(&args.file) {
        Ok(scenario) => scenario,
        Err(error) => return usage(error),
    };
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let mode = args.mode.map_or(scenario.machine.mode, PagingMode::from);
    let to = &mut BufWriter::new(io::stdout().lock());
    for mode in modes(mode) {
        let shown = show_mode(&hosts, &scenario, *mode, to);
        // A reader that has seen enough closes the pipe; that is no failure.
        if shown.and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    Exit::Agree
}

fn show_mode(
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    to: &mut impl Write,
) -> io::Result<()> {
    let pae = mode == PagingMode::Pae;
    let side = if hosts.original_alone(pae).is_some() {
        "original"
    } else {
        "port"
    };
    writeln!(to, "mode {}, the {side}", mode_name(mode))?;
    match hosts.original_alone(pae) {
        Some(alone) => show(alone, &hosts.original, scenario, to),
        None if pae => show(hosts.port_pae(), &hosts.port, scenario, to),
        None => show(hosts.port_nopae(), &hosts.port, scenario, to),
    }
}

fn show<S: Side<Host = SimHost>>(
    alone: Alone<S>,
    host: &SimHost,
    scenario: &ScenarioBuf,
    to: &mut impl Write,
) -> io::Result<()> {
    host.keep_log(true);
    let mut alone = Watched::new(alone, Often::EachStep);
    let (mut number, mut told) = (0, 0);
    let mut before = String::new();
    let mut shown = Ok(());
    let steps = &mut Given(scenario.steps.iter());
    let run = run(
        &mut alone,
        &scenario.machine,
        &scenario.pages,
        steps,
        |alone, step, outcome| {
            number += 1;
            if shown.is_ok() {
                let side = &alone.view().side;
                shown = show_step(side, host, number, step, outcome, &mut before, to)
                    .and_then(|()| show_breaches(alone.breaches(), &mut told, to));
            }
        },
    );
    host.keep_log(false);
    shown?;
    show_breaches(alone.breaches(), &mut told, to)?;
    match run.end {
        Ok(end) => writeln!(to, "end: {end}"),
        Err(_) => Ok(()),
    }
}

/// What the oracles have told since `told` of it was shown, each with the finding that explains it.
fn show_breaches(breaches: &[Breach], told: &mut usize, to: &mut impl Write) -> io::Result<()> {
    for i in *told..breaches.len() {
        let (kind, what) = breaches[i].oracle.observable(breaches[i].what);
        let (kind, verb, at) = (kind.name(), breaches[i].verb, breaches[i].at);
        let why = match explains_breach(breaches, i) {
            Some(id) => format!("finding {id}"),
            None => "no finding explains it".into(),
        };
        writeln!(to, "  oracles: {kind} {verb}: {what}, at {at:#x}: {why}")?;
    }
    *told = breaches.len();
    Ok(())
}

/// One step: what came of it, the kernel calls (with those of the start before the first), and what it changed.
fn show_step<S: Side>(
    side: &S,
    host: &SimHost,
    number: usize,
    step: &Step,
    outcome: Option<&Outcome>,
    before: &mut String,
    to: &mut impl Write,
) -> io::Result<()> {
    writeln!(to, "step {number}: {}", print::step_text(step))?;
    if let Some(outcome) = outcome {
        writeln!(to, "  {}", outcome_text(outcome))?;
    }
    for call in host.take_log() {
        writeln!(to, "  call {call}")?;
    }
    if matches!(outcome, Some(Outcome::Bug(_))) {
        return Ok(());
    }
    let after = side_text(side, None, &[]);
    for change in TextDiff::from_lines(before.as_str(), after.as_str()).iter_all_changes() {
        match change.tag() {
            ChangeTag::Delete => write!(to, "  - {change}")?,
            ChangeTag::Insert => write!(to, "  + {change}")?,
            ChangeTag::Equal => {}
        }
    }
    *before = after;
    Ok(())
}
