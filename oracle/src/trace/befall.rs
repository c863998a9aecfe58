// SPDX-License-Identifier: GPL-2.0-or-later
//! What befell the calls of a trace: the guest memory that they found, their draws, what failed, kills from outside.

use lguest_engine::{Quals, Step, Verb, scenario::hypercall_name};

use super::gather::Call;
use super::import::Import;
use super::translate::slot;
use super::{MESSAGE, TraceError};

/// What the rig itself writes at LGUEST_INIT: the ring's status, the time.
const RING_STATUS: u32 = 24;
const RING: u32 = 64;
const TSC: u32 = 1372;
const KERNEL_ADDRESS: u32 = 1380;
const RESERVE_MEM: u32 = 1368;
const TIME: u32 = 12;
const SECONDS: u64 = 0x1000;

/// Bytes of a message that SHUTDOWN takes, its end not among them.
const SHUTDOWN_TEXT: usize = 127;
const CRASH: &str = "CRASH:";

impl Import {
    /// Bytes of an entry.
    pub(super) fn entry(&self) -> u32 {
        match self.machine.mode {
            lguest_engine::PagingMode::Pae => 8,
            _ => 4,
        }
    }

    /// Guest memory after LGUEST_INIT, as far as the rig writes it.
    pub(super) fn prepare_data(&mut self, data: u32, kernel_address: u32) {
        self.memory.fill(data + RING_STATUS, &[0xff; RING as usize]);
        let reserved = 0_u32.wrapping_sub(self.machine.switcher);
        for (at, len, value) in [
            (KERNEL_ADDRESS, 4, kernel_address.into()),
            (RESERVE_MEM, 4, reserved.into()),
            (TSC, 4, self.machine.tsc_khz.into()),
            (TIME, 8, SECONDS),
        ] {
            self.memory.store(data + at, len, value);
        }
    }

