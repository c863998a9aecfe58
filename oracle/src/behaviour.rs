// SPDX-License-Identifier: GPL-2.0-or-later
//! Abstract states: what a step met and what came of it, with all numbers left out.
//!
//! Two scenarios with the same code coverage can still do different things; a fuzzer that sees these as well keeps
//! both, and a corpus is merged by them. A state is verb × outcome × (slots in use, whether the table that the step is
//! about is shadowed, linear, dead, Switcher mapped, host CPU moved, P, RW and D of the shadow entry before the step).

use std::fmt;

use lguest_engine::cpu::{self, D, P, RW};
use lguest_engine::scenario::HYPERCALLS;
use lguest_engine::{Machinery, Outcome, Runner, Side, Step, Verb};

/// The hypercall numbers that matter here.
const SET_PTE: u32 = 14;
/// See [`SET_PTE`].
const SET_PGD: u32 = 15;
/// See [`SET_PTE`].
const NEW_PGTABLE: u32 = 4;

/// An abstract state as a number, the same in every process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Behaviour(pub u32);

impl Behaviour {
    /// Its place among `places` counters, which some share.
    #[must_use]
    pub fn place(self, places: usize) -> usize {
        let spread = u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        spread as usize % places.max(1)
    }
}

/// Words for outcomes, by [`Before::then`]'s numbers; behind them are crashes.
const OUTCOMES: [&str; 17] = [
    "unknown",
    "skipped",
    "done",
    "0",
    "a value",
    "fixed",
    "not fixed",
    "not fixed, I/O",
    "mapped",
    "not mapped",
    "a word",
    "reflected",
    "I/O memory",
    "beyond",
    "foreign",
    "stuck",
    "killed",
];

impl fmt::Display for Behaviour {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut digit = |base: u32| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        let outcome = digit(32) as usize;
        let rights = digit(8);
        let [moved, switcher, dead, linear] = [(); 4].map(|()| digit(2) == 1);
        let (known, used, verb) = (digit(4), digit(5), digit(48));
        let verb = match verb.checked_sub(18) {
            Some(call) => HYPERCALLS
                .get(call as usize)
                .map_or("hypercall", |(_, name)| name),
            None => Verb::ALL
                .iter()
                .find(|known| **known as u32 == verb)
                .map_or("step", |verb| verb.name()),
        };
        let outcome = OUTCOMES.get(outcome).copied().unwrap_or("a crash");
        let table = [
            "another table",
            "a known table",
            "the current table",
            "no table named",
        ];
        write!(
            to,
            "{verb}: {outcome}; {used} slots, {}",
            table[known as usize]
        )?;
        for (is, word) in [
            (linear, "linear"),
            (dead, "dead"),
            (!switcher, "no Switcher"),
            (moved, "CPU moved"),
            (rights & 1 != 0, "P"),
            (rights & 2 != 0, "RW"),
            (rights & 4 != 0, "D"),
        ] {
            if is {
                write!(to, ", {word}")?;
            }
        }
        Ok(())
    }
}

/// What a step is about to meet: all but its outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Before(u32);

impl Before {
    /// Looks at the world before a step.
    pub fn of<S: Side>(world: &Runner<S>, step: &Step) -> Before {
        let mut sum = Sum(0);
        sum.add(verb(step), 48);
        if world.over() {
            return Before(sum.0);
        }
        let side = &world.side;
        let host = side.host();
        let state = side.state();
        let current = state.slots[state.cpu_pgd as usize & 3];
        let used = state.slots.iter().filter(|slot| slot.pgdir != 0).count();
        sum.add(used as u32, 5);
        let (root, known) = match about(step) {
            Some(gpgdir) if current.gpgdir == gpgdir => (current.pgdir, 2),
            Some(gpgdir) => {
                let slot = state.slots.iter().find(|slot| slot.gpgdir == gpgdir);
                slot.map_or((0, 0), |slot| (slot.pgdir, 1))
            }
            None => (current.pgdir, 3),
        };
        sum.add(known, 4);
        sum.add(state.linear_pages.into(), 2);
        sum.add((state.dead != 0).into(), 2);
        sum.add(current.switcher_mapped.into(), 2);
        let moved = current.last_host_cpu != -1 && current.last_host_cpu as u32 != host.cpu();
        sum.add(moved.into(), 2);
        let entry = place(step, side.pae())
            .filter(|_| root != 0)
            .and_then(|vaddr| cpu::last(host, root, side.pae(), vaddr));
        let rights = entry.map_or(0, |(_, _, value)| {
            u32::from(value & P != 0)
                | u32::from(value & RW != 0) << 1
                | u32::from(value & D != 0) << 2
        });
        sum.add(rights, 8);
        Before(sum.0)
    }

    /// With what came of the step; nothing is known of it if the sides differ.
    #[must_use]
    pub fn then(self, outcome: Option<&Outcome>) -> Behaviour {
        let kind = match outcome {
            None => 0,
            Some(Outcome::Skipped) => 1,
            Some(Outcome::Done) => 2,
            Some(Outcome::Value(0)) => 3,
            Some(Outcome::Value(_)) => 4,
            Some(Outcome::Fixed(_)) => 5,
            Some(Outcome::NotFixed(0)) => 6,
            Some(Outcome::NotFixed(_)) => 7,
            Some(Outcome::Found(_)) => 8,
            Some(Outcome::NotFound(_)) => 9,
            Some(Outcome::Word(_)) => 10,
            Some(Outcome::Reflected(_)) => 11,
            Some(Outcome::Iomem(_)) => 12,
            Some(Outcome::Beyond) => 13,
            Some(Outcome::Foreign(_)) => 14,
            Some(Outcome::Stuck) => 15,
            Some(Outcome::Killed) => 16,
            Some(Outcome::Bug(bug)) => 17 + bug.kind() as u32 % 15,
        };
        Behaviour(self.0.wrapping_mul(32).wrapping_add(kind))
    }
}

/// A number of digits with different bases.
struct Sum(u32);

impl Sum {
    fn add(&mut self, digit: u32, base: u32) {
        self.0 = self.0 * base + digit.min(base - 1);
    }
}

/// What a step is, with hypercalls told apart by their numbers: below 48.
fn verb(step: &Step) -> u32 {
    let call = HYPERCALLS
        .iter()
        .position(|(number, _)| *number == step.args[0]);
    match step.verb {
        Verb::Hypercall => 18 + call.map_or(16, |at| at as u32),
        verb => verb as u32,
    }
}

/// The guest's top level that a step names.
fn about(step: &Step) -> Option<u32> {
    match (step.verb, step.args[0]) {
        (Verb::Hypercall, SET_PTE | SET_PGD | NEW_PGTABLE) => Some(step.args[1]),
        _ => None,
    }
}

/// The guest-virtual address that a step is about.
fn place(step: &Step, pae: bool) -> Option<u32> {
    match (step.verb, step.args[0]) {
        (Verb::DemandPage | Verb::Access | Verb::GuestPa | Verb::TryGuestPa, vaddr) => Some(vaddr),
        (Verb::Hypercall, SET_PTE) => Some(step.args[2]),
        (Verb::Hypercall, SET_PGD) => Some(step.args[2] << if pae { 30 } else { 22 }),
        _ => None,
    }
}
