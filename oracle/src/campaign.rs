// SPDX-License-Identifier: GPL-2.0-or-later
//! Campaigns: scenarios generated and run on several threads, each difference kept on disk.
//!
//! Scenario `i` depends on seed, profile and `i` alone, so that which thread runs it does not matter.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lguest_engine::{Care, Left, PagingMode, Step};

use crate::class::{Class, Kind};
use crate::drive::{Drive, End, Run, run};
use crate::findings::{explains, unexplained};
use crate::generate::{Generator, Profile};
use crate::report::{Divergence, investigate};
use crate::rig::{Hosts, Subject, mode_name, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::tally::Tally;
use crate::watch::{Breach, Often, Watchable, Watched};
use crate::witness::{ClassRecord, Witnesses, repeat};

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The paging modes.
    pub mode: PagingMode,
    /// It ends after this time, if that is set,
    pub time: Option<Duration>,
    /// or when scenarios with numbers below this are done.
    pub scenarios: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// Threads; at least one.
    pub threads: usize,
    /// One profile, or all of them in turn.
    pub profile: Option<Profile>,
    /// What runs.
    pub subject: Subject,
    /// It ends at the first difference.
    pub stop_at_first: bool,
    /// Where witnesses go.
    pub folder: PathBuf,
}

/// What came of a campaign.
#[derive(Debug)]
pub struct Report {
    /// Counts, two-level paging first.
    pub tallies: [(PagingMode, Tally); 2],
    /// The classes of difference.
    pub classes: Vec<(Class, ClassRecord)>,
    /// Wall time.
    pub elapsed: Duration,
    /// It was interrupted.
    pub interrupted: bool,
    /// The rig failed: what it said.
    pub failures: Vec<String>,
}

/// What the threads share.
struct Shared<'a> {
    options: &'a Options,
    next: AtomicU64,
    done: AtomicU64,
    stop: AtomicBool,
    deadline: Option<Instant>,
    witnesses: Mutex<Witnesses>,
    failures: Mutex<Vec<String>>,
    announce: &'a (dyn Fn(&str) + Sync),
}

impl Shared<'_> {
    fn fail(&self, why: String) {
        self.stop.store(true, Ordering::Relaxed);
        lock(&self.failures).push(why);
    }

    fn take(&self, interrupted: &AtomicBool) -> Option<u64> {
        let late = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        if late || self.stop.load(Ordering::Relaxed) || interrupted.load(Ordering::Relaxed) {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.options.scenarios.unwrap_or(u64::MAX)).then_some(index)
    }
}

/// A lock whose holder panicked still guards whole data: each change is one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Runs a campaign. `announce` gets each line that a person should see at once; `progress` is called now and then
/// with the number of scenarios done.
///
/// # Errors
/// The folder for witnesses cannot be written to.
pub fn campaign(
    options: &Options,
    interrupted: &AtomicBool,
    announce: &(dyn Fn(&str) + Sync),
    progress: &dyn Fn(u64, Duration),
) -> std::io::Result<Report> {
    let begun = Instant::now();
    let shared = Shared {
        options,
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        deadline: options.time.and_then(|time| begun.checked_add(time)),
        witnesses: Mutex::new(Witnesses::new(&options.folder)?),
        failures: Mutex::default(),
        announce,
    };
    let mut tallies = [
        (PagingMode::NoPae, Tally::default()),
        (PagingMode::Pae, Tally::default()),
    ];
    thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1))
            .map(|_| {
                scope.spawn(|| {
                    catch_unwind(AssertUnwindSafe(|| worker(&shared, interrupted))).unwrap_or_else(
                        |_| {
                            shared.fail("a worker panicked".into());
                            [Tally::default(); 2]
                        },
                    )
                })
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            progress(shared.done.load(Ordering::Relaxed), begun.elapsed());
            thread::sleep(Duration::from_millis(20));
        }
        for worker in workers {
            if let Ok(of_worker) = worker.join() {
                for ((_, tally), more) in tallies.iter_mut().zip(&of_worker) {
                    tally.sum(more);
                }
            }
        }
    });
    let witnesses = shared
        .witnesses
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Report {
        tallies,
        classes: witnesses.classes.into_iter().collect(),
        elapsed: begun.elapsed(),
        interrupted: interrupted.load(Ordering::Relaxed),
        failures: shared
            .failures
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    })
}

fn worker(shared: &Shared<'_>, interrupted: &AtomicBool) -> [Tally; 2] {
    let mut tallies = [Tally::default(); 2];
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            shared.fail(format!("no room for a simulated host: {error}"));
            return tallies;
        }
    };
    let mut bench = Bench::default();
    match shared.options.subject {
        Subject::Both => {
            let (Some(nopae), Some(pae)) = (hosts.nopae(Care::Cheap), hosts.pae(Care::Cheap))
            else {
                shared.fail("this program was built without the original".into());
                return tallies;
            };
            bench.work(shared, interrupted, &hosts, &mut tallies, nopae, pae);
        }
        Subject::Original => {
            let (Some(nopae), Some(pae)) =
                (hosts.original_alone(false), hosts.original_alone(true))
            else {
                shared.fail("this program was built without the original".into());
                return tallies;
            };
            bench.work(shared, interrupted, &hosts, &mut tallies, nopae, pae);
        }
        Subject::Faithful => {
            let (nopae, pae) = (hosts.port_nopae(), hosts.port_pae());
            bench.work(shared, interrupted, &hosts, &mut tallies, nopae, pae);
        }
    }
    tallies
}

/// The turn that profiles take. A guest at work is what hostile steps are told from, and reaches deepest.
const TURN: [Profile; 5] = [
    Profile::Boot,
    Profile::Mixed,
    Profile::Boot,
    Profile::Chaos,
    Profile::Boot,
];

