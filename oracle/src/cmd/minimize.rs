// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff minimize`: the smallest scenario that shows what a file shows.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lguest_engine::PagingMode;

use super::{Emit, KeepArg, MinimizeArgs, reference, usage};
use crate::corpus::feature::{Observer, what_is_seen};
use crate::corpus::goal::{Showing, trouble};
use crate::corpus::input::gather;
use crate::exit::Exit;
use crate::load::{is_packed, load};
use crate::minimize::keep::{Small, divergence, small, write};
use crate::minimize::sides::Keep;
use crate::minimize::{Budget, Progress, emit};
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
    if !args.beyond.is_empty() && !matches!(args.keep, KeepArg::Cover) {
        return usage("--beyond is for --keep cover");
    }
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
    let keep_of = match args.keep {
        KeepArg::Class => Keep::Class,
        KeepArg::Breach => Keep::Breach,
        KeepArg::Cover => {
            let mut scenario = scenario;
            scenario.machine.mode = mode;
            return cover(args, &hosts, &scenario, interrupted);
        }
    };
    let found = modes(mode)
        .iter()
        .find_map(|mode| with_progress(args, &hosts, &scenario, *mode, keep_of, interrupted));
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

fn budget<'a>(args: &MinimizeArgs, interrupted: &'a AtomicBool) -> Budget<'a> {
    Budget {
        work: None,
        deadline: Instant::now().checked_add(Duration::from_secs_f64(args.seconds)),
        interrupted: Some(interrupted),
    }
}

/// Does something that takes time, and shows how far it has come.
pub(super) fn shown<T>(does: impl FnOnce(&dyn Fn(String)) -> T) -> T {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let done = does(&|message| {
        bar.set_message(message);
        bar.tick();
    });
    bar.finish_and_clear();
    done
}

fn told(progress: Progress) -> String {
    format!(
        "{} candidates, {} steps left",
        progress.runs, progress.steps
    )
}

fn with_progress(
    args: &MinimizeArgs,
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    keep: Keep,
    interrupted: &AtomicBool,
) -> Option<Small> {
    let budget = budget(args, interrupted);
    shown(|say| {
        let progress = |progress| say(told(progress));
        small(
            hosts,
            Subject::Both,
            scenario,
            mode,
            keep,
            None,
            &budget,
            &progress,
        )
    })
}

/// Makes the scenario small as long as it shows all that it shows, or all beyond the other corpora.
fn cover(
    args: &MinimizeArgs,
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    interrupted: &AtomicBool,
) -> Exit {
    let look = args.by.into();
    let others = match gather(&args.beyond, None) {
        Ok(gathered) => gathered.inputs,
        Err(error) => return usage(error),
    };
    if let Some(verdict) = trouble(hosts, scenario) {
        println!("{}: {verdict}", args.file.display());
        return verdict.exit();
    }
    let mut observer = Observer::new(hosts);
    let mut wanted = observer.see(scenario, look);
    for other in others.iter().filter(|other| other.scenario != *scenario) {
        let had = observer.see(&other.scenario, look);
        wanted.retain(|id| !had.contains(id));
    }
    eprintln!("lgdiff: {}", what_is_seen());
    if wanted.is_empty() {
        println!(
            "{}: shows nothing beyond the other corpora: there is nothing to keep",
            args.file.display()
        );
        return Exit::Agree;
    }
    let features = wanted.len();
    let mut goal = Showing {
        observer: &mut observer,
        look,
        wanted,
    };
    let budget = budget(args, interrupted);
    let small = shown(|say| {
        crate::minimize::minimize(scenario, &mut goal, &budget, &|progress| {
            say(told(progress));
        })
    });
    let Some(small) = small else {
        eprintln!("lgdiff: it does not show again what it showed");
        return Exit::Rig;
    };
    let out = args.output.clone().unwrap_or_else(|| beside(&args.file));
    let how = if small.minimal {
        "1-minimal"
    } else {
        "not minimal: time"
    };
    let what = format!(
        "{} steps, {} left, {how}",
        scenario.steps.len(),
        small.scenario.steps.len()
    );
    let text = match args.emit {
        Emit::Scn => {
            let name = args.file.file_name().unwrap_or_default().display();
            let kept = format!("# keeps {features} features\n# {what}\n# minimized from {name}\n");
            kept + &crate::text::print(&small.scenario)
        }
        Emit::Rust => emit::rust(&small.scenario, &format!("keeps {features} features")),
    };
    if let (Emit::Rust, None) = (args.emit, &args.output) {
        print!("{text}");
    } else if let Err(error) = write_whole(&out, text.as_bytes()) {
        return usage(format!("{}: {error}", out.display()));
    } else {
        println!("{what}, {} candidates, {features} features", small.runs);
        println!("  {}", repeat(&out, Subject::Both));
    }
    if interrupted.load(Ordering::Relaxed) {
        return Exit::Interrupted;
    }
    Exit::Agree
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
