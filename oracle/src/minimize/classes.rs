// SPDX-License-Identifier: GPL-2.0-or-later
//! The end of a campaign: the lowest witness of each class is minimized, on a budget of its own.
//!
//! A class's work is bounded in steps run, not in time, and each is done alone: so that what comes of it does not
//! depend on the machine, on the number of threads, or on which class is done first. A campaign that was given a
//! time has it bounded too.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use lguest_engine::PagingMode;

use super::keep::{Small, divergence, small, write};
use super::sides::Keep;
use super::{Budget, CLASS_WORK};
use crate::class::Class;
use crate::load::load;
use crate::rig::{Hosts, Subject, mode_name, modes};
use crate::witness::{Minimal, Witnesses, repeat};

/// How the classes of a campaign are minimized.
pub struct Options<'a> {
    /// What ran.
    pub subject: Subject,
    /// Threads; at least one.
    pub threads: usize,
    /// Time, if it is bounded.
    pub deadline: Option<Instant>,
    /// Set from outside to make an end.
    pub interrupted: &'a AtomicBool,
    /// Work for a class; [`CLASS_WORK`] in campaigns.
    pub work: u64,
}

impl<'a> Options<'a> {
    /// Those of a campaign.
    pub fn new(
        subject: Subject,
        threads: usize,
        deadline: Option<Instant>,
        interrupted: &'a AtomicBool,
    ) -> Self {
        Options {
            subject,
            threads,
            deadline,
            interrupted,
            work: CLASS_WORK,
        }
    }
}

/// A class, the scenario number of its lowest witness, and that witness.
type Job = (Class, u64, PathBuf);

/// Minimizes the lowest witness of each class to `DIR/CLASS/minimal.scn`, and takes up classes that were met on the
/// way; what could not be done is told in `fail`.
pub fn all(
    options: &Options<'_>,
    witnesses: &mut Witnesses,
    announce: &(dyn Fn(&str) + Sync),
    fail: &mut dyn FnMut(String),
) {
    let lowest = |(class, record): (&Class, &crate::witness::ClassRecord)| {
        let (index, path) = record.files.first()?;
        Some((class.clone(), *index, path.clone()))
    };
    let jobs: Vec<Job> = witnesses.classes.iter().filter_map(lowest).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..options.threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = catch_unwind(AssertUnwindSafe(|| one(options, job)))
                        .unwrap_or_else(|_| Err("the minimizer panicked".into()));
                    done.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .insert(job.0.clone(), result);
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for (class, index, path) in jobs {
        let result = done.remove(&class).unwrap_or(Ok(None));
        let kept = result.and_then(|result| {
            let Some(small) = result else { return Ok(()) };
            keep(options, witnesses, &class, index, &path, small, announce)
        });
        if let Err(why) = kept {
            fail(format!("cannot minimize {}: {why}", path.display()));
        }
    }
}

fn hosts() -> Result<Hosts, String> {
    Hosts::new().map_err(|error| format!("no room for a simulated host: {error}"))
}

fn mode_of(class: &Class) -> PagingMode {
    modes(PagingMode::Both)
        .iter()
        .copied()
        .find(|mode| mode_name(*mode) == class.mode)
        .unwrap_or(PagingMode::NoPae)
}

/// Minimizes a witness; nothing if there was no time to begin.
fn one(options: &Options<'_>, (class, _, path): &Job) -> Result<Option<Small>, String> {
    let late = options
        .deadline
        .is_some_and(|deadline| Instant::now() >= deadline);
    if late || options.interrupted.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let scenario = load(path).map_err(|error| error.to_string())?;
    let budget = Budget {
        work: Some(options.work),
        deadline: options.deadline,
        interrupted: Some(options.interrupted),
    };
    let (hosts, mode) = (hosts()?, mode_of(class));
    let small = small(
        &hosts,
        options.subject,
        &scenario,
        mode,
        Keep::Class,
        Some(class),
        &budget,
        &|_| {},
    )
    .ok_or("it shows nothing when run again")?;
    if small.class != *class {
        return Err(format!("run again, it shows {}", small.class));
    }
    Ok(Some(small))
}

/// Writes down what came of a class.
fn keep(
    options: &Options<'_>,
    witnesses: &mut Witnesses,
    class: &Class,
    index: u64,
    path: &std::path::Path,
    small: Small,
    announce: &(dyn Fn(&str) + Sync),
) -> Result<(), String> {
    let (hosts, mode) = (hosts()?, mode_of(class));
    let file = path.with_file_name("minimal.scn");
    let name = path.file_name().unwrap_or_default().display();
    let origin = format!("minimized from {name}");
    write(&file, &hosts, options.subject, &small, &origin).map_err(|error| error.to_string())?;
    announce(&format!(
        "{} {small}\n  {}",
        class.id(),
        repeat(&file, options.subject)
    ));
    if let Some(record) = witnesses.classes.get_mut(class) {
        record.minimal = Some(Minimal {
            file,
            steps: small.done.scenario.steps.len(),
            whole: small.done.minimal,
        });
    }
    for (other, scenario) in &small.done.others {
        if witnesses.classes.contains_key(other) {
            continue;
        }
        let found = divergence(&hosts, options.subject, scenario, mode, Some(other))
            .filter(|found| found.class == *other)
            .ok_or_else(|| format!("{other} does not show again"))?;
        let origin = format!("met while {} was minimized", class.id());
        let added = witnesses
            .met(index, &found, &origin)
            .map_err(|error| error.to_string())?;
        announce(&format!(
            "{} {other}\n  {}",
            other.id(),
            repeat(&added, options.subject)
        ));
    }
    Ok(())
}
