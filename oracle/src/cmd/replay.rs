// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff replay`: scenario files on both sides, with a verdict each.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lguest_engine::PagingMode;
use lguest_shadow::Fix;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{ReplayArgs, ReplaySubject, reference, usage};
use crate::exit::Exit;
use crate::load::{LoadError, find_all, is_trace, load};
use crate::recording::orphans_told;
use crate::rig::{Hosts, Subject, mode_name, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::verify::{
    OfScenario, Verdict, verify_all, verify_by_recording, verify_hardened, verify_trace,
    verify_trace_on,
};
use crate::witness::write_whole;

/// One scenario in one mode.
pub struct Case {
    /// The file and the mode, as reports name them.
    pub name: String,
    /// How long it took.
    pub time: Duration,
    /// What came of it.
    pub verdict: Verdict,
    /// The hardened port ran, and parted by these fixes.
    pub hardened: Option<u32>,
}

/// The files below all paths, in order.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        files.extend(find_all(path)?);
    }
    Ok(files)
}

/// Replays what the arguments name.
pub fn replay(args: &ReplayArgs, interrupted: &AtomicBool) -> Exit {
    let files = match files(&args.paths) {
        Ok(files) => files,
        Err(error) if error.is_empty_folder() => {
            eprintln!("lgdiff: {error}");
            return Exit::Nothing;
        }
        Err(error) => return usage(error),
    };
    let original = !args.recorded && reference::announce_judge();
    let judge = match (args.subject, args.without) {
        (ReplaySubject::Hardened, _) if !original => {
            return usage("--subject hardened needs the original beside it");
        }
        (ReplaySubject::Hardened, without) => Judge::Hardened(without.unwrap_or(0)),
        (ReplaySubject::Both, None) => Judge::Sides(original),
        (ReplaySubject::Both, Some(_)) => return usage("--without is for --subject hardened"),
    };
    let (exit, cases) = run_files(&files, interrupted, judge, args.quiet);
    let exit = exit.and(orphans_told(&args.paths));
    finish(exit, &cases, "replay", args.junit.as_deref())
}

/// Prints how many agreed, and writes the JUnit file if one is asked for.
pub fn finish(exit: Exit, cases: &[Case], suite: &str, junit: Option<&Path>) -> Exit {
    let passed = cases.iter().filter(|case| case.verdict.passed()).count();
    println!("{suite}: {passed} of {} agree", cases.len());
    let recorded = |case: &&Case| matches!(case.verdict, Verdict::AsRecorded(..));
    let recorded = cases.iter().filter(recorded).count();
    if recorded != 0 {
        println!("{suite}: {recorded} of them by recordings, the original did not run");
    }
    let verified: u64 = cases.iter().map(|case| case.verdict.verified()).sum();
    if verified != 0 {
        println!("{suite}: {verified} recorded results verified on each side");
    }
    if let Some(line) = hardened_line(cases) {
        println!("{suite}: {line}");
    }
    match junit.map(|path| (path, write_whole(path, junit_of(cases, suite).as_bytes()))) {
        Some((path, Err(error))) => exit.and(usage(format!("{}: {error}", path.display()))),
        _ => exit,
    }
}

/// What the hardened port did, if it ran.
fn hardened_line(cases: &[Case]) -> Option<String> {
    let ran: Vec<u32> = cases.iter().filter_map(|case| case.hardened).collect();
    if ran.is_empty() {
        return None;
    }
    let departs = ran.iter().filter(|fixes| **fixes != 0).count();
    let by_fix: Vec<_> = Fix::ALL
        .into_iter()
        .map(|fix| {
            (
                fix,
                ran.iter().filter(|fixes| **fixes & fix.bit() != 0).count(),
            )
        })
        .filter(|(_, count)| *count != 0)
        .map(|(fix, count)| format!("{} {count}", fix.id()))
        .collect();
    let by_fix = match departs {
        0 => String::new(),
        _ => format!(", as fixes explain: {}", by_fix.join(", ")),
    };
    Some(format!(
        "the hardened port ran {} of {} under the oracles: {} as the original does, {departs} depart{by_fix}",
        ran.len(),
        cases.len(),
        ran.len() - departs
    ))
}

/// What scenarios are held to.
#[derive(Clone, Copy)]
pub enum Judge {
    /// Original and port are compared, or without the original, the port is held to the recordings.
    Sides(bool),
    /// The hardened port alone is verified, without the fixes in this mask.
    Hardened(u32),
}

