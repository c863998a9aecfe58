// SPDX-License-Identifier: GPL-2.0-or-later
//! The binary form of a scenario, little endian, and its strict and its total reader.
//!
//! A header of 16 bytes (magic `LGSC`, version u16, number of page records u16, 8 zero bytes), the
//! machine in 64 bytes, the page records in 16 bytes each, the steps in 48 bytes each, and nothing
//! behind them. The layouts below tell where each field stands; what no field needs is 0.
//!
//! Both readers share one decoder, which gives every record a meaning by reduction. Bytes are
//! canonical if encoding what they decode to gives them back: the strict reader refuses others.

use super::record::{encode_header, le16};
use super::{MAX_PAGE_RECORDS, MAX_STEPS, Machine, PageRecord, Step, Verb};
use core::fmt;

/// The first bytes of a scenario.
pub const MAGIC: [u8; 4] = *b"LGSC";
/// The version of the format.
pub const VERSION: u16 = 1;
/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Bytes of the machine record.
pub const MACHINE_LEN: usize = 64;
/// Bytes of a page record.
pub const PAGE_LEN: usize = 16;
/// Bytes of a step record.
pub const STEP_LEN: usize = 48;

/// A named part of a record: its first byte, and what is right there.
type Layout = [(usize, &'static str)];

const HEADER_LAYOUT: &Layout = &[
    (0, "magic: expected the bytes LGSC"),
    (4, "version: expected 1"),
    (6, "number of page records: expected at most 256"),
    (8, "reserved bytes of the header: expected 0"),
];

const MACHINE_LAYOUT: &Layout = &[
    (0, "mode: expected 0 (nopae), 1 (pae) or 2 (both)"),
    (1, "reuse: expected 0 (lowest), 1 (fifo) or 2 (seeded)"),
    (
        2,
        "machine flags: expected bit 0 (nx) and bit 1 (global) at most",
    ),
    (3, "cpus: expected 1 to 32"),
    (4, "guest number: expected 0"),
    (
        5,
        "expectation: expected 0 (agree) or 1 (a finding, with its id)",
    ),
    (6, "table frames: expected 1 to 2048"),
    (8, "pages: expected at least 1"),
    (
        12,
        "device pages: expected a number whose sum with pages fits 32 bits",
    ),
    (
        16,
        "switcher: expected a page-aligned address, not 0, with its pages below 0xfffff000",
    ),
    (
        20,
        "mem_base: expected a page-aligned address, not 0, with guest memory below 0xc0000000",
    ),
    (24, "tsc_khz"),
    (28, "first slot: expected 0 (none) or 1 to 4"),
    (29, "failing allocation of the start: any value"),
    (30, "reserved bytes of the machine: expected 0"),
    (32, "seed"),
    (40, "finding id: expected A-Z a-z 0-9 _ and then zeros"),
    (55, "reserved bytes of the machine: expected 0"),
];

const PAGE_LAYOUT: &Layout = &[
    (0, "first page: expected a guest page that has memory"),
    (
        4,
        "page count: expected 1 or more guest pages that have memory",
    ),
    (
        8,
        "shared page: expected a guest page that has memory, or 0 if there is none",
    ),
    (
        12,
        "mapping: expected 0 (absent), 1 (read-only), 2 (writable) or 3 (copy-on-write)",
    ),
    (13, "whether a page is shared: expected 0 or 1"),
    (14, "guest number: expected 0"),
    (15, "reserved byte of a page record: expected 0"),
];

const STEP_LAYOUT: &Layout = &[
    (0, "verb: expected 1 to 17"),
    (1, "guest number: expected 0"),
    (2, "step flags: expected bit 0 (fail_message) at most"),
    (3, "draw: expected 0 (none) or 1 to 4"),
    (4, "fail_alloc, fail_pin, fail_copy, call of during"),
    (8, "first argument: expected one that fits the verb"),
    (12, "second argument: expected one that fits the verb"),
    (16, "third argument: expected one that fits the verb"),
    (20, "fourth argument: expected one that fits the verb"),
    (24, "fifth argument: expected one that fits the verb"),
    (28, "event: expected 0 to 4, and 0 if there is none"),
    (
        29,
        "width of an event's write: expected 1, 4 or 8, and 0 if there is none",
    ),
    (30, "reserved bytes of a step: expected 0"),
    (
        32,
        "event's address or page: expected one that fits the event",
    ),
    (36, "reserved bytes of a step: expected 0"),
    (
        40,
        "event's value: expected one that fits its width, and 0 if there is none",
    ),
];

/// Why bytes are no canonical scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinaryError {
    /// Offset of the first field that is wrong.
    pub offset: usize,
    /// What stands there, and what was expected.
    pub what: &'static str,
}

impl fmt::Display for BinaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.what)
    }
}

impl core::error::Error for BinaryError {}

/// A scenario that lies in the bytes it was read from; records are decoded as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Scenario<'a> {
    /// The machine.
    pub machine: Machine,
    pages: &'a [u8],
    steps: &'a [u8],
}

