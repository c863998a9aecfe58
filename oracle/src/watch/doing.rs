// SPDX-License-Identifier: GPL-2.0-or-later
//! What was being done when something ceased to hold; it gets its name when it is told.

use lguest_engine::scenario::hypercall_name;
use lguest_engine::{Step, Verb};

/// A call, or a step that is none.
#[derive(Clone, Copy, Debug)]
pub enum Doing {
    /// `init_guest_pagetable`.
    Start,
    /// The hypercall of this number, in the ring or not.
    Call(u32),
    /// A step of this verb.
    Step(Verb),
}

impl Doing {
    /// What a step does.
    #[inline]
    pub fn of(step: &Step) -> Self {
        match step.verb {
            Verb::Hypercall => Doing::Call(step.args[0]),
            verb => Doing::Step(verb),
        }
    }

    /// Its name: a hypercall goes by its own.
    #[cold]
    pub fn name(self) -> &'static str {
        match self {
            Doing::Start => "init_guest_pagetable",
            Doing::Call(number) => hypercall_name(number).unwrap_or("hypercall"),
            Doing::Step(verb) => verb.name(),
        }
    }
}
