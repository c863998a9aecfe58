// SPDX-License-Identifier: GPL-2.0-or-later
//! What every production writes with: dice, machine, the queue of steps, and short ways to say a step.

use lguest_engine::{Machine, Step, Verb};

use super::launcher::Launcher;
use super::paging::{Paging, call};
use super::quals::Plan;
use super::rng::Rng;

/// Shared by all productions of one scenario.
pub(super) struct Context {
    pub rng: Rng,
    pub machine: Machine,
    pub paging: Paging,
    pub launcher: Launcher,
    pub plan: Plan,
    queue: Vec<Step>,
    head: usize,
    /// Steps handed out so far.
    pub emitted: u32,
}

impl Context {
    pub fn new() -> Self {
        Context {
            rng: Rng::new(0),
            machine: Machine::DEFAULT,
            paging: Paging::default(),
            launcher: Launcher::default(),
            plan: Plan::default(),
            queue: Vec::with_capacity(512),
            head: 0,
            emitted: 0,
        }
    }

    /// Forgets all steps; dice, machine and the rest are the caller's business.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.head = 0;
        self.emitted = 0;
    }

    /// Steps said so far, those that are still to be handed out among them.
    pub fn said(&self) -> u32 {
        self.emitted + (self.queue.len() - self.head) as u32
    }

    /// The next step that was said.
    #[inline]
    pub fn first(&self) -> Option<&Step> {
        self.queue.get(self.head)
    }

    /// Goes on to the one behind it.
    #[inline]
    pub fn pass(&mut self) -> Option<&Step> {
        let step = self.queue.get(self.head)?;
        self.head += 1;
        self.emitted += 1;
        Some(step)
    }

    /// Steps said and not yet handed out are dropped.
    pub fn drop_rest(&mut self) {
        self.queue.clear();
        self.head = 0;
    }

    /// Says a step just as it is.
    ///
    /// Inlined wherever a step is made, so that it is made in the queue: one made elsewhere field by field and then
    /// copied whole makes the processor wait for its own stores.
    #[inline(always)]
    pub fn say(&mut self, step: Step) {
        self.launcher.note(&step);
        self.queue.push(step);
    }

    /// Says a step of a well-behaved guest; the scenario's plan may let something befall it.
    #[inline(always)]
    pub fn push(&mut self, verb: Verb, args: [u32; 5]) {
        if self.plan.due() {
            let [a, b, c, d, e] = args;
            self.push_befallen(verb, a, b, c, d, e);
        } else {
            self.say(Step::new(verb, args));
        }
    }

    /// Takes the numbers one by one, so that nobody keeps them in memory for this: they would be written there one by
    /// one, and the processor would wait for that where they are then copied wide.
    #[cold]
    #[inline(never)]
    fn push_befallen(&mut self, verb: Verb, a: u32, b: u32, c: u32, d: u32, e: u32) {
        let mut step = Step::new(verb, [a, b, c, d, e]);
        Plan::befall(self, &mut step);
        self.say(step);
    }

    #[inline(always)]
    pub fn verb(&mut self, verb: Verb, args: [u32; 3]) {
        self.push(verb, [args[0], args[1], args[2], 0, 0]);
    }

    #[inline(always)]
    pub fn call(&mut self, args: [u32; 5]) {
        self.push(Verb::Hypercall, args);
    }

    #[inline]
    pub fn set_pte(&mut self, gpgdir: u32, vaddr: u32, pte: u64) {
        self.call([call::SET_PTE, gpgdir, vaddr, pte as u32, (pte >> 32) as u32]);
    }

    /// A write of one entry of a guest's table.
    #[inline]
    pub fn write_entry(&mut self, at: u32, value: u64) {
        let width = self.paging.entry();
        let high = if self.paging.pae {
            (value >> 32) as u32
        } else {
            0
        };
        self.push(Verb::Write, [at, value as u32, high, width, 0]);
    }

    #[inline]
    pub fn read(&mut self, vaddr: u32, user: bool) {
        self.verb(Verb::Access, [vaddr, u32::from(user) << 1, 0]);
    }

    #[inline]
    pub fn store(&mut self, vaddr: u32, user: bool) {
        let value = self.rng.word();
        self.verb(Verb::Access, [vaddr, u32::from(user) << 1 | 1, value]);
    }

    // Not in `Kernel::act`: nothing is to be saved before its jump.
    #[inline(never)]
    pub fn run(&mut self) {
        let cpu = self.rng.below(self.machine.cpus.into());
        self.verb(Verb::Run, [cpu, 0, 0]);
    }
}
