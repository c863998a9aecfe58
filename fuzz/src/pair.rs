// SPDX-License-Identifier: GPL-2.0-or-later
//! Both sides under a fuzzer, with every independent oracle: one world in each mode, reset for each input and kept for
//! the whole process.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;

use lguest_engine::{Care, Machinery, PagingMode, Pair, PortHost, PortSide, Runner, Side, Step};
use lguest_oracle::behaviour::{Before, Behaviour};
use lguest_oracle::drive::{Both, Drive, Run, Source, run};
use lguest_oracle::fuzzed;
use lguest_oracle::original::OriginalSide;
use lguest_oracle::report::{Divergence, slowly};
use lguest_oracle::rig::{Hosts, OriginalAndPort, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::sim::SimHost;
use lguest_oracle::watch::{Breach, Often, Watched};
use lguest_oracle::wrong::wrongs;
use lguest_shadow::{Faithful, Mode, NoPae, Pae};

use crate::keep::keep;

/// Both sides, in both modes.
pub struct Worlds {
    hosts: &'static Hosts,
    make: Make,
    nopae: Watched<OriginalAndPort<'static, NoPae>>,
    pae: Watched<OriginalAndPort<'static, Pae>>,
}

/// What became of an input in one mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// What was counted, and how it ended.
    pub run: Run,
    /// What the oracles told.
    pub breaches: Vec<Breach>,
    /// Hash of all kernel calls of the original.
    pub digest: u64,
}

thread_local! {
    /// Address space for tables is reserved once for each thread.
    static WORLDS: RefCell<Worlds> = RefCell::new(Worlds::new());
}

/// Runs an input in a target's modes, and reports each abstract state.
///
/// # Panics
/// The sides differ, or an oracle tells of a fault of both that no finding explains. A witness is on disk by then, and
/// the message names it.
pub fn check(bytes: &[u8], mode: PagingMode, states: &mut dyn FnMut(Behaviour)) {
    WORLDS.with_borrow_mut(|worlds| check_in(worlds, bytes, mode, states));
}

/// The same in worlds of the caller's.
///
/// # Panics
/// See [`check`].
pub fn check_in(
    worlds: &mut Worlds,
    bytes: &[u8],
    mode: PagingMode,
    states: &mut dyn FnMut(Behaviour),
) {
    let scenario = fuzzed::read(bytes, mode);
    for &mode in modes(mode) {
        let run = worlds.run(&scenario, mode, states);
        let found = worlds.judge(&scenario, mode, &run);
        if !found.is_empty() {
            let mut message = String::new();
            for found in &found {
                // A String takes whatever is written to it.
                let _ = write!(message, "{}", keep(found, bytes, mode));
            }
            panic!("{message}");
        }
    }
}

/// Makes the original's side on its host, with three levels or two.
pub type Make = fn(&'static SimHost, bool) -> OriginalSide<'static>;

fn the_original(host: &'static SimHost, pae: bool) -> OriginalSide<'static> {
    OriginalSide::new(host, pae).expect("the original")
}

fn beside_port<M: Mode>(
    make: Make,
    hosts: &'static Hosts,
    care: Care,
) -> OriginalAndPort<'static, M>
where
    SimHost: PortHost<M>,
{
    let port = PortSide::new(&hosts.port, Faithful);
    let pair = Pair::new(make(&hosts.original, M::PAE), port);
    Both { pair, care }
}

impl Worlds {
    /// Reserves what it needs, for good.
    ///
    /// # Panics
    /// There is no room, or the original is not built in.
    #[must_use]
    pub fn new() -> Worlds {
        Worlds::of(the_original)
    }

    /// The same with another original.
    ///
    /// # Panics
    /// There is no room.
    #[must_use]
    pub fn of(make: Make) -> Worlds {
        let hosts: &'static Hosts = Box::leak(Box::new(Hosts::new().expect("room for two hosts")));
        Worlds {
            hosts,
            make,
            nopae: Watched::new(beside_port(make, hosts, Care::Cheap), Often::AtTimes),
            pae: Watched::new(beside_port(make, hosts, Care::Cheap), Often::AtTimes),
        }
    }

    /// Runs a scenario in one mode.
    pub fn run(
        &mut self,
        scenario: &ScenarioBuf,
        mode: PagingMode,
        states: &mut dyn FnMut(Behaviour),
    ) -> Run {
        match mode {
            PagingMode::Pae => observed(&mut self.pae, scenario, states),
            _ => observed(&mut self.nopae, scenario, states),
        }
    }

    /// What the oracles told of the last scenario in this mode.
    #[must_use]
    pub fn breaches(&self, mode: PagingMode) -> &[Breach] {
        match mode {
            PagingMode::Pae => self.pae.breaches(),
            _ => self.nopae.breaches(),
        }
    }

    /// Runs a scenario in one mode: all that it shows.
    pub fn see(
        &mut self,
        scenario: &ScenarioBuf,
        mode: PagingMode,
        states: &mut dyn FnMut(Behaviour),
    ) -> Seen {
        Seen {
            run: self.run(scenario, mode, states),
            breaches: self.breaches(mode).to_vec(),
            digest: self.hosts.original.trail(),
        }
    }

    /// What is wrong with the run of a scenario that was the last in this mode.
    #[must_use]
    pub fn judge(&self, scenario: &ScenarioBuf, mode: PagingMode, run: &Run) -> Vec<Divergence> {
        let again = || {
            let mut scenario = scenario.clone();
            scenario.machine.mode = mode;
            scenario
        };
        let (hosts, make) = (self.hosts, self.make);
        let once_more = |scenario: &ScenarioBuf| match mode {
            PagingMode::Pae => {
                let both = &mut beside_port::<Pae>(make, hosts, Care::Full);
                slowly(hosts, both, scenario, mode)
            }
            _ => {
                let both = &mut beside_port::<NoPae>(make, hosts, Care::Full);
                slowly(hosts, both, scenario, mode)
            }
        };
        wrongs(again, mode, run, self.breaches(mode), once_more)
    }
}

impl Default for Worlds {
    fn default() -> Self {
        Worlds::new()
    }
}

/// The steps of a scenario, each looked at before it is taken.
struct LookedAt<'a> {
    steps: std::slice::Iter<'a, Step>,
    before: &'a Cell<Option<Before>>,
}

impl Source for LookedAt<'_> {
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
    let mut source = LookedAt {
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