impl<'a> Scenario<'a> {
    /// Reads a canonical scenario.
    ///
    /// # Errors
    /// The first field in which `bytes` are not the canonical form of a scenario of this version.
    pub fn strict(bytes: &'a [u8]) -> Result<Scenario<'a>, BinaryError> {
        let (head, rest) =
            cut::<HEADER_LEN>(bytes, 0, "the header is cut short: expected 16 bytes")?;
        let count = le16(head, 6);
        same(
            head,
            &encode_header(count.min(MAX_PAGE_RECORDS as u16)),
            0,
            HEADER_LAYOUT,
        )?;
        let mut at = HEADER_LEN;
        let (record, mut rest) =
            cut::<MACHINE_LEN>(rest, at, "the machine is cut short: expected 64 bytes")?;
        let machine = Machine::decode(record);
        same(record, &machine.encode(), at, MACHINE_LAYOUT)?;
        at += MACHINE_LEN;
        let pages = rest;
        for _ in 0..count {
            let (record, tail) =
                cut::<PAGE_LEN>(rest, at, "a page record is cut short: expected 16 bytes")?;
            same(
                record,
                &PageRecord::decode(record, &machine).encode(),
                at,
                PAGE_LAYOUT,
            )?;
            (rest, at) = (tail, at + PAGE_LEN);
        }
        let pages = pages.get(..pages.len() - rest.len()).unwrap_or(&[]);
        let steps = rest;
        let mut destroyed = false;
        while !rest.is_empty() {
            let (record, tail) =
                cut::<STEP_LEN>(rest, at, "a step is cut short: expected 48 bytes")?;
            if destroyed {
                let what = "a step after destroy: expected the end";
                return Err(BinaryError { offset: at, what });
            }
            let step = Step::decode(record, &machine);
            same(record, &step.encode(), at, STEP_LAYOUT)?;
            destroyed = step.verb == Verb::Destroy;
            (rest, at) = (tail, at + STEP_LEN);
            if at - HEADER_LEN - MACHINE_LEN - pages.len() > MAX_STEPS * STEP_LEN {
                let what = "too many steps: expected at most 4000000";
                return Err(BinaryError {
                    offset: at - STEP_LEN,
                    what,
                });
            }
        }
        Ok(Scenario {
            machine,
            pages,
            steps,
        })
    }

    /// Gives any bytes a meaning, and canonical bytes the one that [`Scenario::strict`] gives them.
    ///
    /// What is missing of header and machine counts as zeros, values out of range are reduced, a
    /// record that is cut short and steps after the first destroy are ignored.
    #[must_use]
    pub fn total(bytes: &'a [u8]) -> Scenario<'a> {
        let mut head = [0; HEADER_LEN + MACHINE_LEN];
        let (start, rest) = bytes.split_at(bytes.len().min(head.len()));
        head[..start.len()].copy_from_slice(start);
        let (header, machine) = head.split_at(HEADER_LEN);
        let machine = machine
            .first_chunk()
            .map_or(Machine::DEFAULT, Machine::decode);
        let wanted = usize::from(le16(header, 6));
        let wanted = if wanted > MAX_PAGE_RECORDS {
            wanted % MAX_PAGE_RECORDS
        } else {
            wanted
        };
        let (pages, rest) = rest.split_at(wanted.min(rest.len() / PAGE_LEN) * PAGE_LEN);
        let verbs = rest.chunks_exact(STEP_LEN).take(MAX_STEPS);
        let mut len = 0;
        for record in verbs {
            len += 1;
            if record[0] == Verb::Destroy as u8 {
                break;
            }
        }
        Scenario {
            machine,
            pages,
            steps: &rest[..len * STEP_LEN],
        }
    }

    /// The host's page records, in order.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = PageRecord> + Clone + use<'a> {
        let (machine, pages) = (self.machine, self.pages);
        (0..pages.len() / PAGE_LEN).map(move |i| PageRecord::decode(nth(pages, i), &machine))
    }

    /// The steps, in order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step> + Clone + use<'a> {
        let (machine, steps) = (self.machine, self.steps);
        (0..steps.len() / STEP_LEN).map(move |i| Step::decode(nth(steps, i), &machine))
    }

    /// The step at an index from 0.
    #[must_use]
    pub fn step(&self, index: usize) -> Option<Step> {
        let start = index.checked_mul(STEP_LEN)?;
        let record = self.steps.get(start..)?.first_chunk()?;
        Some(Step::decode(record, &self.machine))
    }

    /// The number of steps.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.steps.len() / STEP_LEN
    }

    /// Whether there is no step.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The same scenario without the steps from `steps` on: a bound on the time that one takes.
    #[must_use]
    pub fn truncated(self, steps: usize) -> Scenario<'a> {
        let end = self.len().min(steps) * STEP_LEN;
        Scenario {
            steps: &self.steps[..end],
            ..self
        }
    }
}

/// Splits a record off, or tells that it is cut short.
fn cut<'a, const N: usize>(
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
) -> Result<(&'a [u8; N], &'a [u8]), BinaryError> {
    bytes.split_first_chunk().ok_or(BinaryError {
        offset: at + bytes.len(),
        what,
    })
}

/// The record at an index, which is one of those that `bytes` has.
fn nth<const N: usize>(bytes: &[u8], index: usize) -> &[u8; N] {
    let start = index.wrapping_mul(N);
    bytes
        .get(start..)
        .and_then(<[u8]>::first_chunk)
        .unwrap_or(&[0; N])
}

/// Compares a record with its canonical form, and names the field of the first difference.
fn same(got: &[u8], canonical: &[u8], at: usize, layout: &Layout) -> Result<(), BinaryError> {
    if got == canonical {
        return Ok(());
    }
    let i = got
        .iter()
        .zip(canonical)
        .take_while(|(a, b)| a == b)
        .count();
    let field = layout.iter().rev().find(|(start, _)| *start <= i);
    let (start, what) = field.copied().unwrap_or((i, "not canonical"));
    Err(BinaryError {
        offset: at + start,
        what,
    })
}
