// SPDX-License-Identifier: GPL-2.0-or-later
//! What is held against the record after each step: fresh entries, touched counts, promises, the Switcher, the word
//! that an access came to.

use lguest_engine::scenario::step::ACCESS_WRITE;
use lguest_engine::{Event, Machinery, Outcome, Step, Verb};
use lguest_shadow::lguest_data;

use super::breach::Oracle;
use super::course::{Call, Chosen};
use super::doing::Doing;
use super::justified::Pin;
use super::mirror::{How, Touch};
use super::told::{self, Promises, number};
use super::walk::{self, PRESENT, Reached, USER, WRITE};
use super::{Watch, memory, references, switcher};
use crate::sim::{Kind, SimHost};

/// What was seen of the address of an access before it came to its end.
#[derive(Clone, Copy, Default)]
pub struct Before {
    /// What the guest says, if the access may fault: its word may go into the tables that told it.
    pub(super) said: Option<walk::Said>,
    /// The shadow's entry: before the access if that may not fault, and after a fault if it was looked for.
    pub(super) hit: Option<Reached>,
}

impl Watch {
    /// Looks at the address of an access that writes.
    pub(super) fn look_before(&mut self, host: &SimHost, step: &Step) {
        if step.args[1] & ACCESS_WRITE == 0 || self.state.linear_pages {
            return;
        }
        let slot = self.state.slots[self.state.cpu_pgd as usize & 3];
        let pae = self.switcher.pae;
        let at = walk::shadow(host, slot.pgdir, pae, step.args[0]);
        let all = PRESENT | WRITE | USER;
        self.before.hit = at.filter(|at| at.value & (at.above | PRESENT) & all == all);
        if self.before.hit.is_none() {
            self.before.said = Some(walk::guest(host, slot.gpgdir, pae, step.args[0]));
        }
    }

    /// Holds fresh entries against what the guest says.
    pub(super) fn held_against(&mut self, host: &SimHost, step: &Step) {
        let all = std::mem::take(&mut self.fresh);
        for fresh in &all {
            let pae = self.switcher.pae;
            let told = match told::by_update(fresh, &self.course, pae) {
                Some(told) => told,
                None => {
                    let own;
                    let before = self.before.said.as_ref();
                    let said = match before.filter(|_| fresh.vaddr >> 12 == step.args[0] >> 12) {
                        Some(said) => said,
                        None => {
                            let call = self.course.at(fresh.clock);
                            let chosen = call.map(|call| self.course.after(call));
                            own = told::by_tables(host, &self.state, chosen, pae, fresh);
                            let Some(said) = own.as_ref() else { continue };
                            said
                        }
                    };
                    if self.is_hosts(host, said) || is_disturbed(host, step, said) {
                        continue;
                    }
                    said.told
                }
            };
            if let Some(what) = told::against(fresh, told) {
                let verb = self.verb_at(fresh.stored);
                self.tell(Oracle::Told, verb, what, fresh.vaddr);
            }
        }
        self.fresh = all;
    }

    /// One of these tables lies in a frame with `lguest_data`, which the host writes to during calls.
    fn is_hosts(&self, host: &SimHost, said: &walk::Said) -> bool {
        let data = self.state.lguest_data;
        if data == 0 || self.course.calls().is_empty() {
            return false;
        }
        let first = data.wrapping_sub(self.machine.mem_base);
        let last = first.wrapping_add(lguest_data::SIZE - 1);
        stand_on(host, said, first >> 12) || stand_on(host, said, last >> 12)
    }

    /// What was being done at this clock: a call, or the step.
    pub(super) fn verb_at(&self, clock: u32) -> Doing {
        self.course.at(clock).map_or(self.verb, Call::verb)
    }

    /// References, of the frames that were touched.
    #[inline(always)]
    pub(super) fn counts(&mut self, host: &SimHost, again: bool) {
        if !references::touched_are_right(host, &self.mirror) {
            self.miscounted(host, again);
        }
    }

