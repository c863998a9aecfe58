// SPDX-License-Identifier: GPL-2.0-or-later
//! Turns a trace into a scenario, call by call: no more of it is held than one call and what guest memory holds.

use std::collections::VecDeque;

use lguest_engine::scenario::recorded::{MORE, NONE};
use lguest_engine::scenario::step::split;
use lguest_engine::{Machine, Recorded, Step, Verb};

use super::gather::{Call, Gather, Piece};
use super::memory::GuestMemory;
use super::translate::{OVER, machine, slot};
use super::{MESSAGE, Reader, TraceError};

/// A step of the scenario and the line of the trace that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The line, from 1.
    pub line: u64,
    /// The step.
    pub step: Step,
}

/// How much becomes an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Results and checks.
    Results,
    /// Also the reads of guest tables, whose values are in the steps anyway: for holding addresses to them.
    Reads,
}

/// A scenario that is made of a trace as it is asked for.
pub struct Import {
    gather: Gather,
    detail: Detail,
    /// The machine; it stands in the trace's first record.
    pub machine: Machine,
    pub(super) memory: GuestMemory,
    pub(super) queue: VecDeque<Item>,
    /// What a reader should know, with its line.
    pub notes: Vec<(u64, String)>,
    /// Slots that have a page, a bit each.
    slots: u8,
    /// The guest-physical address of `lguest_data`, once it is known.
    pub(super) data: Option<u32>,
    dead: bool,
    ended: bool,
    /// The line that was imported last.
    line: u64,
}

impl Import {
    /// Begins with a trace: reads what it says of the machine.
    ///
    /// # Errors
    /// It is no trace, or one of a machine that the rig does not have.
    pub fn new(reader: Reader, detail: Detail) -> Result<Import, TraceError> {
        let mut gather = Gather::new(reader);
        let none = || TraceError::new(1, "no trace; expected `0I` and the machine first");
        let Some(Piece::Call(call)) = gather.next_piece()? else {
            return Err(none());
        };
        if call.opener.letter != b'I' {
            return Err(none());
        }
        let mut machine = machine(&call)?;
        let drawn = call.inner.iter().find(|(_, record)| record.letter == b'R');
        let mut import = Import {
            gather,
            detail,
            machine,
            memory: GuestMemory::new(machine.backed()),
            queue: VecDeque::new(),
            notes: Vec::new(),
            slots: 0,
            data: None,
            dead: false,
            ended: false,
            line: call.line,
        };
        if let Some((line, record)) = drawn {
            machine.first_slot = Some(slot(*line, record, 0)?);
            import.machine = machine;
        }
        import.note_draws(&call)?;
        import.expect(&call)?;
        Ok(import)
    }

    /// What guest memory holds as an entry of a table, as far as the trace has told it.
    #[must_use]
    pub fn guest_entry(&self, at: u32) -> u64 {
        self.memory.load(at, self.entry())
    }

    /// Notes that the trace ends before the guest does, once.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            let what = "the trace ends before the guest does: it is imported up to there";
            self.notes.push((self.line, what.into()));
        }
    }

    fn push(&mut self, line: u64, step: Step) {
        self.queue.push_back(Item { line, step });
    }

    fn push_recorded(&mut self, line: u64, recorded: Recorded) {
        self.push(line, Step::new(Verb::Expect, recorded.args()));
    }

    /// A write to guest memory, in the trace's own terms.
    pub(super) fn poke(&mut self, line: u64, at: u32, len: u32, value: u64) {
        let (lo, hi) = split(value);
        self.push(line, Step::new(Verb::Write, [at, lo, hi, len, 0]));
        self.memory.store(at, len, value);
    }

    fn piece(&mut self, piece: Piece) -> Result<(), TraceError> {
        self.line = piece.last_line();
        match piece {
            Piece::Check(line, record) => {
                let recorded =
                    super::verify::check_of(&record).map_err(|what| TraceError::new(line, what))?;
                self.push_recorded(line, recorded);
                Ok(())
            }
            Piece::Kill(line, record) => {
                if !self.dead {
                    self.kill(line, &record.text);
                }
                self.dead = true;
                Ok(())
            }
            Piece::Call(call) => self.call(&call),
        }
    }

    /// Appends what a message says, in as many pieces as it takes.
    pub(super) fn expect_text(&mut self, line: u64, text: &str) {
        for piece in text.as_bytes().chunks(16) {
            self.push_recorded(line, Recorded::of_text(piece));
        }
    }

    fn call(&mut self, call: &Call) -> Result<(), TraceError> {
        let (line, opener) = (call.line, &call.opener);
        let fail = |what: String| Err(TraceError::new(line, what));
        let letter = char::from(opener.letter);
        if self.ended {
            return fail(format!("`{letter}` behind the guest's end"));
        }
        if self.dead && opener.letter != b'F' {
            return fail(format!(
                "`{letter}` on a guest that is dead: what a ring still does then is not replayed"
            ));
        }
        if self.data.is_none() && b"SGMNUCK".contains(&opener.letter) {
            return fail(format!(
                "`{letter}` before LGUEST_INIT; expected `B` before the first hypercall"
            ));
        }
        let steps = self.steps(call)?;
        self.pokes(call)?;
        let quals = self.quals(call)?;
        let (last, before) = steps.split_last().unwrap_or((&OVER, &[]));
        for step in before {
            self.push(line, *step);
        }
        self.push(line, Step { quals, ..*last });
        self.note_draws(call)?;
        self.expect(call)?;
        self.dead |= call.inner.iter().any(|(_, r)| r.letter == MESSAGE);
        self.ended |= opener.letter == b'F';
        Ok(())
    }

    /// What is held against the step: its results in their order, or that there are none.
    fn expect(&mut self, call: &Call) -> Result<(), TraceError> {
        if call.opener.letter == b'F' {
            return Ok(());
        }
        let mut any = false;
        let opener = std::iter::once((call.line, &call.opener));
        let inner = call.inner.iter().map(|(line, record)| (*line, record));
        for (line, record) in opener.chain(inner) {
            if record.letter == MESSAGE {
                self.expect_text(line, &record.text);
                any = true;
                continue;
            }
            let told = record.letter != b'r' || self.detail == Detail::Reads;
            if let Some(recorded) = record.recorded().filter(|_| told) {
                self.push_recorded(line, recorded);
                any = true;
            }
        }
        if call.open {
            let last = call.inner.last().map_or(call.line, |(line, _)| *line);
            self.push_recorded(last, Recorded::new(MORE, &[]));
            let what = format!(
                "the trace ends within `{}` of line {}: it is imported up to there",
                char::from(call.opener.letter),
                call.line
            );
            self.notes.push((last, what));
            self.ended = true;
        } else if !any {
            self.push_recorded(call.line, Recorded::new(NONE, &[]));
        }
        Ok(())
    }

    fn note_draws(&mut self, call: &Call) -> Result<(), TraceError> {
        for (line, record) in call.inner.iter().filter(|(_, r)| r.letter == b'R') {
            let slot = slot(*line, record, 0)?;
            if record.n[1] != 0 {
                self.slots |= 1 << slot;
            }
        }
        Ok(())
    }

    /// Whether a slot has had its page allocated.
    pub(super) fn allocated(&self, slot: u8) -> bool {
        self.slots & 1 << slot != 0
    }
}

impl Iterator for Import {
    type Item = Result<Item, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Some(Ok(item));
            }
            match self.gather.next_piece() {
                Ok(Some(piece)) => {
                    if let Err(error) = self.piece(piece) {
                        return Some(Err(error));
                    }
                }
                Ok(None) => {
                    self.end();
                    return None;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