    /// Writes what the call read to guest memory, where that does not hold it already.
    pub(super) fn pokes(&mut self, call: &Call) -> Result<(), TraceError> {
        let len = self.entry();
        // What the call itself wrote, or what was written for it: no reader after that finds what was before.
        let mut touched: Vec<u32> = Vec::new();
        let mut failing = false;
        for (line, record) in &call.inner {
            let (at, value) = (record.at(0), record.n[1]);
            match record.letter {
                MESSAGE => failing = record.text.starts_with("bad read address "),
                b'r' if std::mem::take(&mut failing) => {}
                b'r' if self.memory.load(at, len) == value && self.memory.holds(at, len) => {
                    touched.push(at);
                }
                b'r' if value == 0 && !self.in_limit(at, len) => {}
                b'r' | b'w' if !self.memory.holds(at, len) => {
                    let what =
                        format!("guest address {at:#x} lies beyond the memory that the rig has");
                    return Err(TraceError::new(*line, what));
                }
                b'r' if len == 4 && value > u32::MAX.into() => {
                    let what = "an entry of more than 32 bits in two-level paging";
                    return Err(TraceError::new(*line, what));
                }
                b'r' if touched.contains(&at) => {
                    let what =
                        "guest memory changed in the middle of a call: what was there first stands";
                    self.notes.push((*line, what.into()));
                }
                b'r' => {
                    if let Some(data) = self.data {
                        let status = data + RING_STATUS;
                        if at < status + RING && status < at + len {
                            let what = "a page table among the ring's status bytes, which the rig needs itself";
                            return Err(TraceError::new(*line, what));
                        }
                    }
                    touched.push(at);
                    self.poke(*line, at, len, value);
                }
                b'w' => {
                    touched.push(at);
                    self.memory.store(at, len, value);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The guest-physical address passes the host's own check.
    fn in_limit(&self, at: u32, len: u32) -> bool {
        let end = at.wrapping_add(len);
        end <= self.machine.pages.wrapping_shl(12) && end >= at
    }

    /// Draws and failures that befell the call.
    pub(super) fn quals(&mut self, call: &Call) -> Result<Quals, TraceError> {
        let mut quals = Quals::NONE;
        // A hypercall reads the ring's status first.
        let ring = u32::from(b"NUCKMSG".contains(&call.opener.letter));
        let (mut pins, mut copies) = (0_u32, ring);
        let nth = |n: u32| u8::try_from(n).unwrap_or(0);
        for (i, (line, record)) in call.inner.iter().enumerate() {
            match record.letter {
                b'R' => {
                    let slot = slot(*line, record, 0)?;
                    quals.draw = quals.draw.or(Some(slot));
                    if record.n[1] == 0 && !self.allocated(slot) {
                        quals.fail_alloc = 1;
                    }
                }
                b'f' => {
                    pins += 1;
                    if record.n[2] == 0 && quals.fail_pin == 0 {
                        quals.fail_pin = nth(pins);
                    } else if record.n[2] == 0 {
                        let what =
                            "a second pin fails in one call; the rig lets the first alone fail";
                        self.notes.push((*line, what.into()));
                    }
                }
                b'r' | b'w' => {
                    let (at, len) = (record.at(0), self.entry());
                    if self.in_limit(at, len) {
                        copies += 1;
                        let before = i.checked_sub(1).map(|i| call.inner[i].1.text.as_str());
                        let failed = before.is_some_and(|text| {
                            text.starts_with("bad read address ")
                                || text.starts_with("bad write address ")
                        });
                        if failed {
                            quals.fail_copy = nth(copies);
                        }
                    }
                }
                MESSAGE if record.text.starts_with("out of memory allocating ") => {
                    quals.fail_alloc = 1;
                    let what =
                        "which allocation failed is not told; the first of the call is let fail";
                    self.notes.push((*line, what.into()));
                }
                _ => {}
            }
        }
        Ok(quals)
    }

    /// The hypercall that kills with just this message.
    fn killing_call(&self, text: &str) -> Option<[u32; 5]> {
        let number = |before: &str, after: &str| -> Option<u32> {
            let number = text.strip_prefix(before)?.strip_suffix(after)?;
            number.parse::<i32>().ok().map(|n| n as u32)
        };
        match self.data {
            None => number("hypercall ", " before INIT").filter(|n| *n != 1),
            Some(_) if text == "already have lguest_data" => Some(1),
            Some(_) => number("Bad hypercall ", "").filter(|n| {
                // SET_PMD is one without PAE.
                hypercall_name(*n).is_none() || (*n == 13 && self.entry() == 4)
            }),
        }
        .map(|n| [n, 0, 0, 0, 0])
    }

    /// Code outside of page_tables.c killed the guest: a SHUTDOWN stands for it, which is that in most cases.
    pub(super) fn kill(&mut self, line: u64, text: &str) {
        if let Some(args) = self.killing_call(text) {
            let step = Step::new(Verb::Hypercall, args);
            self.queue.push_back(super::Item { line, step });
            return self.expect_text(line, text);
        }
        let shutdown = text.strip_prefix(CRASH);
        let told = shutdown.map_or(text, |text| text.strip_prefix(' ').unwrap_or(text));
        let end = told.floor_char_boundary(SHUTDOWN_TEXT);
        // Any place does that the ring is not in: nothing reads guest memory after this.
        let at = match self.data {
            Some(data) if data < 0x1000 => (data + 0x1000) & !0xfff,
            _ => 0,
        };
        let mut message = [0; SHUTDOWN_TEXT + 1];
        message[..end].copy_from_slice(&told.as_bytes()[..end]);
        for (i, bytes) in (0_u32..).zip(message.chunks_exact(8)) {
            let value = bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let at = at + i * 8;
            if self.memory.load(at, 8) != value {
                self.poke(line, at, 8, value);
            }
        }
        let step = Step::new(Verb::Hypercall, [2, at, 1, 0, 0]);
        self.queue.push_back(super::Item { line, step });
        if shutdown.is_some() && end == told.len() && self.data.is_some() {
            self.expect_text(line, text);
        } else {
            let what = format!(
                "a kill by code that the rig does not have (\"{}\"): a SHUTDOWN stands for it",
                text.escape_debug()
            );
            self.notes.push((line, what));
        }
    }
}
