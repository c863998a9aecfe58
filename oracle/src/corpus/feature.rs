// SPDX-License-Identifier: GPL-2.0-or-later
//! Features: what a scenario shows, each a thing that another one shows too or does not.
//!
//! There are the edges of the original's code that it takes, if the build counts them ([`counts_edges`]); what the lines of
//! its recording say, without numbers; and the abstract states that it meets ([`Behaviour`]). A feature belongs to a paging
//! mode. It is known by 64 bits of hash over its words, the same in every process.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::Ordering;

use lguest_c_reference::cover::counts;
use lguest_engine::digest::Fnv;
use lguest_engine::{PagingMode, PortSide, Runner, Side};
use lguest_shadow::{Faithful, NoPae, Pae};

use super::line;
use crate::behaviour::{Before, Behaviour};
use crate::original::OriginalSide;
use crate::recording::{Moment, lines_seen};
use crate::rig::{Hosts, mode_name, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::sim::SimHost;

/// What sort of thing a feature is; the most telling one comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sort {
    /// How the guest died.
    Death,
    /// What came of a step.
    Outcome,
    /// What a step changed.
    Change,
    /// A kernel call.
    Call,
    /// An edge of the original's code.
    Edge,
    /// An abstract state.
    State,
}

/// A feature, as people know it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Feature {
    /// Its sort.
    pub sort: Sort,
    /// Its words: the verb, a colon, and what is to be said of it.
    pub words: String,
    /// The paging mode; an edge has none, for each mode has its own code.
    pub mode: &'static str,
}

impl fmt::Display for Feature {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.mode, self.words)
    }
}

impl Feature {
    fn id(&self) -> u64 {
        let mut digest = Fnv::new();
        digest.bytes(&[self.sort as u8]);
        digest.bytes(self.mode.as_bytes());
        digest.bytes(self.words.as_bytes());
        digest.value()
    }
}

/// Ids of features.
pub type Features = BTreeSet<u64>;

/// How closely is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Edges and abstract states, as a fuzzer does: by far the fastest.
    States,
    /// Edges, and what recordings say.
    Lines,
    /// All of it.
    All,
}

/// Whether this build counts the edges of the original's code.
#[must_use]
pub fn counts_edges() -> bool {
    !counts().is_empty() && lguest_c_reference::reference().is_some()
}

/// One line on what this build goes by.
#[must_use]
pub fn what_is_seen() -> String {
    let of = match lguest_c_reference::reference() {
        Some(_) => "the original",
        None => "the port, for there is no original",
    };
    if counts_edges() {
        format!("by coverage and behaviour of {of}")
    } else {
        format!(
            "by behaviour of {of} alone: this build does not count edges of its code (--features cover does)"
        )
    }
}

/// Tells what scenarios show, and remembers how to say it.
///
/// Where edges are counted, the counts are the process's own: one thread alone may look.
pub struct Observer<'h> {
    hosts: &'h Hosts,
    known: HashMap<u64, Feature>,
    states: HashMap<(u8, u32), u64>,
    edges: HashMap<usize, u64>,
}

impl<'h> Observer<'h> {
    /// An observer of what runs on these hosts.
    #[must_use]
    pub fn new(hosts: &'h Hosts) -> Observer<'h> {
        Observer {
            hosts,
            known: HashMap::new(),
            states: HashMap::new(),
            edges: HashMap::new(),
        }
    }

    /// The hosts.
    #[must_use]
    pub fn hosts(&self) -> &'h Hosts {
        self.hosts
    }

    /// A feature that was seen.
    #[must_use]
    pub fn feature(&self, id: u64) -> Option<&Feature> {
        self.known.get(&id)
    }

    /// Features in the order in which they are told: the most telling first.
    #[must_use]
    pub fn told<'a>(&'a self, ids: impl IntoIterator<Item = &'a u64>) -> Vec<&'a Feature> {
        let mut all: Vec<&Feature> = ids.into_iter().filter_map(|id| self.feature(*id)).collect();
        all.sort();
        all
    }

    /// All that a scenario shows, in each mode that it is for.
    pub fn see(&mut self, scenario: &ScenarioBuf, look: Look) -> Features {
        let mut features = Features::new();
        for mode in modes(scenario.machine.mode) {
            self.see_in(scenario, *mode, look, &mut features);
        }
        features
    }

    fn see_in(&mut self, scenario: &ScenarioBuf, mode: PagingMode, look: Look, to: &mut Features) {
        counts()
            .iter()
            .for_each(|count| count.store(0, Ordering::Relaxed));
        let (hosts, pae) = (self.hosts, mode == PagingMode::Pae);
        let mut states = BTreeSet::new();
        let text = match OriginalSide::new(&hosts.original, pae) {
            Some(side) => watch(side, scenario, look, &mut states),
            None if pae => watch(
                PortSide::<Pae, _, _>::new(&hosts.port, Faithful),
                scenario,
                look,
                &mut states,
            ),
            None => watch(
                PortSide::<NoPae, _, _>::new(&hosts.port, Faithful),
                scenario,
                look,
                &mut states,
            ),
        };
        for (place, count) in counts().iter().enumerate() {
            if count.load(Ordering::Relaxed) != 0 {
                to.insert(self.edge(place));
            }
        }
        for state in states {
            to.insert(self.state(mode, state));
        }
        let mode = mode_name(mode);
        for said in text.lines() {
            line::read(said, |sort, words| {
                to.insert(know(&mut self.known, Feature { sort, words, mode }));
            });
        }
    }

    fn edge(&mut self, place: usize) -> u64 {
        let known = &mut self.known;
        *self.edges.entry(place).or_insert_with(|| {
            let words = format!("edge {place} of its code");
            let (sort, mode) = (Sort::Edge, "original");
            know(known, Feature { sort, words, mode })
        })
    }

    fn state(&mut self, mode: PagingMode, state: Behaviour) -> u64 {
        let known = &mut self.known;
        *self.states.entry((mode as u8, state.0)).or_insert_with(|| {
            let (sort, words, mode) = (Sort::State, state.to_string(), mode_name(mode));
            know(known, Feature { sort, words, mode })
        })
    }
}

fn know(known: &mut HashMap<u64, Feature>, feature: Feature) -> u64 {
    let id = feature.id();
    known.entry(id).or_insert(feature);
    id
}

/// Runs a scenario on one side; the lines of its recording, if they are asked for.
fn watch<S: Side<Host = SimHost>>(
    side: S,
    scenario: &ScenarioBuf,
    look: Look,
    states: &mut BTreeSet<Behaviour>,
) -> String {
    let mut before = None;
    let mut seen = |moment: Moment<'_, S>| match moment {
        Moment::Before(_, _) if look == Look::Lines => {}
        Moment::Before(world, step) => before = Some(Before::of(world, step)),
        Moment::After(outcome) => {
            if let Some(before) = before.take() {
                states.insert(before.then(Some(outcome)));
            }
        }
    };
    if look != Look::States {
        return lines_seen(side, scenario, seen);
    }
    let mut world = Runner::new(side);
    // What comes of the start is told by lines alone.
    let _ = world.start(&scenario.machine, &mut scenario.pages.iter().copied());
    for step in &scenario.steps {
        if world.over() {
            break;
        }
        seen(Moment::Before(&world, step));
        let outcome = world.step(step);
        seen(Moment::After(&outcome));
    }
    String::new()
}
