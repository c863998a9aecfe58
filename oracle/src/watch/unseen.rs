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
use super::doing::Doing;
use super::justified::Pin;
use super::leaf::Leaf;
use super::matched::Matching;
use super::told;
use super::walk::{self, Near, PRESENT, Reached, frame};
use crate::sim::SimHost;

/// Pins of one call for stacks, but in rare cases.
const FEW: usize = 4;

/// Room for what is looked for, used again.
#[derive(Default)]
pub struct Room {
    /// Tops and pages of the stacks of a step; most steps know one.
    stacks: Vec<(u32, u32)>,
    /// The same of one call.
    own: Vec<(u32, u32)>,
    /// Open pins that are matched to entries.
    pins: Vec<usize>,
    matching: Matching,
}

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
        self.before.hit = Some(at);
        let verb = self.verb;
        let pins = |pin: &Pin| pin.pfn == frame(at.value);
        let pin = self.open.iter().rposition(pins);
        // An entry that was told as late as that has its own pin.
        let later = |i: &usize| {
            let leaf = self.mirror.leaf(at.pa).filter(|_| !self.changed(&at));
            leaf.is_none_or(|leaf| leaf.origin.clock < self.open[*i].clock)
        };
        match pin.filter(|_| at.value & PRESENT != 0).filter(later) {
            Some(i) => {
                let pin = self.open.remove(i);
                self.stored(at.pa, at.value, Some(pin), verb, false);
            }
            None if self.changed(&at) => self.stored(at.pa, at.value, None, verb, false),
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
        match self.mirror.leaf(at.pa) {
            None => at.value & PRESENT != 0,
            Some(leaf) => {
                let is = Leaf::new(at.value, leaf.origin);
                at.value & PRESENT == 0 || (leaf.pfn(), leaf.rights()) != (is.pfn(), is.rights())
            }
        }
    }

    /// Entries of stacks: open pins are matched to those that they may have been for; what has changed for no pin comes
    /// last.
    #[inline(never)]
    fn stacks(&mut self, host: &SimHost) {
        let Some(last) = self.course.calls().last().copied() else {
            return;
        };
        let mut room = std::mem::take(&mut self.room);
        room.stacks.clear();
        room.stacks.push((self.state.esp1, self.state.stack_pages));
        for call in self.course.calls().iter().rev() {
            self.stacks_of(call, &mut room.stacks);
        }
        if !self.one_for_one(host, &room.stacks, &last) {
            self.match_pins(host, &mut room);
            self.mirror.clock = last.clock;
            while let Some(at) = self.changed_at(host, &room.stacks, &last) {
                self.stored(at.pa, at.value, None, last.verb(), true);
                if self.changed(&at) {
                    // It lies in what is no table of the lowest level any more, and that was told.
                    break;
                }
            }
        }
        self.room = room;
    }

    /// Adds the stacks of a call that are not there yet; one that was refused may have left the stack before it.
    fn stacks_of(&self, call: &Call, to: &mut Vec<(u32, u32)>) {
        let before = self.course.before(call).stacks();
        for stack in self.course.after(call).stacks().chain(before) {
            if !to.contains(&stack) {
                to.push(stack);
            }
        }
    }

    /// As nearly always: one call, few pins, and each entry that is not as recorded names the frame of one pin that no
    /// other of them names.
    fn one_for_one(&mut self, host: &SimHost, stacks: &[(u32, u32)], call: &Call) -> bool {
        let (pins, [_]) = (self.open.as_slice(), self.course.calls()) else {
            return false;
        };
        let mut found = [None; FEW];
        let mut clear = pins.len() <= FEW;
        self.each_changed(host, stacks, call, &mut |_, _, at| {
            let mut its = (0..pins.len()).filter(|i| pins[*i].pfn == frame(at.value));
            let (i, other) = (its.next(), its.next());
            clear &= at.value & PRESENT != 0 && other.is_none();
            clear = clear && i.is_some_and(|i| !pins[i].update && found[i].replace(at).is_none());
            clear
        });
        if !clear {
            return false;
        }
        self.mirror.clock = call.clock;
        // Latest first: that they are taken out moves none that is still to come.
        for (i, at) in found.into_iter().enumerate().rev() {
            if let Some(at) = at {
                let pin = self.open.remove(i);
                self.stored(at.pa, at.value, Some(pin), call.verb(), true);
            }
        }
        true
    }

    /// Matches open pins to entries.
    #[cold]
    fn match_pins(&mut self, host: &SimHost, room: &mut Room) {
        let Room {
            own,
            pins,
            matching,
            ..
        } = room;
        pins.clear();
        matching.clear();
        // Latest first: that they are taken out moves none that is still to come.
        for i in (0..self.open.len()).rev().filter(|i| !self.open[*i].update) {
            if let Some(call) = self.course.at(self.open[i].clock) {
                pins.push(i);
                matching.next();
                own.clear();
                self.stacks_of(call, own);
                self.wishes(host, &self.open[i], call, own, matching);
            }
        }
        matching.grant();
        for (who, i) in pins.iter().enumerate() {
            if let Some(pa) = matching.granted(who) {
                let value = walk::entry(host, pa, self.switcher.pae).unwrap_or(0);
                let pin = self.open.remove(*i);
                self.mirror.clock = pin.clock;
                self.stored(pa, value, Some(pin), self.verb_at(pin.clock), true);
            }
        }
    }

    /// The entries that a pin may have been for: those of the stacks of its call that name its frame and are not as
    /// recorded, in the tables that the call had before others; the guest's tables may name its page there.
    fn wishes(
        &self,
        host: &SimHost,
        pin: &Pin,
        call: &Call,
        stacks: &[(u32, u32)],
        to: &mut Matching,
    ) {
        let page = pin.addr.wrapping_sub(self.machine.mem_base) >> 12;
        let after = self.course.after(call);
        self.each_changed(host, stacks, call, &mut |slot, vaddr, at| {
            if at.value & PRESENT != 0 && frame(at.value) == pin.pfn {
                let told = told::page(host, after, slot, self.switcher.pae, vaddr);
                to.wish(at.pa, told.is_some_and(|told| told::same_page(told, page)));
            }
            true
        });
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
        let current = self.course.after(call).current();
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
    pub(super) fn look_everywhere(&mut self, host: &SimHost, verb: Doing) {
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
                    self.stored(pa, value, pin, verb, false);
                }
            }
        }
    }
}
