// SPDX-License-Identifier: GPL-2.0-or-later
//! The minimizer: from a scenario that shows something to a small one that still shows it.
//!
//! Whether a candidate still shows it is the [`Goal`]'s to say. A candidate is taken if it does and if it is
//! *smaller* ([`Weight`]), so that whatever is tried, in whatever order, comes to an end. Passes repeat until a
//! whole round of them changes nothing:
//!
//! 1. [`steps`]: pieces of the list of steps go, from halves down to single steps (delta debugging);
//! 2. [`parts`]: each qualifier and event, each page record, each field of the machine that is not at its default;
//! 3. numbers: each goes down in the order of [`number::shrinks`];
//! 4. [`rewrite`]: what single changes cannot reach: pairs of steps, simpler verbs, `map` in place of writes, a page
//!    renamed wherever it occurs.
//!
//! The result is *1-minimal*: no step, qualifier, event or page record can go, no field of the machine can have its
//! default, and no number can take a single value of [`number::shrinks`] without losing what is shown. Numbers are
//! all arguments but a hypercall's own number, which is a verb, and a write's width; what befalls a step and where;
//! bounds of page records; and fields of the machine that are not at their defaults.
//!
//! Nothing is drawn and no clock is read but for the deadline: the same input gives the same result, unless time
//! cuts it short, and then that is said.

pub mod classes;
pub mod emit;
pub mod keep;
pub mod machine;
pub mod number;
pub mod parts;
pub mod property;
pub mod rewrite;
pub mod sides;
pub mod sight;
pub mod steps;
mod weight;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

pub use weight::Weight;

use crate::class::Class;
use crate::scenario_buf::ScenarioBuf;

/// What must not be lost.
pub trait Goal {
    /// Looks whether a candidate still shows it.
    fn look(&mut self, candidate: &ScenarioBuf) -> Look;
}

impl<F: FnMut(&ScenarioBuf) -> Look> Goal for F {
    fn look(&mut self, candidate: &ScenarioBuf) -> Look {
        self(candidate)
    }
}

/// What a candidate shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// What must not be lost, with so many of its steps.
    Shows(usize),
    /// Trouble of another class, which is worth keeping.
    Other(Class),
    /// Nothing, or nothing new.
    Nothing,
}

/// How much may be spent; without any limit the result is 1-minimal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget<'a> {
    /// Steps run, with [`RUN`] more for each candidate. This limit is the same on every machine.
    pub work: Option<u64>,
    /// Wall time.
    pub deadline: Option<Instant>,
    /// Set from outside to make an end.
    pub interrupted: Option<&'a AtomicBool>,
}

/// The work that a campaign spends on a class: some seconds at most.
pub const CLASS_WORK: u64 = 3_000_000;

/// What resetting the world costs, in steps.
pub const RUN: u64 = 32;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Candidates that were run.
    pub runs: u64,
    /// Steps of the smallest scenario so far.
    pub steps: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Minimized {
    /// The smallest scenario found.
    pub scenario: ScenarioBuf,
    /// It is 1-minimal; else the budget was spent first.
    pub minimal: bool,
    /// Candidates that were run.
    pub runs: u64,
    /// Other classes that were met, each with the first scenario that showed it.
    pub others: BTreeMap<Class, ScenarioBuf>,
}

/// Other classes that are kept, at most: each holds a scenario.
const OTHERS: usize = 64;

/// Minimizes a scenario; nothing if it is not valid or does not show what it should.
///
/// `progress` is called after each candidate.
pub fn minimize(
    scenario: &ScenarioBuf,
    goal: &mut dyn Goal,
    budget: &Budget<'_>,
    progress: &dyn Fn(Progress),
) -> Option<Minimized> {
    scenario.check().ok()?;
    let Look::Shows(steps) = goal.look(scenario) else {
        return None;
    };
    let mut best = scenario.clone();
    best.steps.truncate(steps);
    let mut search = Search {
        weight: Weight::of(&best),
        best,
        goal,
        budget,
        progress,
        spent: 0,
        runs: 0,
        cut: false,
        failed: HashSet::new(),
        others: BTreeMap::new(),
    };
    loop {
        let before = search.weight;
        parts::everything_at_once(&mut search);
        steps::drop(&mut search);
        parts::drop(&mut search);
        machine::reduce(&mut search);
        number::reduce(&mut search);
        if search.weight == before {
            rewrite::all(&mut search);
        }
        if search.weight == before || search.cut {
            break;
        }
    }
    Some(Minimized {
        scenario: search.best,
        minimal: !search.cut,
        runs: search.runs,
        others: search.others,
    })
}

/// A search under way.
pub struct Search<'a> {
    best: ScenarioBuf,
    weight: Weight,
    goal: &'a mut dyn Goal,
    budget: &'a Budget<'a>,
    progress: &'a dyn Fn(Progress),
    spent: u64,
    runs: u64,
    cut: bool,
    /// Digests of candidates that did not do: rounds would try them again.
    failed: HashSet<u128>,
    others: BTreeMap<Class, ScenarioBuf>,
}

/// Candidates whose digests are remembered, at most.
const REMEMBERED: usize = 1 << 20;

impl Search<'_> {
    /// The smallest scenario so far.
    pub fn best(&self) -> &ScenarioBuf {
        &self.best
    }

    /// The budget is spent: nothing will be tried any more.
    pub fn over(&self) -> bool {
        self.cut
    }

    /// Tries a change of the best scenario; whether it was taken.
    pub fn try_change(&mut self, change: impl FnOnce(&mut ScenarioBuf)) -> bool {
        if self.cut {
            return false;
        }
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.try_candidate(candidate)
    }

    fn try_candidate(&mut self, mut candidate: ScenarioBuf) -> bool {
        if Weight::of(&candidate) >= self.weight || candidate.check().is_err() {
            return false;
        }
        let digest = digest(&candidate);
        if self.failed.contains(&digest) || self.spend(candidate.steps.len()) {
            return false;
        }
        self.runs += 1;
        let look = self.goal.look(&candidate);
        let taken = matches!(look, Look::Shows(_));
        match look {
            Look::Shows(steps) => {
                candidate.steps.truncate(steps);
                self.weight = Weight::of(&candidate);
                self.best = candidate;
            }
            Look::Other(class) if self.others.len() < OTHERS => {
                self.others.entry(class).or_insert(candidate);
            }
            _ => {}
        }
        if !taken && self.failed.len() < REMEMBERED {
            self.failed.insert(digest);
        }
        (self.progress)(Progress {
            runs: self.runs,
            steps: self.best.steps.len(),
        });
        taken
    }

    /// Pays for a candidate; whether the budget does not allow it.
    fn spend(&mut self, steps: usize) -> bool {
        self.spent += steps as u64 + RUN;
        let Budget {
            work,
            deadline,
            interrupted,
        } = *self.budget;
        self.cut = work.is_some_and(|work| self.spent > work)
            || deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed));
        self.cut
    }
}

/// 128 bits of hash, so that two candidates are never taken for one.
fn digest(scenario: &ScenarioBuf) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        scenario.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
