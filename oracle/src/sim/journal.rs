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

/// The notes of a step.
#[derive(Default)]
pub struct Journal {
    on: Cell<bool>,
    /// What the mapping behind the pin that is noted next allows.
    writable: Cell<bool>,
    notes: RefCell<Vec<Note>>,
}

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
        }
    }

    /// Nothing was noted since the step began.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.notes.borrow().is_empty()
    }

    /// The notes since the step began.
    pub fn notes(&self) -> Ref<'_, Vec<Note>> {
        self.notes.borrow()
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
            _ => true,
        }
    }

    /// Takes up a word of the running hash in the form of [`super::Call`].
    #[inline]
    pub fn note(&self, kind: u32, a: u64, b: u64, bytes: &[u8]) {
        let low = a as u32;
        let note = match kind {
            1 => Note::Table(low),
            2 => Note::Free(low),
            3 => Note::Pin {
                addr: low,
                write: a >> 32 != 0,
                writable: self.writable.get(),
                pfn: u32::try_from(b).ok().filter(|pfn| *pfn != u32::MAX),
            },
            4 => Note::Get(low),
            5 => Note::Put(low),
            6 if a >> 32 & 0xffff == RING_ENTRY && bytes.len() as u64 == RING_ENTRY => {
                let mut args = [0; 5];
                for (arg, word) in args.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *arg = u32::from_le_bytes(*word);
                }
                Note::Ring(args)
            }
            7 if a >> 32 & 0xffff == 1 => Note::RingDone,
            8 => Note::Draw(low),
            10 | STORED_AGAIN => Note::Pte(low, b),
            11 | 12 => Note::Upper(low, b),
            _ => return,
        };
        self.notes.borrow_mut().push(note);
    }
}
