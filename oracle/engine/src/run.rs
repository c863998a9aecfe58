// SPDX-License-Identifier: GPL-2.0-or-later
//! The executor: does one step of a scenario on one side, as guest, launcher or host would.

use core::mem::discriminant;

use lguest_shadow::{BugKind, HostBug};

use crate::cpu::{self, Attempt, Processor, Request};
use crate::outside::outside;
use crate::side::{Machinery, Side};
use crate::{Machine, PageRecord, Step, Verb};

/// What came of a step.
///
/// The tag is as wide as what goes with it: outcomes are copied for each step, and copies of odd width are slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Outcome {
    /// What a function returned, or whether memory took a write.
    Value(u32),
    /// `demand_page` mapped the page; what it left in its out-parameter.
    Fixed(u32),
    /// `demand_page` did not; guest-physical address of I/O memory, or 0.
    NotFixed(u32),
    /// `__guest_pa` found something mapped: its guest-physical address.
    Found(u32),
    /// `__guest_pa` did not; what it left in its out-parameter.
    NotFound(u32),
    /// A guest access reached memory: the word read, or written.
    Word(u32),
    /// A guest access is a fault of the guest's own: its error code.
    Reflected(u32),
    /// A guest access reached I/O memory at this guest-physical address.
    Iomem(u32),
    /// A guest access reached a frame that holds no guest memory: its number.
    Foreign(u32),
    /// The guest is dead or gone: nothing was done.
    Skipped,
    /// Done, and there is nothing to return.
    Done,
    /// A guest access lies beyond the segment limit, where the Switcher is.
    Beyond,
    /// The guest died during the access.
    Killed,
    /// Four faults were fixed and the access still does not succeed.
    Stuck,
    /// The host would have crashed or been corrupted here.
    Bug(HostBug),
}

impl Outcome {
    /// Equality, without a jump that depends on what came of the step: this is asked after every one.
    #[inline(always)]
    pub fn same(self, other: Outcome) -> bool {
        if discriminant(&self) != discriminant(&other) {
            return false;
        }
        match (self.word(), other.word()) {
            (Some(word), Some(of_other)) => word == of_other,
            _ => match (self, other) {
                (Outcome::Bug(bug), Outcome::Bug(of_other)) => bug == of_other,
                _ => true,
            },
        }
    }

    /// The word that goes with the tag.
    #[inline(always)]
    fn word(self) -> Option<u32> {
        match self {
            Outcome::Value(word)
            | Outcome::Fixed(word)
            | Outcome::NotFixed(word)
            | Outcome::Found(word)
            | Outcome::NotFound(word)
            | Outcome::Word(word)
            | Outcome::Reflected(word)
            | Outcome::Iomem(word)
            | Outcome::Foreign(word) => Some(word),
            Outcome::Skipped
            | Outcome::Done
            | Outcome::Beyond
            | Outcome::Killed
            | Outcome::Stuck
            | Outcome::Bug(_) => None,
        }
    }

    /// The same with frames renumbered.
    #[inline]
    pub fn canonical(self, number: impl Fn(u32) -> u32) -> Outcome {
        match self {
            Outcome::Foreign(pfn) => Outcome::Foreign(number(pfn)),
            Outcome::Bug(bug) => Outcome::Bug(HostBug::new(bug.kind(), number(bug.pfn()))),
            outcome => outcome,
        }
    }
}

/// Times that one access may fault.
const FAULTS: u32 = 4;

/// Steps of this verb enter the code under test, if the guest lives.
#[inline]
pub fn calls(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Hypercall
            | Verb::DemandPage
            | Verb::Access
            | Verb::Run
            | Verb::GuestPa
            | Verb::TryGuestPa
            | Verb::Destroy
    )
}

/// One side, and where its guest is.
pub struct Runner<S> {
    /// The side.
    pub side: S,
    mem_base: u32,
    switcher: u32,
    processor: Processor,
    ring: u32,
    over: bool,
}

impl<S: Side> Runner<S> {
    /// A runner for `side`; `start` comes first.
    pub fn new(side: S) -> Self {
        Runner {
            side,
            mem_base: 0,
            switcher: 0,
            processor: Processor::WIDEST,
            ring: 0,
            over: true,
        }
    }

    /// Resets the side and initialises its page tables: what `init_guest_pagetable` returned, or the crash.
    pub fn start(
        &mut self,
        machine: &Machine,
        pages: &mut dyn Iterator<Item = PageRecord>,
    ) -> Result<i32, HostBug> {
        self.mem_base = machine.mem_base;
        self.switcher = machine.switcher;
        self.processor.nx = machine.nx;
        self.ring = 0;
        self.over = false;
        self.side.reset(machine, pages);
        let result = self.side.init_guest_pagetable();
        if result != Ok(0) {
            self.over = true;
        }
        result
    }

    /// No further step has an effect: destroyed, crashed, or never begun.
    pub fn over(&self) -> bool {
        self.over
    }

    /// The step would enter the code under test, on a guest that lives.
    #[inline]
    pub fn enters(&self, step: &Step) -> bool {
        calls(step.verb) && !self.over && self.side.dead() == 0
    }

