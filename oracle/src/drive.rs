// SPDX-License-Identifier: GPL-2.0-or-later
//! Driving scenarios: one side alone or two together, from a file or from a generator.

use lguest_engine::{
    Care, Difference, Left, Machine, Machinery, Outcome, PageRecord, Pair, Runner, Side, Step,
    Verb, left,
};
use lguest_shadow::HostBug;

use crate::watch::Breach;

/// Something that takes the steps of a scenario.
pub trait Drive {
    /// The side that generators look at.
    type View: Side;
    /// Begins a scenario: what `init_guest_pagetable` returned, 0 if the guest is there.
    ///
    /// # Errors
    /// The sides differ.
    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference>;
    /// One step.
    ///
    /// # Errors
    /// The sides differ.
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference>;
    /// Compares all that is held, now.
    ///
    /// # Errors
    /// The sides differ.
    fn settle(&mut self) -> Result<(), Difference>;
    /// References that finding C23 explains, if the port ran.
    fn orphaned(&self) -> i64;
    /// The fixes that have acted, of a port that has parted from the original; nothing if there is no such port.
    fn parted(&self) -> Option<u32> {
        None
    }
    /// The runner that generators look at.
    fn view(&self) -> &Runner<Self::View>;
    /// What the oracles told since the start, if they are asked.
    fn breaches(&self) -> &[Breach] {
        &[]
    }
}

/// Two sides and how much of them is compared.
pub struct Both<A, B> {
    /// The sides.
    pub pair: Pair<A, B>,
    /// How much is compared after each step.
    pub care: Care,
}

impl<A: Side, B: Side> Drive for Both<A, B> {
    type View = A;

    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        self.pair.start(machine, pages.iter().copied(), self.care)
    }

    // In the loop that calls it: outcomes are written narrow and copied wide, for which the processor would wait.
    #[inline(always)]
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        self.pair.step(step)
    }

    fn settle(&mut self) -> Result<(), Difference> {
        self.pair.everything()
    }

    fn orphaned(&self) -> i64 {
        self.pair.b.side.host().orphaned()
    }

    fn view(&self) -> &Runner<A> {
        &self.pair.a
    }
}

/// One side alone; nothing is compared.
pub struct Alone<S>(pub Runner<S>);

impl<S: Side> Drive for Alone<S> {
    type View = S;

    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        Ok(self.0.start(machine, &mut pages.iter().copied()))
    }

    #[inline]
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        Ok(self.0.step(step))
    }

    fn settle(&mut self) -> Result<(), Difference> {
        Ok(())
    }

    fn orphaned(&self) -> i64 {
        self.0.side.host().orphaned()
    }

    fn view(&self) -> &Runner<S> {
        &self.0
    }
}

/// Where steps come from.
pub trait Source {
    /// The next step, chosen with the world in view; nothing when the scenario is at its end.
    ///
    /// It stays where it was made: steps are too large to be handed round by value.
    fn next<S: Side>(&mut self, world: &Runner<S>) -> Option<&Step>;
}

/// The steps of a scenario that exists.
pub struct Given<'a>(pub std::slice::Iter<'a, Step>);

impl Source for Given<'_> {
    #[inline]
    fn next<S: Side>(&mut self, _: &Runner<S>) -> Option<&Step> {
        self.0.next()
    }
}

/// What a scenario ends with that does not say it itself.
const DESTROY: Step = Step::new(Verb::Destroy, [0; 5]);

/// Counts of what scenarios did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Steps that entered the original on a live guest.
    pub steps: u64,
    /// All other steps: writes to guest memory, host events, steps on a dead guest.
    pub events: u64,
    /// Results recorded on another host that were verified, counted once for all sides.
    pub verified: u64,
    /// Reads of guest tables, at the address that was recorded, counted likewise.
    pub reads: u64,
    /// Accesses that did not come to an end.
    pub stuck: u64,
}

/// How a scenario ended on the sides that agreed about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The guest lived to the end.
    Lived,
    /// The guest was killed.
    Killed,
    /// The host would have crashed in this way.
    Bug(HostBug),
    /// `init_guest_pagetable` failed with this errno, and this is left of it.
    NoGuest(i32, Left),
    /// The guest is gone and this is left of it; the references that finding C23 explains are told apart.
    Breach(Left, i64),
}

/// What came of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// What it did.
    pub counts: Counts,
    /// How it ended, or the first difference with the number of its step; none stands for the start.
    pub end: Result<End, (Option<usize>, Difference)>,
}

/// Runs a scenario to its end, destroys the guest if that has not been done, and looks at what is left.
///
/// `seen` is called with each step and its outcome; steps of a generator are in nobody else's hands.
pub fn run<D: Drive, S: Source>(
    drive: &mut D,
    machine: &Machine,
    pages: &[PageRecord],
    source: &mut S,
    mut seen: impl FnMut(&D, &Step, Option<&Outcome>),
) -> Run {
    let mut counts = Counts::default();
    let fail = |counts, step, difference| Run {
        counts,
        end: Err((step, difference)),
    };
    match drive.start(machine, pages) {
        Err(difference) => return fail(counts, None, difference),
        Ok(Err(bug)) => {
            return Run {
                counts,
                end: Ok(End::Bug(bug)),
            };
        }
        Ok(Ok(0)) => {}
        Ok(Ok(errno)) => {
            let left = left(drive.view().side.host());
            return Run {
                counts,
                end: Ok(End::NoGuest(errno, left)),
            };
        }
    }
    let mut killed = false;
    let mut number = 0;
    loop {
        let over = drive.view().over();
        let (step, last) = match source.next(drive.view()) {
            Some(step) => (step, false),
            None if over => break,
            None => (&DESTROY, true),
        };
        if step.verb == Verb::Destroy {
            killed = drive.view().side.dead() != 0;
            if let Err(difference) = drive.settle() {
                return fail(counts, Some(number), difference);
            }
        }
        let enters = u64::from(drive.view().enters(step));
        counts.steps += enters;
        counts.events += 1 - enters;
        let outcome = match drive.step(step) {
            Ok(outcome) => outcome,
            Err(difference) => {
                seen(drive, step, None);
                return fail(counts, Some(number), difference);
            }
        };
        if !last {
            seen(drive, step, Some(&outcome));
        }
        match outcome {
            Outcome::Bug(bug) => {
                return Run {
                    counts,
                    end: Ok(End::Bug(bug)),
                };
            }
            Outcome::Stuck => counts.stuck += 1,
            _ => {}
        }
        number += 1;
        if step.verb == Verb::Destroy {
            break;
        }
    }
    let left = left(drive.view().side.host());
    let end = if left != Left::default() {
        End::Breach(left, drive.orphaned())
    } else if killed {
        End::Killed
    } else {
        End::Lived
    };
    Run {
        counts,
        end: Ok(end),
    }
}
