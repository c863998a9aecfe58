// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff adopt`: a fuzzer's finds become scenarios of a corpus.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::minimize::shown;
use super::{AdoptArgs, check, record, reference, usage};
use crate::corpus::adopt::{Adopted, Adoption, Options, adopt as take_up};
use crate::corpus::feature::{Observer, what_is_seen};
use crate::corpus::input::{Input, gather};
use crate::corpus::name;
use crate::exit::Exit;
use crate::load::TEXT_EXTENSION;
use crate::minimize::Budget;
use crate::rig::Hosts;
use crate::witness::write_whole;

/// Takes up what the finds show beyond the corpora, and writes it with names and recordings.
pub fn adopt(args: &AdoptArgs, interrupted: &AtomicBool) -> Exit {
    if !reference::announce() {
        return Exit::Nothing;
    }
    let corpora = check::corpora();
    let into = args
        .into
        .clone()
        .unwrap_or_else(|| corpora.join("regression"));
    let mut beyond = args.beyond.clone();
    if beyond.is_empty() {
        beyond.push(corpora.join("findings"));
    }
    if into.is_dir() {
        beyond.push(into.clone());
    }
    let (finds, had) = match (
        gather(&args.paths, args.mode.map(Into::into)),
        gather(&beyond, None),
    ) {
        (Ok(finds), Ok(had)) => (finds, had),
        (Err(error), _) | (_, Err(error)) => return usage(error),
    };
    if finds.inputs.is_empty() {
        eprintln!("lgdiff: there is nothing to adopt");
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
    let options = Options {
        look: args.by.into(),
        at_most: args.at_most,
        budget: Budget {
            work: Some(args.work),
            deadline: None,
            interrupted: Some(interrupted),
        },
    };
    let adoption = shown(|say| {
        let mut shown = HashSet::new();
        for input in &had.inputs {
            shown.extend(observer.see(&input.scenario, options.look));
        }
        let progress = |left, done, now: crate::minimize::Progress| {
            say(format!(
                "{left} finds, {done} adopted, {} candidates, {} steps left",
                now.runs, now.steps
            ));
        };
        take_up(&mut observer, &shown, &finds.inputs, &options, &progress)
    });
    let exit = tell(&adoption, &finds.inputs);
    let mut taken: BTreeSet<String> = had
        .inputs
        .iter()
        .filter_map(|input| Some(input.path.file_stem()?.to_str()?.to_owned()))
        .collect();
    for adopted in &adoption.adopted {
        let from = &finds.inputs[adopted.from].path;
        if let Err(error) = keep(args, &observer, &hosts, &into, adopted, from, &mut taken) {
            return exit.and(usage(error));
        }
    }
    println!(
        "adopt: {} of {} finds{}{}, {}",
        adoption.adopted.len(),
        finds.inputs.len() + finds.twice.len(),
        note(adoption.harmful, "cut down to nothing by known harm"),
        note(adoption.left, "more would show something"),
        what_is_seen()
    );
    match adoption.interrupted {
        true => exit.and(Exit::Interrupted),
        false => exit,
    }
}

fn note(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    }
}

/// Tells of finds that are no corpus's business, but a person's.
fn tell(adoption: &Adoption, inputs: &[Input]) -> Exit {
    let mut exit = Exit::Agree;
    for (at, verdict) in &adoption.trouble {
        println!("{}: {verdict}", inputs[*at].path.display());
        exit = exit.and(verdict.exit());
    }
    exit
}

/// Writes one scenario and its recording, and says what it stays for.
fn keep(
    args: &AdoptArgs,
    observer: &Observer<'_>,
    hosts: &Hosts,
    into: &Path,
    adopted: &Adopted,
    from: &Path,
    taken: &mut BTreeSet<String>,
) -> Result<(), String> {
    let stays_for = observer.told(&adopted.own);
    let stem = name::name(&adopted.scenario, &stays_for, taken);
    let path = into.join(stem).with_extension(TEXT_EXTENSION);
    println!(
        "{}: {} steps, stays for {} features, from {}",
        path.display(),
        adopted.scenario.steps.len(),
        stays_for.len(),
        from.display()
    );
    if args.dry_run {
        return Ok(());
    }
    let text = name::text(&adopted.scenario, &stays_for, adopted.minimal);
    let failed = |error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(into).map_err(failed)?;
    write_whole(&path, text.as_bytes()).map_err(failed)?;
    record::one(hosts, &path, &adopted.scenario)
}
