// SPDX-License-Identifier: GPL-2.0-or-later
//! The goal of keeping a class, or a kind, of trouble: candidates run on the sides that showed it.

use lguest_engine::{Care, PagingMode, Side};
use lguest_shadow::Mixed;

use super::sight::{self, Sighting};
use super::{Goal, Look};
use crate::class::Class;
use crate::drive::{Alone, Both, Drive, Given, run};
use crate::findings;
use crate::hardened;
use crate::rig::{Hosts, Subject};
use crate::scenario_buf::ScenarioBuf;
use crate::watch::{Often, Watchable, Watched};

/// What of the trouble must stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Its class.
    Class,
    /// Its kind: any difference for a difference, any harm of the kind for harm.
    Breach,
}

/// Something that tells what a scenario shows.
pub trait Eye {
    /// What it shows, if anything: the one of class `want`, where several things show.
    fn see(&mut self, scenario: &ScenarioBuf, want: Option<&Class>) -> Option<Sighting>;
}

/// From this number of steps on, a look at what is cheap to compare says whether all of it is worth comparing.
const LONG: usize = 48;

/// Looks at two sides.
pub struct Two<'h, A, B> {
    hosts: &'h Hosts,
    both: Both<A, B>,
    mode: PagingMode,
    /// What is looked for shows cheaply.
    cheap: bool,
}

impl<'h, A: Side, B: Side> Two<'h, A, B> {
    /// Two sides on `hosts`, in a mode.
    pub fn new(hosts: &'h Hosts, both: Both<A, B>, mode: PagingMode) -> Self {
        Two {
            hosts,
            both,
            mode,
            cheap: false,
        }
    }
}

impl<A: Side, B: Side> Eye for Two<'_, A, B> {
    fn see(&mut self, scenario: &ScenarioBuf, _: Option<&Class>) -> Option<Sighting> {
        let mut short = None;
        if self.cheap && scenario.steps.len() >= LONG {
            let steps = sight::cheaply(&mut self.both, scenario, self.mode)?;
            if steps < scenario.steps.len() {
                let mut cut = scenario.clone();
                cut.steps.truncate(steps);
                short = Some(cut);
            }
        }
        let scenario = short.as_ref().unwrap_or(scenario);
        sight::both(self.hosts, &mut self.both, scenario, self.mode)
    }
}

impl<A: Side, B: Side> Two<'_, A, B> {
    /// Whether what this scenario shows is seen cheaply too: then long candidates are looked at so first.
    fn try_cheaply(&mut self, scenario: &ScenarioBuf) {
        self.cheap = sight::cheaply(&mut self.both, scenario, self.mode).is_some();
    }
}

/// Looks at one side.
struct One<D>(D, PagingMode);

impl<S: Side> Eye for One<Alone<S>> {
    fn see(&mut self, scenario: &ScenarioBuf, _: Option<&Class>) -> Option<Sighting> {
        sight::alone(&mut self.0, scenario, self.1)
    }
}

/// Looks at the port with fixes beside the original.
struct Parted<'h> {
    hosts: &'h Hosts,
    fixes: Mixed,
    mode: PagingMode,
}

impl Eye for Parted<'_> {
    fn see(&mut self, scenario: &ScenarioBuf, want: Option<&Class>) -> Option<Sighting> {
        let verified = hardened::verify(self.hosts, scenario, self.mode, self.fixes, Care::Full)?;
        let judged = verified.judged;
        let wanted = judged.found().find(|found| want == Some(&found.class));
        let found = wanted.or(judged.found().next())?;
        Some(Sighting {
            class: found.class.clone(),
            steps: found.step.map_or(scenario.steps.len(), |step| step + 1),
            known: false,
            end: None,
        })
    }
}

/// Looks at what the oracles tell of one side.
struct Told<D: Watchable>(Watched<D>, PagingMode);

impl<D: Watchable> Eye for Told<D> {
    fn see(&mut self, scenario: &ScenarioBuf, want: Option<&Class>) -> Option<Sighting> {
        let steps = &mut Given(scenario.steps.iter());
        let (machine, pages) = (&scenario.machine, &scenario.pages);
        run(&mut self.0, machine, pages, steps, |_, _, _| {});
        let breaches = self.0.breaches();
        let class = |i: &usize| breaches[*i].class(self.1);
        let known = |i: &usize| findings::explains_breach(breaches, *i).is_some();
        let all = || 0..breaches.len();
        let wanted = all().find(|i| want == Some(&class(i)));
        let i = wanted
            .or_else(|| all().find(|i| !known(i)))
            .or(all().next())?;
        Some(Sighting {
            class: class(&i),
            // What is told at the end, after the last step, needs them all.
            steps: breaches[i]
                .step
                .map_or(0, |step| (step + 1).min(scenario.steps.len())),
            known: known(&i),
            end: None,
        })
    }
}

