// SPDX-License-Identifier: GPL-2.0-or-later
//! What the code under test asked of its host in one step, kept for the oracles: flat, and its room is used again.

use std::cell::{Cell, Ref, RefCell};

use lguest_c_reference::NO_PFN;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A table page was handed out.
    Table,
    /// A table page was taken back.
    Free,
    /// A page was asked for.
    Pin,
    /// A reference was taken on a frame.
    Get,
    /// A reference was put back.
    Put,
    /// The arguments of a call were taken from the ring.
    Ring,
    /// The call from the ring is done.
    RingDone,
    /// A random number was drawn.
    Draw,
    /// A lowest-level entry was set, to what it held before perhaps.
    Pte,
    /// A middle or top-level entry was.
    Upper,
}

/// The number of a lowest-level entry stored as it was: the running hash has no such word.
pub const STORED_AGAIN: u32 = 13;

/// Bytes of one ring entry; nothing else that is read of a guest is as long.
const RING_ENTRY: u64 = 20;

impl Kind {
    /// What is noted of a word of the running hash with this number; most copies are of no interest.
    #[inline(always)]
    pub fn of(number: u32, a: u64) -> Option<Self> {
        let len = a >> 32 & 0xffff;
        Some(match number {
            1 => Kind::Table,
            2 => Kind::Free,
            3 => Kind::Pin,
            4 => Kind::Get,
            5 => Kind::Put,
            6 if len == RING_ENTRY => Kind::Ring,
            7 if len == 1 => Kind::RingDone,
            8 => Kind::Draw,
            10 | STORED_AGAIN => Kind::Pte,
            11 | 12 => Kind::Upper,
            // Messages, and other copies.
            _ => return None,
        })
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// What it is.
    pub kind: Kind,
    /// Of a pin: it was asked for to be written,
    pub write: bool,
    /// and the mapping let the frame be written, whatever was asked for.
    pub writable: bool,
    /// The physical address of a table or an entry, the launcher's of a pin, the frame of a reference, the number that
    /// was drawn, or which of the ring's calls it is.
    pub about: u32,
    /// What an entry was set to; of a pin, what [`Note::pinned`] reads.
    pub value: u64,
}

impl Note {
    /// The frame that was pinned, if it could be had.
    #[inline]
    pub fn pinned(&self) -> Option<u32> {
        let pfn = self.value as u32;
        (pfn != NO_PFN).then_some(pfn)
    }
}

/// The notes of a step.
#[derive(Default)]
pub struct Journal {
    on: Cell<bool>,
    /// What the mapping behind the pin that is noted next allows.
    writable: Cell<bool>,
    notes: RefCell<Vec<Note>>,
    rings: RefCell<Vec<[u32; 5]>>,
}

/// The notes of a step, to be read.
pub struct Notes<'j> {
    notes: Ref<'j, Vec<Note>>,
    rings: Ref<'j, Vec<[u32; 5]>>,
}

impl Notes<'_> {
    /// In order.
    #[inline]
    pub fn list(&self) -> &[Note] {
        &self.notes
    }

    /// Number and arguments of a call that was taken from the ring.
    pub fn ring(&self, note: &Note) -> [u32; 5] {
        self.rings
            .get(note.about as usize)
            .copied()
            .unwrap_or_default()
    }
}

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

    /// Notes what a word of the running hash tells, given as in [`super::Call`]; the ring's calls come by `ring`.
    #[inline(never)]
    pub fn note(&self, kind: Kind, a: u64, b: u64) {
        if !self.on.get() {
            return;
        }
        let mut notes = self.notes.borrow_mut();
        if notes.len() == notes.capacity() {
            // Apart, and with the numbers as they came: a note that had to be in memory for this would be put together
            // there part by part, and the processor would wait where it is then copied whole.
            drop(notes);
            return self.note_with_room(kind, a, b);
        }
        notes.push(Note {
            kind,
            write: a >> 32 != 0,
            writable: self.writable.get(),
            about: a as u32,
            value: b,
        });
    }

    #[cold]
    fn note_with_room(&self, kind: Kind, a: u64, b: u64) {
        self.notes.borrow_mut().reserve(1);
        self.note(kind, a, b);
    }

    /// Takes up the arguments of a call from the ring; a copy that failed has no bytes, and is none.
    #[inline(never)]
    pub fn ring(&self, bytes: &[u8]) {
        let Ok(bytes) = <&[u8; RING_ENTRY as usize]>::try_from(bytes) else {
            return;
        };
        if self.on.get() {
            let mut args = [0; 5];
            for (arg, word) in args.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *arg = u32::from_le_bytes(*word);
            }
            let mut rings = self.rings.borrow_mut();
            self.note(Kind::Ring, rings.len() as u64, 0);
            rings.push(args);
        }
    }
}

#[cfg(test)]
mod tests {
    use lguest_c_reference::CallKind;

    use super::{Journal, Kind};

    #[test]
    fn words_are_noted_by_their_numbers() {
        let of = |kind: CallKind, len: u64| Kind::of(kind as u32, len << 32);
        assert_eq!(of(CallKind::GetZeroedPage, 0), Some(Kind::Table));
        assert_eq!(of(CallKind::FreePage, 0), Some(Kind::Free));
        assert_eq!(of(CallKind::GetUserPagesFast, 1), Some(Kind::Pin));
        assert_eq!(of(CallKind::GetPage, 0), Some(Kind::Get));
        assert_eq!(of(CallKind::PutPage, 0), Some(Kind::Put));
        assert_eq!(of(CallKind::CopyFromUser, 20), Some(Kind::Ring));
        assert_eq!(of(CallKind::CopyFromUser, 4), None);
        assert_eq!(of(CallKind::CopyToUser, 1), Some(Kind::RingDone));
        assert_eq!(of(CallKind::CopyToUser, 8), None);
        assert_eq!(of(CallKind::PrandomU32, 0), Some(Kind::Draw));
        assert_eq!(of(CallKind::Kasprintf, 0), None);
        assert_eq!(of(CallKind::SetPte, 0), Some(Kind::Pte));
        assert_eq!(of(CallKind::SetPmd, 0), Some(Kind::Upper));
        assert_eq!(of(CallKind::SetPgd, 0), Some(Kind::Upper));
    }

    #[test]
    fn calls_of_the_ring_have_their_arguments_and_a_copy_that_failed_is_none() {
        let journal = Journal::default();
        journal.note(Kind::Put, 1, 0);
        assert!(journal.is_empty(), "it is not kept yet");
        journal.keep(true);
        let entry =
            |first: u8| std::array::from_fn::<u8, 20, _>(|i| if i == 0 { first } else { 0 });
        journal.ring(&entry(7));
        journal.ring(&[]);
        journal.note(Kind::Put, 1, 0);
        journal.ring(&entry(9));
        let notes = journal.notes();
        let kinds: Vec<Kind> = notes.list().iter().map(|note| note.kind).collect();
        assert_eq!(kinds, [Kind::Ring, Kind::Put, Kind::Ring]);
        let args = |i: usize| notes.ring(&notes.list()[i]);
        assert_eq!((args(0), args(2)), ([7, 0, 0, 0, 0], [9, 0, 0, 0, 0]));
    }
}