    /// One of them is not right.
    #[cold]
    fn miscounted(&mut self, host: &SimHost, again: bool) {
        // Of several calls, one may have stored an entry past `set_pte` whose pin was taken for another's.
        let mut again = again && (!self.open.is_empty() || self.course.calls().len() > 1);
        let wrong = |watch: &Self| {
            let verb = |touch: &Touch| watch.verb_at(touch.clock);
            references::touched(host, &watch.mirror, &watch.orphans, verb)
        };
        while let Some(wrong) = wrong(self) {
            if std::mem::take(&mut again) {
                self.look_everywhere(host, wrong.verb);
                continue;
            }
            let thief = || self.thief(host, wrong.pfn, &self.mirror.touched);
            let verb = match wrong.what {
                references::OUTLIVES => thief().unwrap_or(wrong.verb),
                _ => wrong.verb,
            };
            self.tell(Oracle::References, verb, wrong.what, wrong.pfn);
            self.mirror.forgive(wrong.pfn, wrong.held);
            if wrong.what == references::OUTLIVES {
                self.owing.push(wrong.pfn);
            }
        }
    }

    /// Which call put more references of a frame than entries went that named it: the first. Of entries that no note
    /// tells of the pins are open: one may have taken another's place, or have come in an earlier call and gone in one
    /// that stored something or gave a table back.
    pub(super) fn thief(&self, host: &SimHost, pfn: u32, touched: &[Touch]) -> Option<Doing> {
        let mut unseen = 0;
        let mut last = None;
        for touch in touched.iter().filter(|touch| touch.pfn == pfn) {
            let clock = touch.clock;
            if last.is_some_and(|last| clock <= last) {
                continue;
            }
            let of = |how: How| {
                let is = |other: &&Touch| (other.pfn, other.clock, other.how) == (pfn, clock, how);
                touched.iter().filter(is).count()
            };
            let open = |is: &dyn Fn(&Pin) -> bool| self.open.iter().filter(|pin| is(pin)).count();
            let between = |pin: &Pin| {
                pin.pfn == pfn && pin.clock < clock && last.is_none_or(|last| pin.clock >= last)
            };
            unseen += open(&between);
            let more = of(How::Put).saturating_sub(of(How::Went));
            let gone = if self.drops(host, clock) { unseen } else { 0 };
            if more > gone + open(&|pin| pin.clock == clock) {
                return Some(self.verb_at(clock));
            }
            unseen -= gone.min(more);
            last = Some(clock);
        }
        None
    }

    /// Whether the call of this clock stored an entry of the lowest level, or gave a table back.
    fn drops(&self, host: &SimHost, clock: u32) -> bool {
        let journal = host.journal();
        let mut later = self.clock;
        for note in journal.notes().list().iter().rev() {
            match note.kind {
                Kind::Ring | Kind::RingDone => later -= 1,
                Kind::Pte | Kind::Free if later == clock => return true,
                _ => {}
            }
        }
        false
    }

    /// The fields are what was followed.
    fn followed(&mut self) {
        let now = Chosen::of(&self.state);
        if !now.same_tables(self.course.now()) {
            let chooses = |call: &&Call| call.args[0] == number::NEW_PGTABLE;
            let calls = self.course.calls();
            let call = calls.iter().rfind(chooses).or(calls.last());
            let verb = call.map_or(Doing::Call(u32::MAX), Call::verb);
            let at = now.name(now.current()).unwrap_or(0);
            self.tell(Oracle::Told, verb, told::CHOICE, at);
        }
    }

    /// What the calls of this step chose is what is chosen, and what each promised to drop is gone.
    pub(super) fn promises(&mut self, host: &SimHost) {
        // Where nothing changed and nothing was chosen, the fields are what they were.
        if self.changed || !self.course.is_plain() {
            self.followed();
        }
        for i in 0..self.course.calls().len() {
            let call = &self.course.calls()[i];
            let verb = call.verb();
            let promises = Promises {
                state: &self.state,
                course: &self.course,
                pae: self.switcher.pae,
                switcher: self.switcher.addr,
            };
            if let Some((vaddr, what)) = promises.broken(host, &mut self.mirror, call) {
                self.tell(Oracle::Told, verb, what, vaddr);
            }
        }
    }