/// An eye on what the oracles tell of what a campaign with this subject watches.
fn told<'h>(hosts: &'h Hosts, subject: Subject, mode: PagingMode) -> Option<Box<dyn Eye + 'h>> {
    let often = Often::AtTimes;
    let pae = mode == PagingMode::Pae;
    Some(match (subject, pae) {
        (Subject::Original, _) => {
            let side = hosts.original_alone(pae)?;
            Box::new(Told(Watched::new(side, often), mode))
        }
        (_, true) => Box::new(Told(Watched::new(hosts.port_pae(), often), mode)),
        (_, false) => Box::new(Told(Watched::new(hosts.port_nopae(), often), mode)),
    })
}

/// An eye on what a campaign with this subject runs, to which `first` shows something, of class `want` if there is one;
/// nothing if that needs the original and it is not built in.
pub fn eye<'h>(
    hosts: &'h Hosts,
    subject: Subject,
    mode: PagingMode,
    first: &ScenarioBuf,
    want: Option<&Class>,
) -> Option<Box<dyn Eye + 'h>> {
    let mut eye = eye_on_sides(hosts, subject, mode, first)?;
    let seen = eye.see(first, want).map(|seen| seen.class);
    let shows = |seen: Option<&Class>| seen.is_some() && want.is_none_or(|want| seen == Some(want));
    if !shows(seen.as_ref()) && !matches!(subject, Subject::Hardened { .. }) {
        let mut other = told(hosts, subject, mode)?;
        let told = other.see(first, want).map(|seen| seen.class);
        if shows(told.as_ref()) {
            return Some(other);
        }
    }
    Some(eye)
}

fn eye_on_sides<'h>(
    hosts: &'h Hosts,
    subject: Subject,
    mode: PagingMode,
    first: &ScenarioBuf,
) -> Option<Box<dyn Eye + 'h>> {
    let pae = mode == PagingMode::Pae;
    Some(match (subject, pae) {
        (Subject::Both, true) => {
            let mut eye = Two::new(hosts, hosts.pae(Care::Full)?, mode);
            eye.try_cheaply(first);
            Box::new(eye)
        }
        (Subject::Both, false) => {
            let mut eye = Two::new(hosts, hosts.nopae(Care::Full)?, mode);
            eye.try_cheaply(first);
            Box::new(eye)
        }
        (Subject::Original, _) => Box::new(One(hosts.original_alone(pae)?, mode)),
        (Subject::Hardened { without }, _) => {
            hosts.original_alone(pae)?;
            Box::new(Parted {
                hosts,
                fixes: Mixed::ALL.without(without),
                mode,
            })
        }
        (Subject::Faithful, true) => Box::new(One(hosts.port_pae(), mode)),
        (Subject::Faithful, false) => Box::new(One(hosts.port_nopae(), mode)),
    })
}

/// The goal: what an eye sees of a candidate is what it saw of the first scenario.
pub struct Same<'e> {
    eye: Box<dyn Eye + 'e>,
    keep: Keep,
    /// The class that the first scenario showed.
    pub class: Class,
    /// A finding explains it: what none explains is not taken for what one does, though it looks alike.
    known: bool,
}

impl<'e> Same<'e> {
    /// A goal of keeping what the scenario shows, the class `want` if it shows that; nothing if it shows nothing.
    pub fn new(
        mut eye: Box<dyn Eye + 'e>,
        keep: Keep,
        first: &ScenarioBuf,
        want: Option<&Class>,
    ) -> Option<Self> {
        let seen = eye.see(first, want)?;
        Some(Same {
            eye,
            keep,
            class: seen.class,
            known: seen.known,
        })
    }

    /// The same for two sides that were put together elsewhere.
    pub fn on<A: Side + 'e, B: Side + 'e>(
        mut eye: Two<'e, A, B>,
        keep: Keep,
        first: &ScenarioBuf,
    ) -> Option<Self> {
        eye.try_cheaply(first);
        Same::new(Box::new(eye), keep, first, None)
    }

    /// What a scenario shows.
    pub fn class_of(&mut self, scenario: &ScenarioBuf) -> Option<Class> {
        self.eye
            .see(scenario, Some(&self.class))
            .map(|seen| seen.class)
    }
}

impl Goal for Same<'_> {
    fn look(&mut self, candidate: &ScenarioBuf) -> Look {
        let Some(seen) = self.eye.see(candidate, Some(&self.class)) else {
            return Look::Nothing;
        };
        let same = match self.keep {
            Keep::Class => seen.class == self.class && seen.known == self.known,
            Keep::Breach => seen.class.kind == self.class.kind,
        };
        match (same, seen.known) {
            (true, _) => Look::Shows(seen.steps),
            (false, true) => Look::Nothing,
            (false, false) => Look::Other(seen.class),
        }
    }
}
