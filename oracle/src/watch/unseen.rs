// SPDX-License-Identifier: GPL-2.0-or-later
//! Entries that no note tells of: those that a fault stores past `set_pte`, by the fault that the guest had, or by one
//! that the shadow code makes for each page of the guest's stack.
//!
//! A fault's entry lies where the address leads in the tables in use. A stack's lies at an address of the stack that
//! the call had, or one before it in the same step, in the tables that it had; those that another call of the same step
//! released again are not there to be found, and their pins are for nothing.

use lguest_engine::{Step, Verb};
use lguest_shadow::PIN_LIMIT;

use super::Watch;
use super::course::Call;
use super::justified::Pin;
use super::matched::{Wishes, matched};
use super::told;
use super::walk::{self, Near, PRESENT, Reached, frame};
use crate::class::verb_name;
use crate::sim::SimHost;

/// Tops and pages of stacks; most steps know one.
type Stacks = Vec<(u32, u32)>;

impl Watch {
    /// Looks where a pin that is open may have been for an entry.
    pub(super) fn unseen(&mut self, host: &SimHost, step: &Step) {
        if step.verb == Verb::Hypercall {
            self.stacks(host);
            return;
        }
        let root = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        let Some(at) = self.below(host, root, step.args[0]) else {
            return;
        };
        let verb = verb_name(Some(step));
        let pins = |pin: &Pin| pin.pfn == frame(at.value);
        let pin = self.open.iter().rposition(pins);
        // An entry that was told as late as that has its own pin.
        let later = |i: &usize| {
            let leaf = self.mirror.leaf(at.pa).filter(|_| !self.changed(&at));
            leaf.is_none_or(|leaf| leaf.clock < self.open[*i].clock)
        };
        match pin.filter(|_| at.value & PRESENT != 0).filter(later) {
            Some(i) => {
                let pin = self.open.remove(i);
                self.stored(at.pa, at.value, Some(pin), verb, None);
            }
            None if self.changed(&at) => self.stored(at.pa, at.value, None, verb, None),
            None => {}
        }
    }

    /// The entry for an address below the Switcher in the tables at `root`.
    fn below(&self, host: &SimHost, root: u32, vaddr: u32) -> Option<Reached> {
        if root == 0 || vaddr >= self.switcher.addr {
            return None;
        }
        walk::shadow(host, root, self.switcher.pae, vaddr)
    }

    /// An entry is not as recorded.
    fn changed(&self, at: &Reached) -> bool {
        let known = self.mirror.leaf(at.pa).map(|leaf| (leaf.pfn, leaf.rights));
        let is = (at.value & PRESENT != 0).then(|| (frame(at.value), at.value as u32 & 6));
        known != is
    }

    /// Entries of stacks: open pins are matched to those that they may have been for; what has changed for no pin comes
    /// last.
    #[inline(never)]
    fn stacks(&mut self, host: &SimHost) {
        let mut stacks: Stacks = vec![(self.state.esp1, self.state.stack_pages)];
        for call in self.course.calls().iter().rev() {
            for stack in call.after.stacks().chain(call.before.stacks()) {
                if !stacks.contains(&stack) {
                    stacks.push(stack);
                }
            }
        }
        // Latest first: that they are taken out moves none that is still to come.
        let pins: Vec<(usize, Call)> = (0..self.open.len())
            .rev()
            .filter(|i| !self.open[*i].update)
            .filter_map(|i| Some((i, *self.course.at(self.open[i].clock)?)))
            .collect();
        let wishes: Vec<Wishes> = pins
            .iter()
            .map(|(i, call)| self.wishes(host, &self.open[*i], call))
            .collect();
        for ((i, call), pa) in pins.into_iter().zip(matched(&wishes)) {
            if let Some(pa) = pa {
                let value = walk::entry(host, pa, self.switcher.pae).unwrap_or(0);
                let pin = self.open.remove(i);
                self.mirror.clock = call.clock;
                self.stored(pa, value, Some(pin), call.verb, Some(&call.args));
            }
        }
        let Some(last) = self.course.calls().last().copied() else {
            return;
        };
        self.mirror.clock = last.clock;
        while let Some(at) = self.changed_at(host, &stacks, &last) {
            self.stored(at.pa, at.value, None, last.verb, Some(&last.args));
            if self.changed(&at) {
                // It lies in what is no table of the lowest level any more, and that was told.
                break;
            }
        }
    }

