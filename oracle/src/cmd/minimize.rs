// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff minimize`: the smallest scenario that shows what a file shows.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lguest_engine::PagingMode;

use super::{Emit, MinimizeArgs, reference, usage};
use crate::exit::Exit;
use crate::load::{is_packed, load};
use crate::minimize::keep::{Small, divergence, small, write};
use crate::minimize::{Budget, emit};
use crate::rig::{Hosts, Subject, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::verify::verify;
use crate::witness::{Witnesses, repeat, write_whole};

/// Minimizes what the file shows in the first of its modes in which it shows anything.
pub fn minimize(args: &MinimizeArgs, interrupted: &AtomicBool) -> Exit {
    let scenario = match load(&args.file) {
        Ok(scenario) => scenario,
        Err(error) => return usage(error),
    };
    if !reference::announce() {
        return Exit::Nothing;
    }
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let mode = args.mode.map_or(scenario.machine.mode, PagingMode::from);
    let found = modes(mode)
        .iter()
        .find_map(|mode| with_progress(args, &hosts, &scenario, *mode, interrupted));
    let Some(small) = found else {
        println!(
            "{}: all agree, and nothing harms the host: there is nothing to minimize",
            args.file.display()
        );
        return Exit::Agree;
    };
    match keep(args, &hosts, &small) {
        Ok(()) => exit_of(&hosts, &small, interrupted),
        Err((path, error)) => usage(format!("{}: {error}", path.display())),
    }
}

/// As for a replay of what is left: a difference is one, harm that the file expects is none.
fn exit_of(hosts: &Hosts, small: &Small, interrupted: &AtomicBool) -> Exit {
    let scenario = &small.done.scenario;
    let exit = verify(hosts, scenario, scenario.machine.mode).exit();
    if interrupted.load(Ordering::Relaxed) {
        return exit.and(Exit::Interrupted);
    }
    exit
}

fn with_progress(
    args: &MinimizeArgs,
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    interrupted: &AtomicBool,
) -> Option<Small> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let budget = Budget {
        work: None,
        deadline: Instant::now().checked_add(Duration::from_secs_f64(args.seconds)),
        interrupted: Some(interrupted),
    };
    let small = small(
        hosts,
        Subject::Both,
        scenario,
        mode,
        args.keep.into(),
        None,
        &budget,
        &|progress| {
            bar.set_message(format!(
                "{} candidates, {} steps left",
                progress.runs, progress.steps
            ));
            bar.tick();
        },
    );
    bar.finish_and_clear();
    small
}

/// Writes what was asked for, and other classes that were met.
fn keep(
    args: &MinimizeArgs,
    hosts: &Hosts,
    small: &Small,
) -> Result<(), (PathBuf, std::io::Error)> {
    let out = args.output.clone().unwrap_or_else(|| beside(&args.file));
    let class = &small.class;
    match args.emit {
        Emit::Scn => {
            let name = args.file.file_name().unwrap_or_default().display();
            let origin = format!("minimized from {name}");
            write(&out, hosts, Subject::Both, small, &origin).map_err(|e| (out.clone(), e))?;
            println!("{} {class}", class.id());
            println!("{small}, {} candidates", small.done.runs);
            println!("  {}", repeat(&out, Subject::Both));
        }
        Emit::Rust => {
            let text = emit::rust(&small.done.scenario, &class.to_string());
            eprintln!("lgdiff: {} {class}: {small}", class.id());
            match &args.output {
                Some(out) => {
                    write_whole(out, text.as_bytes()).map_err(|e| (out.clone(), e))?;
                }
                None => print!("{text}"),
            }
        }
    }
    others(&out, hosts, small)
}

/// Each other class that was met, as a campaign keeps it.
fn others(out: &Path, hosts: &Hosts, small: &Small) -> Result<(), (PathBuf, std::io::Error)> {
    if small.done.others.is_empty() {
        return Ok(());
    }
    let folder = out.with_extension("others");
    let failed = |error| (folder.clone(), error);
    let mut witnesses = Witnesses::new(&folder, Subject::Both).map_err(failed)?;
    let mode = small.done.scenario.machine.mode;
    for (class, scenario) in &small.done.others {
        let Some(found) = divergence(hosts, Subject::Both, scenario, mode, Some(class)) else {
            continue;
        };
        let origin = format!("met while {} was minimized", small.class.id());
        let path = witnesses.met(0, &found, &origin).map_err(failed)?;
        eprintln!(
            "met on the way: {} {class}\n  {}",
            class.id(),
            repeat(&path, Subject::Both)
        );
    }
    Ok(())
}

/// Where the result goes if nothing else was said: `a.scn` and `a.scn.gz` to `a.min.scn`.
fn beside(file: &Path) -> PathBuf {
    let inner = if is_packed(file) {
        file.with_extension("")
    } else {
        file.to_owned()
    };
    inner.with_extension("min.scn")
}
