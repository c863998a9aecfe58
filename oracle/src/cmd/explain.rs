// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff explain`: a scenario step by step, with what came of each step and what it changed.

use std::io::{self, BufWriter, Write};

use lguest_engine::{Outcome, PagingMode, Runner, Side};
use similar::{ChangeTag, TextDiff};

use super::{ExplainArgs, usage};
use crate::exit::Exit;
use crate::load::load;
use crate::report::{outcome_text, side_text};
use crate::rig::{Hosts, mode_name, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::sim::SimHost;
use crate::text::print;

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
        Some(alone) => show(alone.0, &hosts.original, scenario, to),
        None if pae => show(hosts.port_pae().0, &hosts.port, scenario, to),
        None => show(hosts.port_nopae().0, &hosts.port, scenario, to),
    }
}

fn show<S: Side>(
    mut runner: Runner<S>,
    host: &SimHost,
    scenario: &ScenarioBuf,
    to: &mut impl Write,
) -> io::Result<()> {
    host.keep_log(true);
    match runner.start(&scenario.machine, &mut scenario.pages.iter().copied()) {
        Ok(0) => {}
        Ok(errno) => writeln!(to, "init_guest_pagetable: errno {errno}")?,
        Err(bug) => writeln!(
            to,
            "init_guest_pagetable: the host crashes: {}",
            bug.kind().name()
        )?,
    }
    host.take_log();
    let mut before = side_text(&runner.side, None, &[]);
    write!(to, "{before}")?;
    for (number, step) in scenario.steps.iter().enumerate() {
        let outcome = runner.step(step);
        writeln!(to, "step {}: {}", number + 1, print::step_text(step))?;
        writeln!(to, "  {}", outcome_text(&outcome))?;
        for call in host.take_log() {
            writeln!(to, "  call {call}")?;
        }
        if matches!(outcome, Outcome::Bug(_)) {
            break;
        }
        let after = side_text(&runner.side, None, &[]);
        for change in TextDiff::from_lines(&before, &after).iter_all_changes() {
            match change.tag() {
                ChangeTag::Delete => write!(to, "  - {change}")?,
                ChangeTag::Insert => write!(to, "  + {change}")?,
                ChangeTag::Equal => {}
            }
        }
        before = after;
    }
    host.keep_log(false);
    Ok(())
}
