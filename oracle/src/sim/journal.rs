// SPDX-License-Identifier: GPL-2.0-or-later
//! What the code under test asked of its host in one step, kept for the oracles: flat, and its room is used again.

use std::cell::{Cell, Ref, RefCell};

/// One thing that happened; numbers of kinds are those of the running hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// A table page was handed out.
    Table(u32),
    /// A table page was taken back: its physical address.
    Free(u32),
    /// A page was asked for.
    Pin {
        /// Launcher address.
        addr: u32,
        /// It was asked for to be written.
        write: bool,
        /// The mapping let the frame be written, whatever was asked for.
        writable: bool,
        /// The frame, or nothing if it could not be had.
        pfn: Option<u32>,
    },
    /// A reference was taken on a frame.
    Get(u32),
    /// A reference was put back.
    Put(u32),
    /// A random number was drawn.
    Draw(u32),
    /// A lowest-level entry at this physical address was set to this value, which it may have had before.
    Pte(u32, u64),
    /// A middle or top-level entry did.
    Upper(u32, u64),
    /// The arguments of a call were taken from the ring.
    Ring([u32; 5]),
    /// The call from the ring is done.
    RingDone,
}

/// A note as it is kept: what it tells is found out when it is read.
#[derive(Clone, Copy)]
struct Kept {
    kind: u8,
    /// Of a pin: it was asked for to be written, and the mapping let the frame be written.
    write: bool,
    writable: bool,
    /// An address, a frame or a number; of a call from the ring, which of `rings` it is.
    low: u32,
    /// A value stored, or the frame that was pinned.
    value: u64,
}

/// The notes of a step.
#[derive(Default)]
pub struct Journal {
    on: Cell<bool>,
    /// What the mapping behind the pin that is noted next allows.
    writable: Cell<bool>,
    notes: RefCell<Vec<Kept>>,
    rings: RefCell<Vec<[u32; 5]>>,
}

/// The notes of a step, to be read.
pub struct Notes<'j> {
    notes: Ref<'j, Vec<Kept>>,
    rings: Ref<'j, Vec<[u32; 5]>>,
}

impl Notes<'_> {
    /// In order.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Note> {
        self.notes.iter().map(|kept| kept.read(&self.rings))
    }
}

impl Kept {
    #[inline]
    fn read(&self, rings: &[[u32; 5]]) -> Note {
        let low = self.low;
        match self.kind {
            1 => Note::Table(low),
            2 => Note::Free(low),
            3 => Note::Pin {
                addr: low,
                write: self.write,
                writable: self.writable,
                pfn: u32::try_from(self.value)
                    .ok()
                    .filter(|pfn| *pfn != u32::MAX),
            },
            4 => Note::Get(low),
            5 => Note::Put(low),
            6 => Note::Ring(rings.get(low as usize).copied().unwrap_or_default()),
            8 => Note::Draw(low),
            10 | STORED_AGAIN_KIND => Note::Pte(low, self.value),
            11 | 12 => Note::Upper(low, self.value),
            _ => Note::RingDone,
        }
    }
}

const STORED_AGAIN_KIND: u8 = STORED_AGAIN as u8;

/// The number of a lowest-level entry stored as it was: the running hash has no such word.
pub const STORED_AGAIN: u32 = 13;

/// Bytes of one ring entry; nothing else that is read of a guest is as long.
const RING_ENTRY: u64 = 20;

impl Journal {
    /// Whether notes are kept.
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Keeps notes from now on, or no longer.
    pub fn keep(&self, on: bool) {
        self.on.set(on);
        self.clear();
    }

    /// Forgets the notes of the step before.
    #[inline]
    pub fn clear(&self) {
        if self.on.get() {
            self.notes.borrow_mut().clear();
            self.rings.borrow_mut().clear();
        }
    }

    /// Nothing was noted since the step began.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.notes.borrow().is_empty()
    }

    /// The notes since the step began.
    pub fn notes(&self) -> Notes<'_> {
        Notes {
            notes: self.notes.borrow(),
            rings: self.rings.borrow(),
        }
    }

    /// Says what the mapping behind the pin that is noted next allows.
    pub fn pinning(&self, writable: bool) {
        self.writable.set(writable);
    }

    /// Whether a note is made of such a word; most copies are of no interest.
    #[inline(always)]
    pub fn wants(kind: u32, a: u64) -> bool {
        let len = a >> 32 & 0xffff;
        match kind {
            6 => len == RING_ENTRY,
            7 => len == 1,
            1..=5 | 8 | 10..=STORED_AGAIN => true,
            // Messages.
            _ => false,
        }
    }

    /// Takes up a word of the running hash in the form of [`super::Call`].
    #[inline]
    pub fn note(&self, kind: u32, a: u64, b: u64, bytes: &[u8]) {
        if !Self::wants(kind, a) {
            return;
        }
        let mut low = a as u32;
        if kind == 6 {
            let Ok(bytes) = <&[u8; RING_ENTRY as usize]>::try_from(bytes) else {
                return;
            };
            let mut args = [0; 5];
            for (arg, word) in args.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *arg = u32::from_le_bytes(*word);
            }
            let mut rings = self.rings.borrow_mut();
            low = rings.len() as u32;
            rings.push(args);
        }
        self.notes.borrow_mut().push(Kept {
            kind: kind as u8,
            write: a >> 32 != 0,
            writable: self.writable.get(),
            low,
            value: b,
        });
    }
}
