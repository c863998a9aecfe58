// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff merge`: keeps few scenarios that show all that many do.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lguest_engine::digest::Fnv;

use super::{MergeArgs, usage};
use crate::corpus::cover::{Candidate, choose, own};
use crate::corpus::feature::{Feature, Features, Look, Observer, what_is_seen};
use crate::corpus::input::{Gathered, Input, gather};
use crate::exit::Exit;
use crate::load::TEXT_EXTENSION;
use crate::recording::place;
use crate::rig::{Hosts, mode_name};
use crate::witness::write_whole;

/// Features that are told of each scenario.
const TOLD: usize = 3;

/// Merges, tells what each stays for, and leaves or writes what stays.
pub fn merge(args: &MergeArgs) -> Exit {
    let look = args.by.into();
    let (gathered, beyond) = match (
        gather(&args.paths, args.mode.map(Into::into)),
        gather(&args.beyond, None),
    ) {
        (Ok(gathered), Ok(beyond)) => (gathered, beyond),
        (Err(error), _) | (_, Err(error)) => return usage(error),
    };
    if let Some(out) = &args.out
        && let Err(error) = empty(out)
    {
        return usage(format!("{}: {error}", out.display()));
    }
    let Gathered {
        inputs,
        unread,
        twice,
    } = gathered;
    if inputs.is_empty() {
        eprintln!("lgdiff: there is nothing to merge");
        return Exit::Nothing;
    }
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let mut observer = Observer::new(&hosts);
    let had: HashSet<u64> = shown(&mut observer, &beyond.inputs, look)
        .into_iter()
        .flatten()
        .collect();
    let shown = shown(&mut observer, &inputs, look);
    let candidates: Vec<Candidate<'_>> = inputs
        .iter()
        .zip(&shown)
        .map(|(input, features)| Candidate {
            features,
            cost: input.cost(),
        })
        .collect();
    let kept = choose(&had, &candidates);
    let sets: Vec<&Features> = kept.iter().map(|at| &shown[*at]).collect();
    let mut lines: Vec<(&Path, String)> = kept
        .iter()
        .zip(own(&had, &sets))
        .map(|(at, own)| (inputs[*at].path.as_path(), reasons(&observer.told(own))))
        .collect();
    let stays: HashSet<usize> = kept.iter().copied().collect();
    let goes = || {
        inputs
            .iter()
            .enumerate()
            .filter(|(at, _)| !stays.contains(at))
            .map(|(_, input)| input.path.as_path())
            .chain(twice.iter().map(PathBuf::as_path))
    };
    lines.extend(goes().map(|path| (path, "adds nothing".to_owned())));
    lines.sort();
    for (path, line) in lines {
        println!("{}: {line}", path.display());
    }
    let all: BTreeSet<&u64> = shown
        .iter()
        .flatten()
        .filter(|id| !had.contains(id))
        .collect();
    if unread != 0 {
        println!("merge: {unread} inputs of the text target are no scenario and are left out");
    }
    println!(
        "merge: {} of {} stay for {} features, {}",
        kept.len(),
        inputs.len() + twice.len(),
        all.len(),
        what_is_seen()
    );
    let written = match (&args.out, args.in_place) {
        (Some(out), _) => kept.iter().try_for_each(|at| copy(&inputs[*at], out)),
        (None, true) => goes().try_for_each(remove),
        (None, false) => Ok(()),
    };
    match written {
        Ok(()) => Exit::Agree,
        Err((path, error)) => usage(format!("{}: {error}", path.display())),
    }
}

fn shown(observer: &mut Observer<'_>, inputs: &[Input], look: Look) -> Vec<Features> {
    let see = |input: &Input| observer.see(&input.scenario, look);
    inputs.iter().map(see).collect()
}

/// What a scenario stays for, in a line.
fn reasons(features: &[&Feature]) -> String {
    let told: Vec<String> = features
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    let more = match features.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("stays for {}{more}", told.join(" | "))
}

/// Whether the folder is there with nothing in it, as it is after this.
fn empty(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match fs::read_dir(folder)?.next() {
        None => Ok(()),
        Some(_) => Err(io::Error::other("not empty; expected an empty folder")),
    }
}

/// Copies a scenario file with its recording, under its own name; an input of a fuzz target goes as canonical bytes into
/// the target's folder, named by them.
fn copy(input: &Input, out: &Path) -> Result<(), (PathBuf, io::Error)> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |error| (path, error)
    };
    if input.raw {
        let bytes = input.scenario.to_bytes();
        let mut digest = Fnv::new();
        digest.bytes(&bytes);
        let folder = out.join(mode_name(input.scenario.machine.mode));
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let path = folder.join(format!("{:016x}", digest.value()));
        return write_whole(&path, &bytes).map_err(failed(&path));
    }
    let name = input.path.file_name().unwrap_or_default();
    let mut to = out.join(name);
    let mut number = 2;
    while to.exists() {
        let stem = input.path.file_stem().unwrap_or_default().to_string_lossy();
        let end = input.path.extension().unwrap_or_default().to_string_lossy();
        to = out.join(format!("{stem}-{number}.{end}"));
        number += 1;
    }
    let recording = place(&input.path);
    if recording.exists() {
        fs::copy(&recording, place(&to)).map_err(failed(&recording))?;
    }
    fs::copy(&input.path, &to).map_err(failed(&to))?;
    Ok(())
}

fn remove(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    fs::remove_file(path).map_err(|error| (path.to_owned(), error))?;
    let recording = place(path);
    if path.extension().is_some_and(|end| end == TEXT_EXTENSION) && recording.exists() {
        fs::remove_file(&recording).map_err(|error| (recording, error))?;
    }
    Ok(())
}