    /// The entries that a pin may have been for: those of the stacks of its call that name its frame and are not as
    /// recorded, in the tables that the call had before others; the guest's tables may name its page there.
    fn wishes(&self, host: &SimHost, pin: &Pin, call: &Call) -> Wishes {
        let page = pin.addr.wrapping_sub(self.machine.mem_base) >> 12;
        let mut wishes = Wishes::default();
        // A call that was refused may have left the stack before it.
        let stacks: Stacks = call.after.stacks().chain(call.before.stacks()).collect();
        self.each_changed(host, &stacks, call, &mut |slot, vaddr, at| {
            if at.value & PRESENT != 0 && frame(at.value) == pin.pfn {
                let told = told::page(host, &call.after, slot, self.switcher.pae, vaddr);
                match told.is_some_and(|told| told::same_page(told, page)) {
                    true => wishes.first.push(at.pa),
                    false => wishes.second.push(at.pa),
                }
            }
            true
        });
        wishes
    }

    /// The first entry of these stacks that is not as recorded, in the tables that the call had before others.
    fn changed_at(&self, host: &SimHost, stacks: &[(u32, u32)], call: &Call) -> Option<Reached> {
        let mut found = None;
        self.each_changed(host, stacks, call, &mut |_, _, at| {
            found = Some(at);
            false
        });
        found
    }

    /// Each entry of these stacks that is not as recorded, in the tables that the call had before others, with its slot
    /// and address, until `seen` has seen enough.
    fn each_changed(
        &self,
        host: &SimHost,
        stacks: &[(u32, u32)],
        call: &Call,
        seen: &mut dyn FnMut(usize, u32, Reached) -> bool,
    ) {
        let current = call.after.current;
        let slots = [current]
            .into_iter()
            .chain((0..4).filter(|i| *i != current));
        for slot in slots {
            let root = self.state.slots[slot].pgdir;
            if root == 0 {
                continue;
            }
            let mut near = Near::new(host, root, self.switcher.pae);
            for (esp, pages) in stacks {
                for i in 0..(*pages).min(PIN_LIMIT) {
                    let vaddr = esp.wrapping_sub(1).wrapping_sub(i << 12);
                    if vaddr >= self.switcher.addr {
                        continue;
                    }
                    if let Some(at) = near.look(vaddr).filter(|at| self.changed(at))
                        && !seen(slot, vaddr, at)
                    {
                        return;
                    }
                }
            }
        }
    }

    /// Looks at every entry there is, once counts are known to be wrong: for what was stored where nobody looked.
    #[cold]
    pub(super) fn look_everywhere(&mut self, host: &SimHost, verb: &'static str) {
        let tables: Vec<u32> = self.mirror.leaf_tables().collect();
        let size = if self.switcher.pae { 8 } else { 4 };
        for table in tables {
            for pa in (table..table + 4096).step_by(size) {
                let Some(value) = walk::entry(host, pa, self.switcher.pae) else {
                    continue;
                };
                let at = Reached {
                    pa,
                    value,
                    above: 0,
                };
                if self.changed(&at) {
                    let pins = |pin: &Pin| pin.pfn == frame(value);
                    let pin = self.open.iter().rposition(pins);
                    let pin = pin.filter(|_| value & PRESENT != 0);
                    let pin = pin.map(|i| self.open.remove(i));
                    self.stored(pa, value, pin, verb, None);
                }
            }
        }
    }
}
