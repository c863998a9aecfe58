// SPDX-License-Identifier: GPL-2.0-or-later
//! Gathers the records of a trace into calls, each with all that is nested in it.

use super::{MESSAGE, Reader, Record, TraceError};

/// Most records of one call, which are held in memory.
const MOST_RECORDS: usize = 1 << 20;

/// A record and its line.
pub type Told = (u64, Record);

/// A call from outside, with what it did.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The line of its opener.
    pub line: u64,
    /// The record that opens it.
    pub opener: Record,
    /// All that is nested in it, its closer among them.
    pub inner: Vec<Told>,
    /// The trace ends before the call does.
    pub open: bool,
}

/// A piece of a trace.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A call.
    Call(Call),
    /// A kill by code outside of page_tables.c.
    Kill(u64, Record),
    /// The state of a shadow.
    Check(u64, Record),
}

impl Piece {
    /// The line of its last record.
    pub fn last_line(&self) -> u64 {
        match self {
            Piece::Call(call) => call.inner.last().map_or(call.line, |(line, _)| *line),
            Piece::Kill(line, _) | Piece::Check(line, _) => *line,
        }
    }
}

/// What closes an opener, if anything does.
const fn closer(opener: u8) -> Option<u8> {
    match opener {
        b'I' | b'D' | b'N' | b'C' | b'K' | b'A' => Some(opener.to_ascii_lowercase()),
        _ => None,
    }
}

/// Letters that open a call.
const OPENERS: &[u8] = b"IBDSGMNUCKAWF";

/// What stands at depth 0 behind these openers, which nothing closes.
const fn follows(opener: u8, letter: u8) -> bool {
    match opener {
        b'S' => matches!(letter, b'f' | b't'),
        b'G' => letter == b'q',
        _ => false,
    }
}

/// A call of this sort can make this message itself, although it stands behind it.
fn can_say(opener: u8, text: &str) -> bool {
    let one_of = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    match opener {
        b'A' => one_of(&["Bad address "]),
        b'S' => one_of(&[
            "attempt to set pte into Switcher",
            "bad page table entry",
            "failed to get page ",
        ]),
        b'G' => one_of(&["Attempt to set pgd ", "out of memory allocating "]),
        b'K' => one_of(&["bad stack "]),
        b'B' => one_of(&[
            "bad guest page ",
            "bad kernel address ",
            "Writing timestamp",
        ]),
        b'N' | b'C' | b'M' => one_of(&["out of memory allocating ", "Cannot populate "]),
        _ => false,
    }
}

/// Makes pieces of a trace.
pub struct Gather {
    reader: Reader,
    pending: Option<Call>,
    /// Openers of the pending call that are still to be closed: depth, letter, line.
    stack: Vec<(u8, u8, u64)>,
    /// A piece that came up when the one before it had to be given.
    held: Option<Piece>,
    over: bool,
}

impl Gather {
    /// The pieces of what `reader` gives.
    pub fn new(reader: Reader) -> Self {
        Gather {
            reader,
            pending: None,
            stack: Vec::new(),
            held: None,
            over: false,
        }
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// The trace is none, or is cut off.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, TraceError> {
        if let Some(piece) = self.held.take() {
            return Ok(Some(piece));
        }
        while !self.over {
            let Some((line, record)) = self.reader.next_record()? else {
                self.over = true;
                let mut last = self.pending.take();
                if let Some(call) = &mut last {
                    call.open = !self.stack.is_empty();
                }
                return Ok(last.map(Piece::Call));
            };
            let next = match record.letter {
                b'Z' if record.depth == 0 => Piece::Check(line, record),
                MESSAGE if record.depth == 0 && self.stack.is_empty() => match &mut self.pending {
                    Some(call) if can_say(call.opener.letter, &record.text) => {
                        call.inner.push((line, record));
                        continue;
                    }
                    _ => Piece::Kill(line, record),
                },
                letter if record.depth == 0 && OPENERS.contains(&letter) => {
                    if letter == b'C' && self.continues() {
                        self.nest(line, record)?;
                        continue;
                    }
                    Piece::Call(Call {
                        line,
                        opener: record,
                        ..Call::default()
                    })
                }
                _ => {
                    self.nest(line, record)?;
                    continue;
                }
            };
            if let Some((_, letter, opened)) = self.stack.last() {
                let what = format!(
                    "`{}` of line {opened} is not closed; expected `{}` before what comes from outside",
                    char::from(*letter),
                    char::from(closer(*letter).unwrap_or(*letter)),
                );
                return Err(TraceError::new(line, what));
            }
            let done = self.pending.take().map(Piece::Call);
            match next {
                Piece::Call(call) => {
                    self.stack.extend(
                        closer(call.opener.letter).map(|_| (0, call.opener.letter, call.line)),
                    );
                    self.pending = Some(call);
                    if done.is_some() {
                        return Ok(done);
                    }
                }
                other if done.is_some() => {
                    self.held = Some(other);
                    return Ok(done);
                }
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    /// The pending call is an LGUEST_INIT, whose second part is a `C` of its own.
    fn continues(&self) -> bool {
        let begun = |call: &Call| {
            call.opener.letter == b'B' && call.inner.iter().all(|(_, r)| r.letter == MESSAGE)
        };
        self.pending.as_ref().is_some_and(begun)
    }

    fn nest(&mut self, line: u64, record: Record) -> Result<(), TraceError> {
        let letter = record.letter;
        let shown = char::from(letter);
        let Some(call) = &mut self.pending else {
            let what = format!("`{shown}` outside of any call; expected one of IBDSGMNUCKAWF");
            return Err(TraceError::new(line, what));
        };
        if self.stack.is_empty() && record.depth != 0 && call.opener.letter != b'M' {
            let what = format!("`{shown}` behind the end of the call of line {}", call.line);
            return Err(TraceError::new(line, what));
        }
        if letter.is_ascii_lowercase() && b"idncka".contains(&letter) {
            match self.stack.pop() {
                Some((depth, opener, _))
                    if depth == record.depth && closer(opener) == Some(letter) => {}
                _ => {
                    let what = format!("`{shown}` closes no call at depth {}", record.depth);
                    return Err(TraceError::new(line, what));
                }
            }
        } else if record.depth == 0 {
            let belongs = follows(call.opener.letter, letter) || letter == b'C';
            if !belongs || !self.stack.is_empty() {
                let what = format!(
                    "`{shown}` at depth 0 behind `{}`, which has none",
                    char::from(call.opener.letter)
                );
                return Err(TraceError::new(line, what));
            }
        } else if !b"DCPRXrwf".contains(&letter) {
            let what = format!("`{shown}` within a call; expected one of DCPRXrwf or a closer");
            return Err(TraceError::new(line, what));
        }
        if let b'D' | b'C' = letter {
            self.stack.push((record.depth, letter, line));
        }
        if call.inner.len() >= MOST_RECORDS {
            let what = format!(
                "more than {MOST_RECORDS} records in the call of line {}",
                call.line
            );
            return Err(TraceError::new(line, what));
        }
        call.inner.push((line, record));
        Ok(())
    }
}