    /// Tables that are marked as having the Switcher have it.
    #[inline(always)]
    pub(super) fn marks(&mut self, host: &SimHost) {
        if std::mem::take(&mut self.unseen_by_marks) {
            self.marks_anew(host);
        }
    }

    #[inline(never)]
    fn marks_anew(&mut self, host: &SimHost) {
        for (i, slot) in self.state.slots.into_iter().enumerate() {
            let is_lost =
                slot.pgdir != 0 && slot.switcher_mapped && self.switcher.is_lost(host, slot.pgdir);
            let known = std::mem::replace(&mut self.lost[i], is_lost);
            if is_lost && !known {
                let drops = |call: &&Call| call.args[0] == number::SET_PGD;
                let calls = self.course.calls();
                let call = calls.iter().rfind(drops).or(calls.last());
                let verb = call.map_or(Doing::Call(u32::MAX), Call::verb);
                self.tell(Oracle::Switcher, verb, switcher::LOST, slot.gpgdir);
            }
        }
    }

    /// The guest ran.
    #[inline(always)]
    pub(super) fn running(&mut self, host: &SimHost, step: &Step) {
        let root = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        let at = (root, host.cpu());
        if std::mem::take(&mut self.unseen_by_run) || self.whole != at {
            self.whole = at;
            self.running_anew(host, at, step);
        }
    }

    #[inline(never)]
    fn running_anew(&mut self, host: &SimHost, (root, cpu): (u32, u32), step: &Step) {
        if let Some(what) = self.switcher.at_run(host, root, cpu) {
            self.tell(Oracle::Switcher, Doing::of(step), what, root);
        }
    }

    /// The guest's access came to this.
    pub(super) fn accessed(&mut self, host: &SimHost, step: &Step, outcome: &Outcome) {
        let [vaddr, flags, ..] = step.args;
        let value = match *outcome {
            Outcome::Word(value) => value,
            Outcome::Foreign(pfn) => {
                let what = "the guest reached a frame that is not its own";
                return self.tell(Oracle::Justified, Doing::Step(Verb::Access), what, pfn);
            }
            _ => return,
        };
        let root = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        let at = match self.before.hit {
            Some(at) => Some(at),
            None => walk::shadow(host, root, self.switcher.pae, vaddr),
        };
        let leaf = at.and_then(|at| self.mirror.leaf(at.pa));
        let wrong = match leaf {
            Some(leaf) => memory::word(host, &leaf, vaddr, flags & ACCESS_WRITE != 0, value),
            None => Some("an access came to an end where the guest's tables map nothing"),
        };
        if let Some(what) = wrong {
            self.tell(Oracle::Memory, Doing::Step(Verb::Access), what, vaddr);
        }
    }
}

/// A table that this was said by is page `page`, or on one frame with it.
fn stand_on(host: &SimHost, said: &walk::Said, page: u32) -> bool {
    let frame = host.frame_of(page);
    let is = |table: &u32| *table == page || frame.is_some() && host.frame_of(*table) == frame;
    said.tables[..said.levels].iter().any(is)
}

/// What the tables said at the walk is not known if what befell the step changed one of them.
#[inline]
fn is_disturbed(host: &SimHost, step: &Step, said: &walk::Said) -> bool {
    let during = step.quals.during;
    during.is_some_and(|during| disturbs(host, during.event, said))
}

#[cold]
fn disturbs(host: &SimHost, event: Event, said: &walk::Said) -> bool {
    match event {
        Event::Write { gpa, width, .. } => {
            let last = gpa.wrapping_add(u32::from(width.max(1)) - 1);
            stand_on(host, said, gpa >> 12) || stand_on(host, said, last >> 12)
        }
        Event::Unmap(page) | Event::Protect(page) | Event::Unprotect(page) | Event::Share(page) => {
            stand_on(host, said, page)
        }
    }
}
