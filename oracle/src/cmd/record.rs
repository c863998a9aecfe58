// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff record`: makes the recordings of scenarios anew, or tells which are not as the original does now.

use std::path::Path;

use super::{RecordArgs, reference, usage};
use crate::exit::Exit;
use crate::load::{find, is_binary, load};
use crate::recording::{Recording, hold, of_original, orphans_told, place, read, scenario_digest};
use crate::rig::{Hosts, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::witness::write_whole;

/// Counts of what was done.
#[derive(Default)]
struct Tally {
    same: usize,
    changed: usize,
}

/// Makes or checks the recordings that the arguments name.
pub fn record(args: &RecordArgs) -> Exit {
    if !reference::announce() {
        return Exit::Nothing;
    }
    let pinned = lguest_c_reference::reference().is_some_and(|reference| reference.pinned);
    if !pinned && !args.check {
        return usage("recordings are made of the pinned original alone, and this is another file");
    }
    let mut files = Vec::new();
    for path in &args.paths {
        match find(path) {
            Ok(found) => files.extend(found.into_iter().filter(|file| !is_binary(file))),
            Err(error) if error.is_empty_folder() => eprintln!("lgdiff: {error}"),
            Err(error) => return usage(error),
        }
    }
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let (mut exit, mut tally) = (Exit::Agree, Tally::default());
    exit = exit.and(orphans_told(&args.paths));
    for file in &files {
        let scenario = match load(file) {
            Ok(scenario) => scenario,
            Err(error) => return usage(error),
        };
        let done = if args.check {
            check(&hosts, file, &scenario, &mut tally)
        } else {
            make(&hosts, file, &scenario, &mut tally)
        };
        exit = exit.and(done);
    }
    let what = if args.check {
        "not as they should be"
    } else {
        "made anew"
    };
    println!(
        "record: {} as they were, {} {what}",
        tally.same, tally.changed
    );
    if files.is_empty() {
        exit = exit.and(Exit::Nothing);
    }
    exit
}

/// The recording of a scenario by the original, as text.
fn recorded(hosts: &Hosts, scenario: &ScenarioBuf) -> String {
    let lines = |mode: &_| of_original(hosts, scenario, *mode).map(|lines| (*mode, lines, 0));
    let recording = Recording {
        original: lguest_c_reference::reference()
            .map(|reference| reference.sha256.to_owned())
            .unwrap_or_default(),
        scenario: scenario_digest(scenario),
        modes: modes(scenario.machine.mode)
            .iter()
            .filter_map(lines)
            .collect(),
    };
    recording.to_string()
}

/// Writes the recording of one scenario; of another original than the pinned one there is none to be made.
pub fn one(hosts: &Hosts, file: &Path, scenario: &ScenarioBuf) -> Result<(), String> {
    if !lguest_c_reference::reference().is_some_and(|reference| reference.pinned) {
        return Ok(());
    }
    let path = place(file);
    write_whole(&path, recorded(hosts, scenario).as_bytes())
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a recording, unless it is there as it should be.
fn make(hosts: &Hosts, file: &Path, scenario: &ScenarioBuf, tally: &mut Tally) -> Exit {
    let text = recorded(hosts, scenario);
    if read(file).is_ok_and(|before| before.to_string() == text) {
        tally.same += 1;
        return Exit::Agree;
    }
    let path = place(file);
    match write_whole(&path, text.as_bytes()) {
        Ok(()) => {
            println!("{}", path.display());
            tally.changed += 1;
            Exit::Agree
        }
        Err(error) => usage(format!("{}: {error}", path.display())),
    }
}

/// Holds the original to a recording.
fn check(hosts: &Hosts, file: &Path, scenario: &ScenarioBuf, tally: &mut Tally) -> Exit {
    for mode in modes(scenario.machine.mode) {
        let lines = of_original(hosts, scenario, *mode).unwrap_or_default();
        if let Err(fault) = hold(file, scenario, *mode, "original", &lines) {
            println!("{fault}");
            tally.changed += 1;
            return Exit::Differ;
        }
    }
    tally.same += 1;
    Exit::Agree
}
