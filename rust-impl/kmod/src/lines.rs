// SPDX-License-Identifier: GPL-2.0-or-later
//! The lines of a recording as a guest goes on, kept until they are read.

use core::fmt::{self, Write};

use lguest_engine::record::{ENTRIES, Entry, FRAMES, Held, Scratch};
use lguest_engine::{KeepsCalls, Outcome, Recorder, Side, Step};
use lguest_shadow::HostBug;

/// Room for lines; a step's must fit in the half that is left when the guest is made to wait.
const ROOM: usize = 256 * 1024;

/// A recorder and its room; it is made in place, for it is large.
pub struct Lines {
    tables: [u32; 2048],
    entries: [Entry; 2 * ENTRIES],
    held: [Held; 2 * FRAMES],
    recorder: Option<Recorder<'static>>,
    text: [u8; ROOM],
    len: usize,
    /// A line did not fit.
    lost: bool,
    ended: bool,
}

/// What is free of the text.
struct Tail<'a> {
    text: &'a mut [u8; ROOM],
    len: &'a mut usize,
}

impl Write for Tail<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.checked_add(text.len()).ok_or(fmt::Error)?;
        let place = self.text.get_mut(*self.len..end).ok_or(fmt::Error)?;
        for (to, from) in place.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        *self.len = end;
        Ok(())
    }
}

impl Lines {
    /// Records nothing; zeroes alone need not mean that.
    pub fn forget(&mut self) {
        self.recorder = None;
    }

    /// Begins to record.
    ///
    /// # Safety
    /// The lines stay where they are, and nobody else touches their scratch, as long as they record.
    pub unsafe fn make(&mut self) {
        self.entries.fill(Entry::NONE);
        self.held.fill(Held::NONE);
        let (tables, entries, held) = (
            &raw mut self.tables,
            &raw mut self.entries,
            &raw mut self.held,
        );
        // SAFETY: the caller's word: the recorder alone uses them.
        let room = unsafe {
            Scratch {
                tables: &mut *tables,
                entries: &mut *entries,
                held: &mut *held,
            }
        };
        self.recorder = Some(Recorder::new(room));
    }

    fn write(&mut self, how: impl FnOnce(&mut Recorder<'static>, &mut Tail<'_>) -> fmt::Result) {
        if let Some(recorder) = &mut self.recorder {
            let to = &mut Tail {
                text: &mut self.text,
                len: &mut self.len,
            };
            self.lost |= how(recorder, to).is_err();
        }
    }

    /// The line of the start.
    #[inline(never)]
    pub fn began<S: Side<Host: KeepsCalls>>(&mut self, side: &S, result: &Result<i32, HostBug>) {
        self.write(|recorder, to| recorder.began(side, result, to));
    }

    /// A step's.
    #[inline(never)]
    pub fn step<S: Side<Host: KeepsCalls>>(&mut self, side: &S, step: &Step, outcome: &Outcome) {
        self.write(|recorder, to| recorder.step(side, step, outcome, to));
    }

    /// The last, once.
    #[inline(never)]
    pub fn ended<S: Side<Host: KeepsCalls>>(&mut self, side: &S) {
        if !self.ended {
            self.ended = true;
            self.write(|recorder, to| recorder.ended(side, to));
        }
    }

    /// The guest should wait until lines were read.
    pub fn full(&self) -> bool {
        self.len > ROOM / 2
    }

    /// A line is missing.
    pub fn lost(&self) -> bool {
        self.lost
    }

    /// Hands lines out, and forgets them: how many bytes.
    pub fn take(&mut self, room: &mut [u8]) -> usize {
        let n = room.len().min(self.len);
        for (to, from) in room.iter_mut().zip(&self.text) {
            *to = *from;
        }
        self.text.copy_within(n.min(ROOM)..self.len.min(ROOM), 0);
        self.len = self.len.saturating_sub(n);
        n
    }
}
