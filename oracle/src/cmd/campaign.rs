// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff campaign`: progress on a terminal, a summary, JSON.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lguest_engine::PagingMode;

use super::{CampaignArgs, reference, summary, usage};
use crate::campaign::{Options, Report, campaign as run};
use crate::exit::Exit;
use crate::rig::Subject;

/// Runs the campaign that the arguments describe.
pub fn campaign(args: &CampaignArgs, interrupted: &AtomicBool) -> Exit {
    let subject = match args.subject.with(args.without) {
        Ok(subject) => subject,
        Err(error) => return usage(error),
    };
    if !reference::announce() && subject != Subject::Faithful {
        return Exit::Nothing;
    }
    let time = match (args.seconds, args.scenarios) {
        (None, None) => Some(10.0),
        (seconds, _) => seconds,
    };
    let options = Options {
        mode: args.mode.into(),
        time: time.map(Duration::from_secs_f64),
        scenarios: args.scenarios,
        seed: args.seed,
        threads: args.threads.map_or_else(cpus, usize::from),
        profile: args.profile,
        subject,
        stop_at_first: args.stop_at_first,
        folder: args.out.clone(),
    };
    match with_progress(&options, interrupted) {
        Ok(report) => {
            let exit = exit_of(&report);
            if args.json {
                println!("{}", summary::json(&options, &report, exit));
            } else {
                summary::print(&options, &report);
            }
            exit
        }
        Err(error) => usage(format!(
            "{}: cannot be written to: {error}",
            options.folder.display()
        )),
    }
}

/// One thread for each CPU.
fn cpus() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The campaign that is part of `check`.
pub fn short(seconds: f64, folder: PathBuf) -> Options {
    Options {
        mode: PagingMode::Both,
        time: Some(Duration::from_secs_f64(seconds)),
        scenarios: None,
        seed: 1,
        threads: cpus(),
        profile: None,
        subject: Subject::Both,
        stop_at_first: false,
        folder,
    }
}

/// Runs a campaign with a bar on stderr, which shows on terminals alone.
pub fn with_progress(options: &Options, interrupted: &AtomicBool) -> std::io::Result<Report> {
    let bar = match (options.scenarios, options.time) {
        (Some(scenarios), _) => ProgressBar::new(scenarios),
        (None, Some(time)) => ProgressBar::new(time.as_millis() as u64),
        (None, None) => ProgressBar::new_spinner(),
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let report = run(
        options,
        interrupted,
        &|line| bar.suspend(|| eprintln!("{line}")),
        &|scenarios, elapsed| {
            bar.set_position(if options.scenarios.is_some() {
                scenarios
            } else {
                elapsed.as_millis() as u64
            });
            bar.set_message(format!("{scenarios} scenarios"));
        },
    );
    bar.finish_and_clear();
    report
}

/// The exit code for a report.
pub fn exit_of(report: &Report) -> Exit {
    let mut exit = Exit::Agree;
    if !report.failures.is_empty() {
        report
            .failures
            .iter()
            .for_each(|failure| eprintln!("lgdiff: the rig failed: {failure}"));
        exit = exit.and(Exit::Rig);
    }
    if !report.classes.is_empty() {
        exit = exit.and(Exit::Differ);
    }
    if report.interrupted {
        exit = exit.and(Exit::Interrupted);
    }
    if report.tallies.iter().all(|(_, tally)| tally.steps == 0) {
        exit = exit.and(Exit::Nothing);
    }
    exit
}
