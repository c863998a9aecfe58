// SPDX-License-Identifier: GPL-2.0-or-later
//! What was noted in a step, gone through in order: pins, entries as they are stored, tables, and which call did it.

use super::breach::Oracle;
use super::doing::Doing;
use super::justified::{self, Pin};
use super::leaf::{Leaf, Origin, Place, RIGHTS};
use super::mirror::How;
use super::told::{Fresh, number};
use super::walk::{PRESENT, frame};
use super::{Watch, bits};
use crate::sim::{Kind, SimHost};

impl Watch {
    /// Goes through what was noted: the verb of what was being done last.
    pub(super) fn take(&mut self, host: &SimHost, call: Option<&[u32; 5]>) -> Doing {
        let direct = self.verb;
        if host.journal().is_empty() {
            if let Some(args) = call {
                self.course.call(args, self.clock);
            }
            return direct;
        }
        let mut verb = direct;
        // Number and arguments of the call that is being made, if one is; those of the ring's are kept beside it.
        let mut made = call;
        let mut of_ring;
        let notes = host.journal().notes();
        for note in notes.list() {
            let about = note.about;
            match note.kind {
                Kind::Table => {
                    self.course.page(about);
                    self.mirror.fresh(about);
                }
                Kind::Free => {
                    self.moved();
                    self.mirror.gone(about);
                }
                Kind::Draw => self.course.draw(about),
                Kind::Pin => {
                    let update = made.is_some_and(|args| args[0] == number::SET_PTE);
                    let Some(pfn) = note.pinned() else {
                        // Where a page cannot be had a fault may store that past `set_pte`.
                        self.failed |= !update;
                        continue;
                    };
                    self.mirror.touch(pfn, How::Took);
                    self.open.push(Pin {
                        addr: about,
                        pfn,
                        write: note.write,
                        writable: note.writable,
                        clock: self.clock,
                        update,
                    });
                }
                Kind::Get => self.mirror.touch(about, How::Took),
                Kind::Put => self.mirror.touch(about, How::Put),
                Kind::Pte => {
                    let pin = self.open.pop_if(|pin| pin.pfn == frame(note.value));
                    self.stored(about, note.value, pin, verb, made.is_some());
                }
                Kind::Upper => {
                    self.moved();
                    let top = self.mirror.is_top(about);
                    if let Some(what) = bits::upper(note.value, self.switcher.pae, top) {
                        self.tell(Oracle::Bits, verb, what, about);
                    }
                    self.mirror.upper(about, note.value);
                }
                Kind::Ring => {
                    self.tick();
                    of_ring = notes.ring(note);
                    verb = Doing::Call(of_ring[0]);
                    made = Some(&of_ring);
                }
                Kind::RingDone => {
                    if let Some(args) = made {
                        self.course.call(args, self.clock);
                    }
                    self.tick();
                    (verb, made) = (direct, call);
                }
            }
        }
        if let Some(args) = made {
            self.course.call(args, self.clock);
        }
        verb
    }

    /// An entry of the lowest level holds this now, for which this pin was made; `by_call`: a call stored it.
    pub(super) fn stored(
        &mut self,
        pa: u32,
        value: u64,
        pin: Option<Pin>,
        verb: Doing,
        by_call: bool,
    ) {
        let Some(place) = self.mirror.place(pa) else {
            return self.tell(Oracle::Justified, verb, "a store to what is no table", pa);
        };
        let leaf = match value & PRESENT {
            0 => {
                self.orphans.extend(pin.map(|pin| (pin.pfn, verb)));
                None
            }
            _ => Some(Leaf::new(
                value,
                self.origin(value, place, pin, verb, by_call),
            )),
        };
        self.mirror.set(pa, leaf);
    }

    /// What a present entry came from, which is told if it must not be.
    #[inline]
    fn origin(
        &mut self,
        value: u64,
        place: Place,
        pin: Option<Pin>,
        verb: Doing,
        by_call: bool,
    ) -> Origin {
        if place.vaddr >= self.switcher.addr {
            self.moved();
            return Origin::own(self.clock);
        }
        if let Some(what) = justified::stored(value, pin.as_ref()) {
            self.tell(Oracle::Justified, verb, what, place.vaddr);
        }
        if let Some(what) = bits::leaf(value, self.switcher.pae) {
            self.tell(Oracle::Bits, verb, what, place.vaddr);
        }
        let Some(pin) = pin else {
            return Origin::own(self.clock);
        };
        let page = pin.addr.wrapping_sub(self.machine.mem_base) >> 12;
        self.fresh.push(Fresh {
            vaddr: place.vaddr,
            root: place.root,
            page,
            rights: value as u32 & RIGHTS,
            clock: pin.clock,
            stored: self.mirror.clock,
            by_call,
        });
        Origin::pinned(page, pin.clock)
    }

    /// The Switcher may be mapped otherwise than it was.
    fn moved(&mut self) {
        (self.unseen_by_run, self.unseen_by_marks) = (true, true);
    }
}
