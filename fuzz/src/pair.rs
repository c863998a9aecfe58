// SPDX-License-Identifier: GPL-2.0-or-later
//! Both sides under a fuzzer: one world in each mode, reset for each input and kept for the whole process.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use lguest_engine::{Care, Machinery, PagingMode, Runner, Side, Step};
use lguest_oracle::behaviour::{Before, Behaviour};
use lguest_oracle::class::{Class, Kind};
use lguest_oracle::drive::{Drive, End, Run, Source, run};
use lguest_oracle::findings::explains;
use lguest_oracle::fuzzed;
use lguest_oracle::report::{Divergence, investigate};
use lguest_oracle::rig::{Hosts, OriginalAndPort, Subject, mode_name, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::witness::{Witnesses, repeat};
use lguest_shadow::{NoPae, Pae};

/// Where witnesses go, if the environment does not say it with `LGUEST_WITNESSES`.
const FOLDER: &str = "divergences";
/// Witnesses of a class that are kept over all runs of a target.
const KEPT: usize = 3;

/// Both sides, in both modes.
pub struct Worlds {
    hosts: &'static Hosts,
    nopae: OriginalAndPort<'static, NoPae>,
    pae: OriginalAndPort<'static, Pae>,
}

/// What became of an input in one mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What was counted, and how it ended.
    pub run: Run,
    /// Hash of all kernel calls of the original.
    pub digest: u64,
}

thread_local! {
    /// Address space for tables is reserved once for each thread.
    static WORLDS: std::cell::RefCell<Worlds> = std::cell::RefCell::new(Worlds::new());
}

/// Runs an input in a target's modes, and reports each abstract state.
///
/// # Panics
/// The sides differ, or something is left behind that no finding explains. A witness is on disk by then, and the
/// message names it.
pub fn check(bytes: &[u8], mode: PagingMode, states: &mut dyn FnMut(Behaviour)) {
    let scenario = fuzzed::read(bytes, mode);
    WORLDS.with_borrow_mut(|worlds| {
        for &mode in modes(mode) {
            let seen = worlds.run(&scenario, mode, states);
            if let Some(found) = worlds.judge(&scenario, mode, &seen.run) {
                panic!("{}", keep(&found, bytes, mode));
            }
        }
    });
}

impl Worlds {
    /// Reserves what it needs, for good.
    ///
    /// # Panics
    /// There is no room, or the original is not built in.
    #[must_use]
    pub fn new() -> Worlds {
        let hosts: &'static Hosts = Box::leak(Box::new(Hosts::new().expect("room for two hosts")));
        Worlds {
            hosts,
            nopae: hosts.nopae(Care::Cheap).expect("the original"),
            pae: hosts.pae(Care::Cheap).expect("the original"),
        }
    }

    /// Runs a scenario in one mode.
    pub fn run(
        &mut self,
        scenario: &ScenarioBuf,
        mode: PagingMode,
        states: &mut dyn FnMut(Behaviour),
    ) -> Seen {
        let run = match mode {
            PagingMode::Pae => observed(&mut self.pae, scenario, states),
            _ => observed(&mut self.nopae, scenario, states),
        };
        Seen {
            run,
            digest: self.hosts.original.trail(),
        }
    }

    /// What is wrong with a run, if anything is.
    fn judge(&self, scenario: &ScenarioBuf, mode: PagingMode, run: &Run) -> Option<Divergence> {
        let seen_once = |what: String, step, observable: &str, kind| {
            let class = Class {
                mode: mode_name(mode),
                kind,
                verb: "scenario",
                observable: observable.into(),
            };
            let mut scenario = scenario.clone();
            scenario.machine.mode = mode;
            let text = format!("class {} {class}\n{what}\n", class.id());
            Divergence {
                class,
                step,
                scenario,
                text,
            }
        };
        match &run.end {
            Err((step, difference)) => {
                Some(investigate(self.hosts, scenario, mode).unwrap_or_else(|| {
                    let what = format!("step {step:?}: {difference:?}, not seen again");
                    seen_once(what, *step, "seen once", Kind::Diff)
                }))
            }
            Ok(end @ End::Breach(left, _)) if explains(end).is_none() => {
                let what = format!("left behind: {left:?}");
                Some(seen_once(what, None, "something is left", Kind::Breach))
            }
            Ok(_) => None,
        }
    }
}

impl Default for Worlds {
    fn default() -> Self {
        Worlds::new()
    }
}

/// The steps of a scenario, each looked at before it is taken.
struct Watched<'a> {
    steps: std::slice::Iter<'a, Step>,
    before: &'a Cell<Option<Before>>,
}

impl Source for Watched<'_> {
    fn next<S: Side>(&mut self, world: &Runner<S>) -> Option<&Step> {
        if world.over() {
            return None;
        }
        let step = self.steps.next()?;
        self.before.set(Some(Before::of(world, step)));
        Some(step)
    }
}

/// Runs a scenario and reports its abstract states.
fn observed<D: Drive>(
    drive: &mut D,
    scenario: &ScenarioBuf,
    states: &mut dyn FnMut(Behaviour),
) -> Run {
    let before = Cell::new(None);
    let mut source = Watched {
        steps: scenario.steps.iter(),
        before: &before,
    };
    let (machine, pages) = (&scenario.machine, &scenario.pages);
    run(drive, machine, pages, &mut source, |_, _, outcome| {
        if let Some(before) = before.take() {
            states(before.then(outcome));
        }
    })
}

/// Puts a witness on disk, and says what a person is to do.
fn keep(found: &Divergence, bytes: &[u8], mode: PagingMode) -> String {
    let folder = PathBuf::from(std::env::var_os("LGUEST_WITNESSES").unwrap_or(FOLDER.into()));
    let written = if full(&folder.join(found.class.id())) {
        format!(
            "{}: {KEPT} witnesses of this class are there already",
            folder.join(found.class.id()).display()
        )
    } else {
        let number = bytes
            .iter()
            .fold(0, |sum, byte| lguest_oracle::sim::mix(sum, (*byte).into()));
        let origin = format!("fuzz target {}", mode_name(mode));
        let added = Witnesses::new(&folder, Subject::Both)
            .and_then(|mut all| all.add(number % 100_000_000, found, &origin));
        match added {
            Ok(path) => path.map_or_else(String::new, |path| repeat(&path, Subject::Both)),
            Err(error) => format!("the witness cannot be written: {error}"),
        }
    };
    format!(
        "{}\n{written}\nthe input as a scenario: cargo run --release -- convert --total --mode {} ARTIFACT -o FILE.scn\n",
        found.text,
        mode_name(mode)
    )
}

/// Whether a class has as many witnesses as are kept.
fn full(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else {
        return false;
    };
    let witness = |path: PathBuf| path.extension().is_some_and(|end| end == "scn");
    files.flatten().filter(|file| witness(file.path())).count() >= KEPT
}
