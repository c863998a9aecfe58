// SPDX-License-Identifier: GPL-2.0-or-later
//! The course of a step: its calls in order, those of the ring first, and what each of them chose.
//!
//! The guest's fields can be seen between steps alone, and a step can have 65 calls. So they are followed: SET_STACK
//! says where the stack is, NEW_PGTABLE which tables are in use, and of the slots that shadow them one is drawn, which
//! the host notes, or goes by that name already. After the step the fields must be what was followed.

use lguest_engine::State;

use super::told::number;

/// What the guest has chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chosen {
    /// The table that each slot shadows, if it is in use.
    pub names: [Option<u32>; 4],
    /// The slot in use.
    pub current: usize,
    /// The guest has no tables of its own yet.
    pub linear: bool,
    /// Top and pages of its stack.
    pub stack: (u32, u32),
    /// The stack of before, if those that were told since are all refused: who refuses one may keep that.
    pub kept: Option<(u32, u32)>,
}

impl Chosen {
    /// What the fields say.
    pub fn of(state: &State) -> Self {
        Chosen {
            names: state
                .slots
                .map(|slot| (slot.pgdir != 0).then_some(slot.gpgdir)),
            current: state.cpu_pgd as usize & 3,
            linear: state.linear_pages,
            stack: (state.esp1, state.stack_pages),
            kept: None,
        }
    }

    /// A stack is told; one that is too large is refused.
    fn told_stack(&mut self, esp: u32, pages: u32) {
        let refused = pages > 2;
        self.kept = refused.then(|| self.kept.unwrap_or(self.stack));
        self.stack = (esp, pages);
    }

    /// Where its stack may be.
    pub fn stacks(&self) -> impl Iterator<Item = (u32, u32)> {
        [self.stack].into_iter().chain(self.kept)
    }

    /// Slots that go by this name.
    pub fn named(&self, gpgdir: u32) -> impl Iterator<Item = usize> {
        let is = move |i: &usize| self.names[*i] == Some(gpgdir);
        (0..4).filter(is)
    }
}

/// A hypercall that was made, and when.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Number and arguments.
    pub args: [u32; 5],
    /// Entries told since then have this clock or a later one.
    pub clock: u32,
    /// Its name, in the ring or not.
    pub verb: &'static str,
    /// What was chosen before it.
    pub before: Chosen,
    /// The same after it.
    pub after: Chosen,
    /// The slot that it took for another table, if it did.
    pub took: Option<usize>,
}

/// The calls of a step.
#[derive(Default)]
pub struct Course {
    now: Chosen,
    calls: Vec<Call>,
    /// What was drawn since the call that is being made began.
    drawn: Option<u32>,
    /// The first page that was asked for since that draw could not be had.
    denied: Option<bool>,
}

impl Course {
    /// A step begins that makes no call.
    #[inline]
    pub fn clear(&mut self) {
        self.calls.clear();
    }

    /// A step begins, and this is chosen.
    pub fn begin(&mut self, now: Chosen) {
        self.now = now;
        (self.drawn, self.denied) = (None, None);
    }

    /// The calls that were made.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The call with this clock.
    pub fn at(&self, clock: u32) -> Option<&Call> {
        self.calls.iter().find(|call| call.clock == clock)
    }

    /// What is chosen by now.
    pub fn now(&self) -> &Chosen {
        &self.now
    }

    /// A number was drawn.
    pub fn draw(&mut self, number: u32) {
        (self.drawn, self.denied) = (Some(number), None);
    }

    /// A page was asked for, and this is its address.
    pub fn page(&mut self, pa: u32) {
        self.denied.get_or_insert(pa == 0);
    }

    /// A call is done, or about to be if nothing is noted of it.
    pub fn call(&mut self, args: &[u32; 5], clock: u32, verb: &'static str) {
        let before = self.now;
        let (drawn, denied) = (self.drawn.take(), self.denied.take() == Some(true));
        let mut took = None;
        match args[0] {
            number::NEW_PGTABLE => {
                let known = self.now.named(args[1]).next();
                let slot = match drawn {
                    Some(drawn) => {
                        let slot = (drawn & 3) as usize;
                        // Where the top level cannot be had, the slot in use is taken (C lines 757-770).
                        let fresh = self.now.names[slot].is_none();
                        if fresh && denied {
                            self.now.current
                        } else {
                            slot
                        }
                    }
                    None => known.unwrap_or(self.now.current),
                };
                took = drawn.map(|_| slot);
                self.now.names[slot] = Some(args[1]);
                (self.now.current, self.now.linear) = (slot, false);
            }
            number::SET_STACK => self.now.told_stack(args[2], args[3]),
            _ => {}
        }
        self.calls.push(Call {
            args: *args,
            clock,
            verb,
            before,
            after: self.now,
            took,
        });
    }
}
