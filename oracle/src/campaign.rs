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

use lguest_engine::{Care, PagingMode, Step};
use lguest_shadow::{Hardened, Mixed, NoPae, Pae, Policy};

use crate::class::Class;
use crate::drive::{Drive, End, Run, run};
use crate::generate::{Generator, Profile};
use crate::hardened::{Did, Judged, judge};
use crate::harm::Crashed;
use crate::minimize::classes;
use crate::report::{Divergence, investigate};
use crate::rig::{Hosts, Subject, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::tally::Tally;
use crate::watch::{Breach, Often, Watchable, Watched};
use crate::witness::{ClassRecord, Witnesses, repeat};
use crate::wrong::wrongs;

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

/// What a campaign that was given a time may spend on minimizing, beside a tenth of its own.
const MINIMIZING: Duration = Duration::from_secs(5);

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
        witnesses: Mutex::new(Witnesses::new(&options.folder, options.subject)?),
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
    let mut witnesses = shared
        .witnesses
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut failures = shared
        .failures
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let elapsed = begun.elapsed();
    // A campaign with an end in time has one here too: a tenth more, and some seconds.
    let extra = options.time.map(|_| elapsed / 10 + MINIMIZING);
    classes::all(
        &classes::Options::new(
            options.subject,
            options.threads,
            extra.and_then(|extra| Instant::now().checked_add(extra)),
            interrupted,
        ),
        &mut witnesses,
        announce,
        &mut |why| failures.push(why),
    );
    Ok(Report {
        tallies,
        classes: witnesses.classes.into_iter().collect(),
        elapsed,
        interrupted: interrupted.load(Ordering::Relaxed),
        failures,
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
        Subject::Hardened { without: 0 } => {
            bench.work_hardened(shared, interrupted, &hosts, &mut tallies, Hardened);
        }
        Subject::Hardened { without } => {
            let fixes = Mixed::ALL.without(without);
            bench.work_hardened(shared, interrupted, &hosts, &mut tallies, fixes);
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
        self.scenarios(shared, interrupted, hosts, tallies, nopae, pae);
    }

    fn scenarios<N: Drive, P: Drive>(
        &mut self,
        shared: &Shared<'_>,
        interrupted: &AtomicBool,
        hosts: &Hosts,
        tallies: &mut [Tally; 2],
        nopae: &mut N,
        pae: &mut P,
    ) {
        while let Some(index) = shared.take(interrupted) {
            for mode in modes(shared.options.mode) {
                let (run, crashed, parted) = match mode {
                    PagingMode::Pae => self.one(shared, index, *mode, pae),
                    _ => self.one(shared, index, *mode, nopae),
                };
                let tally = &mut tallies[usize::from(*mode == PagingMode::Pae)];
                if let Subject::Hardened { without } = shared.options.subject {
                    let judged =
                        self.judge(shared, hosts, index, *mode, without, &run, crashed, parted);
                    tally.add_hardened(&run, &judged);
                } else {
                    tally.add(&run, &self.breaches);
                    self.keep(shared, hosts, index, *mode, &run);
                }
            }
            shared.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn work_hardened<Q: Policy>(
        &mut self,
        shared: &Shared<'_>,
        interrupted: &AtomicBool,
        hosts: &Hosts,
        tallies: &mut [Tally; 2],
        policy: Q,
    ) {
        let (Some(nopae), Some(pae)) = (
            hosts.parting::<NoPae, _>(policy, Care::Cheap),
            hosts.parting::<Pae, _>(policy, Care::Cheap),
        ) else {
            shared.fail("this program was built without the original".into());
            return;
        };
        self.work(shared, interrupted, hosts, tallies, nopae, pae);
    }

    fn one<D: Drive>(
        &mut self,
        shared: &Shared<'_>,
        index: u64,
        mode: PagingMode,
        drive: &mut D,
    ) -> (Run, Crashed, Option<u32>) {
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
        let mut crashed = Crashed::default();
        let run = run(drive, &machine, &pages, generator, |_, step, outcome| {
            crashed.see(step, outcome);
            steps.push(*step);
        });
        generator.pages = pages;
        self.breaches.clear();
        self.breaches.extend_from_slice(drive.breaches());
        (run, crashed, drive.parted())
    }

    /// The scenario that was run last.
    fn scenario(&self) -> ScenarioBuf {
        let generator = self.generator.as_ref();
        let mut scenario = ScenarioBuf::new(generator.map(|g| g.machine).unwrap_or_default());
        scenario.pages = generator.map(|g| g.pages.clone()).unwrap_or_default();
        scenario.steps.clone_from(&self.steps);
        scenario
    }

    /// Judges what the port with fixes did, and writes down what is wrong with it.
    #[allow(clippy::too_many_arguments, reason = "all that is known of one run")]
    fn judge(
        &self,
        shared: &Shared<'_>,
        hosts: &Hosts,
        index: u64,
        mode: PagingMode,
        without: u32,
        run: &Run,
        crashed: Crashed,
        parted: Option<u32>,
    ) -> Judged {
        let fixes = Mixed::ALL.without(without);
        // A port that parts does not differ: it goes on alone.
        let did = Did {
            end: run.end.unwrap_or(End::Lived),
            crashed,
            breaches: &self.breaches,
            parted,
        };
        let judged = judge(hosts, &|| self.scenario(), mode, fixes, &did, Care::Cheap);
        for found in judged.found() {
            self.witness(shared, index, found);
        }
        if judged.unsteady {
            shared.fail(format!("scenario {index}: parted, and not when run again"));
        }
        judged
    }

    /// Writes down a difference or a breach, before anything else is done.
    fn keep(&self, shared: &Shared<'_>, hosts: &Hosts, index: u64, mode: PagingMode, run: &Run) {
        let scenario = || self.scenario();
        let slowly = |scenario: &ScenarioBuf| investigate(hosts, scenario, mode);
        for found in wrongs(scenario, mode, run, &self.breaches, slowly) {
            if found.seen_once() {
                shared.fail(format!("scenario {index}: {}", found.text));
            }
            self.witness(shared, index, &found);
        }
    }

    /// Writes down one thing that was found.
    fn witness(&self, shared: &Shared<'_>, index: u64, found: &Divergence) {
        let options = shared.options;
        let profile = profile_of(options.profile, index).name();
        let origin = format!(
            "campaign --seed {} --profile {profile}{}, scenario {index}",
            options.seed,
            options.subject.flags()
        );
        let added = lock(&shared.witnesses).add(index, found, &origin);
        match added {
            Ok(Some(path)) => (shared.announce)(&format!(
                "{} {}
  {}",
                found.class.id(),
                found.class,
                repeat(&path, options.subject)
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
