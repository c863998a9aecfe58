// SPDX-License-Identifier: GPL-2.0-or-later
//! Takes a side through a scenario, and sums up what it returned and what could be seen of it.
//!
//! The tool does this with the original on the simulated host, the image with the port on real memory: equal sums say
//! that both worlds are the same. Frames go in by name, so the numbers of tables do not matter.

use core::fmt;

use lguest_engine::observe::{Visited, observe};
use lguest_engine::{Outcome, Runner, Scenario, Side, Step, Verb};

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

/// Where in a scenario somebody may look on.
#[allow(dead_code, reason = "the tool does not look")]
pub enum At<'a> {
    /// Before a step.
    Before(&'a Step),
    /// After a step, with its number from 0 and what it returned.
    After(usize, &'a Step, &'a Outcome),
}

/// Runs a scenario to its end; `room` is for the numbers of tables. `look` is called round each step.
pub fn follow<S: Side>(
    runner: &mut Runner<S>,
    scenario: &Scenario<'_>,
    room: &mut [u32],
    mut look: impl FnMut(&Runner<S>, At<'_>),
) -> Sums {
    let (mut outcomes, mut states) = (Sum::START, Sum::START);
    match runner.start(&scenario.machine, &mut scenario.pages()) {
        Ok(errno) => outcomes.word(errno as u32),
        Err(bug) => outcomes.word(bug.kind() as u32),
    }
    let mut see = |runner: &Runner<S>| {
        // A sum takes any text.
        let _ = observe(&runner.side, &mut Visited::new(room), &mut states);
    };
    let look_every = look_every(scenario.len());
    let destroy = Step::new(Verb::Destroy, [0; 5]);
    let steps = scenario.steps().chain(core::iter::once(destroy));
    for (number, step) in steps.enumerate() {
        if runner.over() {
            break;
        }
        if step.verb == Verb::Destroy || (number + 1) % look_every == 0 {
            see(runner);
        }
        look(runner, At::Before(&step));
        let outcome = runner.step(&step);
        outcomes.outcome(&outcome);
        look(runner, At::After(number, &step, &outcome));
        if step.verb == Verb::Destroy && !matches!(outcome, Outcome::Bug(_)) {
            see(runner);
        }
    }
    Sums {
        outcomes: outcomes.0,
        states: states.0,
    }
}