    /// Does one step.
    #[inline]
    pub fn step(&mut self, step: &Step) -> Outcome {
        if self.over {
            return Outcome::Skipped;
        }
        self.side.host().begin_step(step);
        let result = self.act(step);
        let result = match self.side.host().corrupted() {
            Some(pfn) if result.is_ok() => Err(HostBug::new(BugKind::DirtyFree, pfn)),
            _ => result,
        };
        match result {
            Ok(outcome) => outcome,
            Err(bug) => {
                self.over = true;
                Outcome::Bug(bug)
            }
        }
    }

    #[inline]
    fn act(&mut self, step: &Step) -> Result<Outcome, HostBug> {
        let [a0, a1, a2, ..] = step.args;
        let guest_acts = matches!(
            step.verb,
            Verb::Hypercall
                | Verb::Async
                | Verb::DemandPage
                | Verb::Access
                | Verb::Run
                | Verb::GuestPa
                | Verb::TryGuestPa
        );
        if guest_acts && self.side.dead() != 0 {
            return Ok(Outcome::Skipped);
        }
        Ok(match step.verb {
            Verb::Hypercall => {
                if self.side.lguest_data() == 0 {
                    self.ring = 0;
                }
                self.side.do_hypercalls(&step.args)?;
                Outcome::Done
            }
            Verb::DemandPage => {
                let demand = self.side.demand_page(a0, a1)?;
                if demand.fixed {
                    Outcome::Fixed(demand.iomem)
                } else {
                    Outcome::NotFixed(demand.iomem)
                }
            }
            Verb::Access => self.access(
                a0,
                Request {
                    write: a1 & 1 != 0,
                    user: a1 & 2 != 0,
                },
                a2,
            )?,
            Verb::Run => {
                self.side.host().set_cpu(a0);
                self.side.map_switcher_in_guest()?;
                Outcome::Done
            }
            Verb::GuestPa => Outcome::Value(self.side.guest_pa(a0)?),
            Verb::TryGuestPa => {
                let (found, paddr) = self.side.try_guest_pa(a0)?;
                if found {
                    Outcome::Found(paddr)
                } else {
                    Outcome::NotFound(paddr)
                }
            }
            Verb::Expect => Outcome::Skipped,
            Verb::Destroy => {
                self.over = true;
                self.side.free_guest_pagetable()?;
                Outcome::Done
            }
            _ => {
                let data = self.side.lguest_data();
                let data = (data != 0).then(|| data.wrapping_sub(self.mem_base));
                outside(
                    self.side.host(),
                    self.side.pae(),
                    data,
                    &mut self.ring,
                    step,
                )
            }
        })
    }

    /// A load or store by the guest: enters it on its host CPU, and again after each fault that is fixed.
    fn access(&mut self, vaddr: u32, request: Request, value: u32) -> Result<Outcome, HostBug> {
        let mut faults = 0;
        loop {
            self.side.map_switcher_in_guest()?;
            if vaddr >= self.switcher {
                return Ok(Outcome::Beyond);
            }
            let (root, pae) = (self.side.current_root(), self.side.pae());
            let processor = self.processor;
            let errcode = match cpu::attempt(
                self.side.host(),
                root,
                pae,
                vaddr,
                request,
                value,
                processor,
            ) {
                Attempt::Word(word) => return Ok(Outcome::Word(word)),
                Attempt::Foreign(pfn) => return Ok(Outcome::Foreign(pfn)),
                Attempt::Fault(errcode) => errcode,
            };
            if faults == FAULTS {
                return Ok(Outcome::Stuck);
            }
            faults += 1;
            let demand = self.side.demand_page(vaddr, errcode)?;
            if self.side.dead() != 0 {
                return Ok(Outcome::Killed);
            }
            if !demand.fixed {
                return Ok(if demand.iomem != 0 {
                    Outcome::Iomem(demand.iomem)
                } else {
                    Outcome::Reflected(errcode)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lguest_shadow::{BugKind, HostBug};

    use super::Outcome;

    #[test]
    fn outcomes_are_the_same_where_they_are_equal() {
        let with: [fn(u32) -> Outcome; 10] = [
            Outcome::Value,
            Outcome::Fixed,
            Outcome::NotFixed,
            Outcome::Found,
            Outcome::NotFound,
            Outcome::Word,
            Outcome::Reflected,
            Outcome::Iomem,
            Outcome::Foreign,
            |pfn| Outcome::Bug(HostBug::new(BugKind::WildPage, pfn)),
        ];
        let without = [
            Outcome::Skipped,
            Outcome::Done,
            Outcome::Beyond,
            Outcome::Killed,
            Outcome::Stuck,
            Outcome::Bug(HostBug::BUG_ON),
        ];
        let all = || with.iter().flat_map(|of| [of(0), of(1)]).chain(without);
        for a in all() {
            for b in all() {
                assert_eq!(a.same(b), a == b, "{a:?} and {b:?}");
            }
        }
    }
}
