// SPDX-License-Identifier: GPL-2.0-or-later
//! Sets up the way into shadow tables and back, and has accesses performed there.
//!
//! As in lguest, the code lies on the Switcher's text page and the descriptor tables on the second page of a host CPU;
//! its first page is the stack, with the accesses to perform and what came of them. All three are mapped at the same
//! addresses in tables of our own, through which the processor goes from no paging into the shadow and back.

use crate::code::{STORE_AT, code, copy, own};
use crate::machine::{frame, frame_longs};

/// Most accesses at once.
pub const BATCH: usize = 64;
/// A word of the Switcher's pages that accesses may have, by its offset in bytes.
pub const SPARE: u32 = 0xff0;

/// Where things are, as virtual addresses.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The code's page.
    pub text: u32,
    /// The stack's page.
    pub stack: u32,
    /// The page of descriptor tables.
    pub tables: u32,
}

/// The frames behind them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// The code's.
    pub text: u32,
    /// The stack's.
    pub stack: u32,
    /// The descriptor tables'.
    pub tables: u32,
}

/// What kind of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// A load.
    Read = 0,
    /// A store.
    Write = 1,
    /// An instruction fetch.
    Fetch = 2,
}

/// An access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Its address; a word boundary.
    pub vaddr: u32,
    /// What it does.
    pub kind: Kind,
    /// From ring 3.
    pub user: bool,
    /// What it stores.
    pub value: u32,
}

/// What the processor said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Done; the word that a load found.
    Done(u32),
    /// A page fault: error code and CR2.
    Fault(u32, u32),
    /// Another exception.
    Exception(u32),
    /// Nothing: it was never tried.
    Nothing,
}

const FIRST: usize = 256 / 4;
const WORDS: usize = 32 / 4;

/// The crossing as it is set up now.
pub struct Crossing {
    place: Place,
    frames: Frames,
    pae: bool,
    way: u32,
    used: usize,
}

impl Crossing {
    /// Nothing set up.
    pub const fn new() -> Self {
        Crossing {
            place: Place {
                text: 0,
                stack: 0,
                tables: 0,
            },
            frames: Frames {
                text: 0,
                stack: 0,
                tables: 0,
            },
            pae: false,
            way: 0,
            used: 0,
        }
    }

    /// Sets up our own tables, the code and the descriptor tables for these places.
    pub fn set(&mut self, pae: bool, place: Place, frames: Frames) {
        if (self.place, self.frames, self.pae) == (place, frames, pae) {
            return;
        }
        (self.place, self.frames, self.pae) = (place, frames, pae);
        let code = code();
        copy(frames.text, code.probe[0], code.probe[1]);
        let [begin, twin] = [code.way[0], own(8) << 12];
        let taken = [place.text, place.stack, place.tables];
        self.way = if taken.contains(&begin) { twin } else { begin };
        self.used = 1;
        (0..8).for_each(|i| frame(own(i)).iter().for_each(|word| word.set(0)));
        self.map(place.text, frames.text);
        self.map(place.stack, frames.stack);
        self.map(place.tables, frames.tables);
        self.map(self.way, self.way >> 12);
        self.describe();
        let context = frame(frames.stack);
        let back = self.way + (code.way[1] - begin);
        for (i, value) in [
            (1, own(0) << 12),
            (3, back),
            (4, frames.stack << 12),
            (6, place.stack),
            (7, place.text),
            // Limit and address: GDT behind the IDT.
            (8, 47 | (place.tables + 0x800) << 16),
            (9, (place.tables + 0x800) >> 16),
            (10, 0x18f | place.tables << 16),
            (11, place.tables >> 16),
        ] {
            context[i].set(value);
        }
    }

    /// Maps a page in our own tables, writable for the supervisor.
    fn map(&mut self, vaddr: u32, pfn: u32) {
        let levels: &[(u32, u32)] = if self.pae {
            &[(30, 3), (21, 511), (12, 511)]
        } else {
            &[(22, 1023), (12, 1023)]
        };
        let mut table = own(0);
        for (level, (shift, mask)) in levels.iter().enumerate() {
            let index = (vaddr >> shift & mask) as usize;
            let last = level + 1 == levels.len();
            let (now, size) = if self.pae {
                (frame_longs(table)[index].get() as u32, 2)
            } else {
                (frame(table)[index].get(), 1)
            };
            let next = if last {
                pfn
            } else if now & 1 != 0 {
                now >> 12
            } else {
                self.used += 1;
                own(self.used - 1)
            };
            let flags = if self.pae && level == 0 { 1 } else { 0x63 };
            frame(table)[index * size].set(next << 12 | flags);
            table = next;
        }
    }

    /// Writes IDT, GDT and TSS. The processor writes to none of them: it could not.
    fn describe(&self) {
        let page = frame(self.frames.tables);
        let code = code();
        let text = |symbol: u32| self.place.text + (symbol - code.probe[0]);
        let [done, fault, others] = code.handlers.map(text);
        let gate = |i: usize, to: u32, rights: u32| {
            page[2 * i].set(to & 0xffff | 8 << 16);
            page[2 * i + 1].set(to & 0xffff_0000 | rights);
        };
        for i in 0..32 {
            gate(i, others + 16 * i as u32, 0x8e00);
        }
        gate(14, fault, 0x8e00);
        gate(0x30, done, 0xee00);
        let task = self.place.tables + 0x900;
        let descriptors: [u64; 5] = [
            0,
            0x00cf_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_fb00_0000_ffff,
            0x00cf_f300_0000_ffff,
        ];
        for (i, descriptor) in descriptors.iter().enumerate() {
            page[0x200 + 2 * i].set(*descriptor as u32);
            page[0x201 + 2 * i].set((*descriptor >> 32) as u32);
        }
        page[0x20a].set(0x67 | task << 16);
        page[0x20b].set(task >> 16 & 0xff | 0x8900 | task & 0xff00_0000);
        page[0x241].set(self.place.stack + 0xfe0);
        page[0x242].set(0x10);
        page[0x259].set(0x68 << 16);
    }

    /// Has the processor perform `accesses` in the tables at `root`.
    ///
    /// `user` is where the code for user mode is mapped.
    pub fn perform(&self, root: u32, accesses: &[Access], user: u32, answers: &mut [Answer]) {
        let context = frame(self.frames.stack);
        for (i, access) in accesses.iter().enumerate() {
            let at = &context[FIRST + WORDS * i..][..WORDS];
            at.iter().for_each(|word| word.set(0));
            at[0].set(access.vaddr);
            at[1].set(access.kind as u32 | u32::from(access.user) << 2);
            at[2].set(access.value);
            at[7].set(match access.kind {
                Kind::Read => user,
                Kind::Write => user + STORE_AT as u32,
                Kind::Fetch => access.vaddr,
            });
        }
        context[0].set(root);
        context[2].set(accesses.len() as u32);
        // Loading the task register makes it busy.
        let task = &frame(self.frames.tables)[0x20b];
        task.set(task.get() & !0x200);
        // SAFETY: this is where the code is; it keeps the registers that C keeps.
        let cross: extern "C" fn(u32) = unsafe { core::mem::transmute(self.way as usize) };
        cross(self.frames.stack << 12);
        for (i, answer) in answers.iter_mut().enumerate().take(accesses.len()) {
            let at: &[_] = &context[FIRST + WORDS * i..][..WORDS];
            *answer = match at[3].get() {
                1 => Answer::Done(at[2].get()),
                2 => Answer::Fault(at[4].get(), at[5].get()),
                3 => Answer::Exception(at[4].get()),
                _ => Answer::Nothing,
            };
        }
    }
}