/// The profile of scenario `index`: the one that was chosen, or the one whose turn it is.
pub fn profile_of(chosen: Option<Profile>, index: u64) -> Profile {
    chosen.unwrap_or(TURN[index as usize % TURN.len()])
}

/// What a worker uses again and again.
#[derive(Default)]
struct Bench {
    generator: Option<Generator>,
    steps: Vec<Step>,
    /// What the oracles told of the scenario.
    breaches: Vec<Breach>,
}

impl Bench {
    /// Works under the oracles.
    fn work<N: Watchable, P: Watchable>(
        &mut self,
        shared: &Shared<'_>,
        interrupted: &AtomicBool,
        hosts: &Hosts,
        tallies: &mut [Tally; 2],
        nopae: N,
        pae: P,
    ) {
        let nopae = &mut Watched::new(nopae, Often::AtTimes);
        let pae = &mut Watched::new(pae, Often::AtTimes);
        while let Some(index) = shared.take(interrupted) {
            for mode in modes(shared.options.mode) {
                let run = match mode {
                    PagingMode::Pae => self.one(shared, index, *mode, pae),
                    _ => self.one(shared, index, *mode, nopae),
                };
                tallies[usize::from(*mode == PagingMode::Pae)].add(&run, &self.breaches);
                self.keep(shared, hosts, index, *mode, &run);
            }
            shared.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn one<D: Drive>(
        &mut self,
        shared: &Shared<'_>,
        index: u64,
        mode: PagingMode,
        drive: &mut D,
    ) -> Run {
        let profile = profile_of(shared.options.profile, index);
        let seed = shared.options.seed;
        let generator = match &mut self.generator {
            Some(generator) => {
                generator.reset(seed, profile, index, mode);
                generator
            }
            none => none.insert(Generator::new(seed, profile, index, mode)),
        };
        self.steps.clear();
        let steps = &mut self.steps;
        let machine = generator.machine;
        let pages = std::mem::take(&mut generator.pages);
        let run = run(drive, &machine, &pages, generator, |_, step, _| {
            steps.push(*step)
        });
        generator.pages = pages;
        self.breaches.clear();
        self.breaches.extend_from_slice(drive.breaches());
        run
    }

    /// Writes down a difference or a breach, before anything else is done.
    fn keep(&self, shared: &Shared<'_>, hosts: &Hosts, index: u64, mode: PagingMode, run: &Run) {
        let scenario = || {
            let generator = self.generator.as_ref();
            let mut scenario = ScenarioBuf::new(generator.map(|g| g.machine).unwrap_or_default());
            scenario.pages = generator.map(|g| g.pages.clone()).unwrap_or_default();
            scenario.steps.clone_from(&self.steps);
            scenario
        };
        let found = match &run.end {
            Err((step, difference)) => match investigate(hosts, &scenario(), mode) {
                Some(found) => found,
                None => {
                    let what = format!(
                        "scenario {index}, step {step:?}: {difference:?}, not seen again when run slowly"
                    );
                    let class = Class {
                        mode: mode_name(mode),
                        kind: Kind::Diff,
                        verb: "scenario",
                        observable: "seen once".into(),
                    };
                    shared.fail(what.clone());
                    Divergence {
                        class,
                        step: *step,
                        scenario: scenario(),
                        text: what,
                    }
                }
            },
            // What is left was told before, at the step that it comes of; a crash was told too.
            Ok(end @ End::Breach(left, _))
                if explains(end).is_none() && self.breaches.is_empty() =>
            {
                breach(mode, *left, scenario())
            }
            Ok(_) => {
                for breach in unexplained(&self.breaches) {
                    self.witness(shared, index, &of_breach(mode, breach, scenario()));
                }
                return;
            }
        };
        self.witness(shared, index, &found);
    }

    /// Writes down one thing that was found.
    fn witness(&self, shared: &Shared<'_>, index: u64, found: &Divergence) {
        let options = shared.options;
        let profile = profile_of(options.profile, index).name();
        let origin = format!(
            "campaign --seed {} --profile {profile}, scenario {index}",
            options.seed
        );
        let added = lock(&shared.witnesses).add(index, found, &origin);
        match added {
            Ok(Some(path)) => (shared.announce)(&format!(
                "{} {}
  {}",
                found.class.id(),
                found.class,
                repeat(&path)
            )),
            Ok(None) => {}
            Err(error) => shared.fail(format!(
                "cannot write a witness of {}: {error}",
                found.class
            )),
        }
        if options.stop_at_first {
            shared.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A breach as something to keep: the scenario up to the step at which it was told.
fn of_breach(mode: PagingMode, breach: &Breach, mut scenario: ScenarioBuf) -> Divergence {
    scenario.machine.mode = mode;
    scenario
        .steps
        .truncate(breach.step.map_or(0, |step| step + 1));
    Divergence {
        class: breach.class(mode),
        step: breach.step,
        scenario,
        text: breach.text(mode),
    }
}

fn breach(mode: PagingMode, left: Left, mut scenario: ScenarioBuf) -> Divergence {
    let what = match (left.tables, left.references) {
        (0, _) => "references are left",
        (_, 0) => "tables are left",
        _ => "tables and references are left",
    };
    let class = Class {
        mode: mode_name(mode),
        kind: Kind::Breach,
        verb: "destroy",
        observable: what.into(),
    };
    scenario.machine.mode = mode;
    let text = format!(
        "class {} {class}\nafter destruction: {} tables, {} references\n",
        class.id(),
        left.tables,
        left.references
    );
    Divergence {
        step: None,
        class,
        scenario,
        text,
    }
}
