// SPDX-License-Identifier: GPL-2.0-or-later
//! The course of a step: its calls in order, those of the ring first, and what each of them chose.
//!
//! The guest's fields can be seen between steps alone, and a step can have 65 calls. So they are followed: SET_STACK
//! says where the stack is, NEW_PGTABLE which tables are in use, and of the slots that shadow them one is drawn, which
//! the host notes, or goes by that name already. After the step the fields must be what was followed.

use lguest_engine::State;

use super::doing::Doing;
use super::told::number;

/// What the guest has chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chosen {
    /// The table that each slot shadows, zero where it is not in use.
    tables: [u32; 4],
    /// A bit for each slot that is in use.
    used: u8,
    /// The slot in use.
    current: u8,
    /// The guest has no tables of its own yet.
    pub linear: bool,
    /// The stacks that were told since `kept` are all refused.
    refused: bool,
    /// Top and pages of its stack.
    pub stack: (u32, u32),
    /// The stack of before, if those that were told since are all refused: who refuses one may keep that.
    kept: (u32, u32),
}

impl Chosen {
    /// What the fields say.
    #[inline(always)]
    pub fn of(state: &State) -> Self {
        let mut chosen = Chosen {
            tables: [0; 4],
            used: 0,
            current: (state.cpu_pgd & 3) as u8,
            linear: state.linear_pages,
            refused: false,
            stack: (state.esp1, state.stack_pages),
            kept: (0, 0),
        };
        for (i, slot) in state.slots.iter().enumerate() {
            if slot.pgdir != 0 {
                chosen.tables[i] = slot.gpgdir;
                chosen.used |= 1 << i;
            }
        }
        chosen
    }

    /// The slot in use.
    pub fn current(&self) -> usize {
        usize::from(self.current)
    }

    /// The table that a slot shadows, if it is in use.
    pub fn name(&self, slot: usize) -> Option<u32> {
        (self.used >> slot & 1 != 0).then(|| self.tables[slot])
    }

    /// A bit for each slot that is in use.
    pub fn used(&self) -> Slots {
        Slots(self.used)
    }

    /// A bit for each slot that goes by this name.
    pub fn named(&self, gpgdir: u32) -> Slots {
        let is = |i: usize| u8::from(self.tables[i] == gpgdir) << i;
        Slots(self.used & (is(0) | is(1) | is(2) | is(3)))
    }

    /// Where its stack may be.
    pub fn stacks(&self) -> impl Iterator<Item = (u32, u32)> {
        [self.stack]
            .into_iter()
            .chain(self.refused.then_some(self.kept))
    }

    /// A slot shadows this table from now on, and is in use.
    fn take(&mut self, slot: usize, gpgdir: u32) {
        self.tables[slot] = gpgdir;
        self.used |= 1 << slot;
        (self.current, self.linear) = (slot as u8, false);
    }

    /// A stack is told; one that is too large is refused.
    fn told_stack(&mut self, esp: u32, pages: u32) {
        let refused = pages > 2;
        self.kept = match (refused, self.refused) {
            (false, _) => (0, 0),
            (true, false) => self.stack,
            (true, true) => self.kept,
        };
        (self.refused, self.stack) = (refused, (esp, pages));
    }

    /// The same tables are chosen, and the same of them is in use.
    pub fn same_tables(&self, other: &Chosen) -> bool {
        let of = |chosen: &Chosen| (chosen.tables, chosen.used, chosen.current, chosen.linear);
        of(self) == of(other)
    }
}

/// Some of the four slots; goes through them in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slots(u8);

impl Slots {
    /// None of them.
    pub const NONE: Slots = Slots(0);

    /// One of them.
    pub fn one(slot: usize) -> Self {
        Slots(1 << (slot & 3))
    }

    /// Those of them that are among these too.
    pub fn among(self, these: Slots) -> Self {
        Slots(self.0 & these.0)
    }
}

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let first = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (first < 4).then_some(first)
    }
}

/// A hypercall that was made, and when.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Number and arguments.
    pub args: [u32; 5],
    /// Entries told since then have this clock or a later one.
    pub clock: u32,
    /// The slot that it took for another table, if it did.
    pub took: Option<u8>,
    /// Where in the course that which was chosen before it is kept.
    before: u32,
    /// The same after it.
    after: u32,
}

impl Call {
    /// What it is.
    pub fn verb(&self) -> Doing {
        Doing::Call(self.args[0])
    }
}

/// The calls of a step.
pub struct Course {
    /// All that was chosen in the step, in order, and never empty; most calls choose nothing.
    chosen: Vec<Chosen>,
    calls: Vec<Call>,
    /// What was drawn since the call that is being made began.
    drawn: Option<u32>,
    /// The first page that was asked for since that draw could not be had.
    denied: Option<bool>,
}

impl Default for Course {
    fn default() -> Self {
        Course {
            chosen: vec![Chosen::default()],
            calls: Vec::new(),
            drawn: None,
            denied: None,
        }
    }
}

impl Course {
    /// A step begins.
    #[inline]
    pub fn clear(&mut self) {
        self.calls.clear();
        self.chosen.truncate(1);
        (self.drawn, self.denied) = (None, None);
    }

    /// At the beginning of the next step this is chosen; until more is said it is what was chosen at that of the last.
    pub fn begin(&mut self, now: Chosen) {
        self.chosen[0] = now;
    }

    /// The calls that were made.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The call with this clock.
    pub fn at(&self, clock: u32) -> Option<&Call> {
        self.calls.iter().find(|call| call.clock == clock)
    }

    /// No call of the step chose anything.
    pub fn is_plain(&self) -> bool {
        self.chosen.len() == 1
    }

    /// What is chosen by now, in a step that makes calls.
    pub fn now(&self) -> &Chosen {
        &self.chosen[self.chosen.len() - 1]
    }

    /// What was chosen before a call.
    pub fn before(&self, call: &Call) -> &Chosen {
        &self.chosen[call.before as usize]
    }

    /// What was chosen after it.
    pub fn after(&self, call: &Call) -> &Chosen {
        &self.chosen[call.after as usize]
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
    pub fn call(&mut self, args: &[u32; 5], clock: u32) {
        let before = (self.chosen.len() - 1) as u32;
        let took = match args[0] {
            number::NEW_PGTABLE | number::SET_STACK => self.choose(args),
            _ => None,
        };
        (self.drawn, self.denied) = (None, None);
        self.calls.push(Call {
            args: *args,
            clock,
            took,
            before,
            after: (self.chosen.len() - 1) as u32,
        });
    }

    /// A call that chooses: the slot that it took for another table.
    fn choose(&mut self, args: &[u32; 5]) -> Option<u8> {
        let mut now = *self.now();
        let mut took = None;
        if args[0] == number::SET_STACK {
            now.told_stack(args[2], args[3]);
        } else {
            let known = now.named(args[1]).next();
            let slot = match self.drawn {
                Some(drawn) => {
                    let slot = (drawn & 3) as usize;
                    // Where the top level cannot be had, the slot in use is taken (C lines 757-770).
                    if now.name(slot).is_none() && self.denied == Some(true) {
                        now.current()
                    } else {
                        slot
                    }
                }
                None => known.unwrap_or(now.current()),
            };
            took = self.drawn.map(|_| slot as u8);
            now.take(slot, args[1]);
        }
        self.chosen.push(now);
        took
    }
}
