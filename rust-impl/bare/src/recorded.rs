// SPDX-License-Identifier: GPL-2.0-or-later
//! Holds the port to a recording, line by line as the steps are done.

use core::fmt;

use lguest_engine::record::{ENTRIES, Entry, FRAMES, Held, Scratch};
use lguest_engine::{Recorder, Runner, Side};

use crate::follow::At;
use crate::frames::MAX_TABLES;
use crate::host::RealHost;
use crate::say;

/// Bytes of a line that are shown when it is not as recorded.
const SHOWN: usize = 400;

/// The room for all of it.
pub struct Room {
    tables: [u32; MAX_TABLES],
    entries: [Entry; 2 * ENTRIES],
    held: [Held; 2 * FRAMES],
}

impl Room {
    /// Nothing in it.
    pub const fn new() -> Room {
        Room {
            tables: [0; MAX_TABLES],
            entries: [Entry::NONE; 2 * ENTRIES],
            held: [Held::NONE; 2 * FRAMES],
        }
    }

    /// That for the numbers of tables alone.
    pub fn tables(&mut self) -> &mut [u32] {
        &mut self.tables
    }
}

/// The lines that must come, as a sink that is written what comes.
struct Lines<'a> {
    due: &'a [u8],
    agrees: bool,
    shown: [u8; SHOWN],
    len: usize,
}

impl fmt::Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match self.due.split_first() {
                Some((due, rest)) if *due == byte && self.agrees => self.due = rest,
                _ => self.agrees = false,
            }
            if let Some(place) = self.shown.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        Ok(())
    }
}

/// A recording, and how far a side has kept to it.
pub struct Recorded<'a> {
    recorder: Recorder<'a>,
    lines: Lines<'a>,
    over: bool,
}

impl<'a> Recorded<'a> {
    /// Nothing was done yet.
    pub fn new(lines: &'a str, room: &'a mut Room) -> Self {
        Recorded {
            recorder: Recorder::new(Scratch {
                tables: &mut room.tables,
                entries: &mut room.entries,
                held: &mut room.held,
            }),
            lines: Lines {
                due: lines.as_bytes(),
                agrees: true,
                shown: [0; SHOWN],
                len: 0,
            },
            over: false,
        }
    }

    /// Holds what came of a step to its line; the first that is otherwise is told, and nothing behind it.
    pub fn look<S: Side<Host = RealHost>>(
        &mut self,
        runner: &Runner<S>,
        at: &At<'_>,
        mode: &str,
        name: &str,
    ) {
        if self.over || matches!(at, At::Before(..)) {
            return;
        }
        self.lines.len = 0;
        let due = self.lines.due;
        let (side, to) = (&runner.side, &mut self.lines);
        // The lines take whatever is written to them.
        let _ = match at {
            At::Began(result) => self.recorder.began(side, result, to),
            At::After(_, step, outcome) => self.recorder.step(side, step, outcome, to),
            At::Before(..) | At::Ended => self.recorder.ended(side, to),
        };
        let ended = matches!(at, At::Ended);
        if !self.lines.agrees || ended && !self.lines.due.is_empty() {
            let due = due.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let found = &self.lines.shown[..self.lines.len];
            say!("DIFFER {mode} {name}: not as recorded");
            say!("  - {}", text(due));
            say!("  + {}", text(found).trim_end());
            self.lines.agrees = false;
            self.over = true;
        }
    }

    /// Every line was as recorded, to the last one.
    pub fn agrees(&self) -> bool {
        self.lines.agrees
    }
}

/// As much of a line as is shown.
fn text(line: &[u8]) -> &str {
    let line = line.get(..SHOWN).unwrap_or(line);
    core::str::from_utf8(line).unwrap_or("(no text)")
}
