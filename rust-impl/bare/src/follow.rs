// SPDX-License-Identifier: GPL-2.0-or-later
//! Takes a side through a scenario, and sums up what it returned and what could be seen of it.
//!
//! The tool does this with the original on the simulated host, the image with the port on real memory: equal sums say
//! that both worlds are the same. Frames go in by name, so the numbers of tables do not matter.

use core::fmt;

use lguest_engine::observe::{Visited, observe};
use lguest_engine::{Outcome, Runner, Scenario, Side, Step, Verb};
use lguest_shadow::HostBug;

/// Steps between two looks at everything, for a scenario of so many; long ones are seen at their end alone.
fn look_every(steps: usize) -> usize {
    if steps > 100_000 { usize::MAX } else { 256 }
}

/// The two sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// Of what the steps returned.
    pub outcomes: u64,
    /// Of everything that can be seen, now and then.
    pub states: u64,
}

/// A running sum of words or text.
struct Sum(u64);

impl Sum {
    /// The offset basis of FNV-1a.
    const START: Sum = Sum(0xcbf2_9ce4_8422_2325);

    fn word(&mut self, word: u32) {
        self.0 = (self.0 ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3);
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let (tag, value) = match *outcome {
            Outcome::Skipped => (0, 0),
            Outcome::Done => (1, 0),
            Outcome::Value(v) => (2, v),
            Outcome::Fixed(v) => (3, v),
            Outcome::NotFixed(v) => (4, v),
            Outcome::Found(v) => (5, v),
            Outcome::NotFound(v) => (6, v),
            Outcome::Word(v) => (7, v),
            Outcome::Reflected(v) => (8, v),
            Outcome::Iomem(v) => (9, v),
            Outcome::Beyond => (10, 0),
            // Frames have other numbers elsewhere.
            Outcome::Foreign(_) => (11, 0),
            Outcome::Stuck => (12, 0),
            Outcome::Killed => (13, 0),
            Outcome::Bug(bug) => (14, bug.kind() as u32),
        };
        self.word(tag);
        self.word(value);
    }
}

impl fmt::Write for Sum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.word(byte.into());
        }
        Ok(())
    }
}

/// Where in a scenario somebody looks on.
pub enum At<'a> {
    /// Behind the start, with what it returned.
    Began(&'a Result<i32, HostBug>),
    /// Before a step, with its number from 0.
    Before(usize, &'a Step),
    /// After a step, with its number and what it returned.
    After(usize, &'a Step, &'a Outcome),
    /// Nothing more is done.
    Ended,
}

/// Runs a scenario to the guest's end; `look` is called at each place.
pub fn follow<S: Side>(
    runner: &mut Runner<S>,
    scenario: &Scenario<'_>,
    mut look: impl FnMut(&Runner<S>, At<'_>),
) {
    let begun = runner.start(&scenario.machine, &mut scenario.pages());
    look(runner, At::Began(&begun));
    let destroy = Step::new(Verb::Destroy, [0; 5]);
    let steps = scenario.steps().chain(core::iter::once(destroy));
    for (number, step) in steps.enumerate() {
        if runner.over() {
            break;
        }
        look(runner, At::Before(number, &step));
        let outcome = runner.step(&step);
        look(runner, At::After(number, &step, &outcome));
    }
    look(runner, At::Ended);
}

/// Sums up a scenario of so many steps; `room` is for the numbers of tables.
pub struct Summing<'a> {
    outcomes: Sum,
    states: Sum,
    look_every: usize,
    room: &'a mut [u32],
}

impl<'a> Summing<'a> {
    /// Nothing yet.
    pub fn new(steps: usize, room: &'a mut [u32]) -> Self {
        Summing {
            outcomes: Sum::START,
            states: Sum::START,
            look_every: look_every(steps),
            room,
        }
    }

    /// Takes up what can be seen at a place.
    pub fn look<S: Side>(&mut self, runner: &Runner<S>, at: &At<'_>) {
        let everything = match at {
            At::Began(Ok(errno)) => {
                self.outcomes.word(*errno as u32);
                false
            }
            At::Began(Err(bug)) => {
                self.outcomes.word(bug.kind() as u32);
                false
            }
            At::Before(number, step) => {
                step.verb == Verb::Destroy || (number + 1) % self.look_every == 0
            }
            At::After(_, step, outcome) => {
                self.outcomes.outcome(outcome);
                step.verb == Verb::Destroy && !matches!(outcome, Outcome::Bug(_))
            }
            At::Ended => false,
        };
        if everything {
            // A sum takes any text.
            let _ = observe(&runner.side, &mut Visited::new(self.room), &mut self.states);
        }
    }

    /// The sums.
    pub fn sums(&self) -> Sums {
        Sums {
            outcomes: self.outcomes.0,
            states: self.states.0,
        }
    }
}