/// Runs files in all their modes; bad input ends it with nothing run.
pub fn run_files(
    files: &[PathBuf],
    interrupted: &AtomicBool,
    judge: Judge,
    quiet: bool,
) -> (Exit, Vec<Case>) {
    let mut inputs = Vec::new();
    for file in files {
        if is_trace(file) {
            inputs.push((file, None));
            continue;
        }
        match load(file) {
            Ok(scenario) => inputs.push((file, Some(scenario))),
            Err(error) => return (usage(error), Vec::new()),
        }
    }
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return (Exit::Rig, Vec::new());
        }
    };
    let (mut exit, mut cases) = (Exit::Agree, Vec::new());
    for (file, scenario) in inputs {
        let mut add = |mode, of: OfScenario, begun: Instant| {
            let OfScenario { verdict, hardened } = of;
            let name = format!("{} [{}]", file.display(), mode_name(mode));
            if !(quiet && verdict.passed()) {
                println!("{name}: {verdict}");
            }
            if matches!(verdict, Verdict::Differ(_) | Verdict::Unexplained(_)) && !is_trace(file) {
                println!(
                    "smaller: cargo run --release -- minimize {}",
                    file.display()
                );
            }
            exit = exit.and(verdict.exit());
            cases.push(Case {
                name,
                time: begun.elapsed(),
                verdict,
                hardened,
            });
        };
        let done = match &scenario {
            Some(scenario) => {
                let judge = |mode| match judge {
                    Judge::Sides(true) => verify_all(&hosts, scenario, mode),
                    Judge::Sides(false) => OfScenario {
                        verdict: verify_by_recording(&hosts, file, scenario, mode),
                        hardened: None,
                    },
                    Judge::Hardened(without) => verify_hardened(&hosts, scenario, mode, without),
                };
                of_scenario(&judge, scenario, interrupted, &mut add)
            }
            None => of_trace(&hosts, file, interrupted, judge, &mut add),
        };
        if done != Exit::Agree {
            return (exit.and(done), cases);
        }
    }
    if !cases.iter().any(|case| case.verdict.tested()) {
        exit = Exit::Nothing;
    }
    (exit, cases)
}

/// Takes the verdict on a mode that was begun then.
type Add<'a> = dyn FnMut(PagingMode, OfScenario, Instant) + 'a;

/// Judges a scenario in each of its modes; why that was broken off, if it was.
fn of_scenario(
    judge: &dyn Fn(PagingMode) -> OfScenario,
    scenario: &ScenarioBuf,
    interrupted: &AtomicBool,
    add: &mut Add<'_>,
) -> Exit {
    for mode in modes(scenario.machine.mode) {
        if interrupted.load(Ordering::Relaxed) {
            return Exit::Interrupted;
        }
        let begun = Instant::now();
        add(*mode, judge(*mode), begun);
    }
    Exit::Agree
}

/// The same for a trace, which is read as it is replayed, and has one mode.
fn of_trace(
    hosts: &Hosts,
    file: &Path,
    interrupted: &AtomicBool,
    judge: Judge,
    add: &mut Add<'_>,
) -> Exit {
    if interrupted.load(Ordering::Relaxed) {
        return Exit::Interrupted;
    }
    let begun = Instant::now();
    let of = match judge {
        Judge::Hardened(without) => verify_trace_on(hosts, file, Subject::Hardened { without }),
        Judge::Sides(_) => verify_trace(hosts, file),
    };
    match of {
        Ok(of) => {
            for (line, note) in &of.notes {
                eprintln!("{}:{line}: {note}", file.display());
            }
            let (verdict, hardened) = (of.verdict, of.hardened);
            add(of.mode, OfScenario { verdict, hardened }, begun);
            Exit::Agree
        }
        Err(error) => usage(error),
    }
}

fn junit_of(cases: &[Case], name: &str) -> String {
    let mut suite = TestSuite::new(name);
    for case in cases {
        let status = if case.verdict.passed() {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(case.verdict.to_string());
            status
        };
        let mut test = TestCase::new(case.name.as_str(), status);
        test.set_time(case.time);
        suite.add_test_case(test);
    }
    let mut report = Report::new("lgdiff");
    report.add_test_suite(suite);
    report.to_string().unwrap_or_default()
}
