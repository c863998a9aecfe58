// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes a replay as a trace: the records that a real host's log would have of it.
//!
//! All of a trace's records come back so, but for what the rig has nobody to do: the bits that a real processor sets
//! in shadow entries (old flags of `t`, flags of `q`) are not set, a kill by code that the rig does not have has the
//! message of the SHUTDOWN that stands for it, and error codes have three bits. Of a hypercall that runs the ring
//! first only its messages are told.

use std::io::{self, Write};

use lguest_engine::scenario::recorded::CHECK;
use lguest_engine::{Machine, PageRecord, Step, Verb};

use super::lanes::Lanes;
use super::{Item, Record, TraceError};

/// Calls between two checks.
const BETWEEN_CHECKS: u32 = 256;

/// The call counts towards the next check; the two that do not are none of page_tables.c's, or seldom do anything.
fn counts(record: &Record) -> bool {
    record.depth == 0 && b"ABCDGMNSU".contains(&record.letter)
}

/// Why there is no export.
#[derive(Debug)]
pub enum ExportError {
    /// The scenario or trace is broken.
    Trace(TraceError),
    /// It cannot be written.
    Output(io::Error),
    /// The sides differ, at this record.
    Differ(u64, String),
}

impl std::fmt::Display for ExportError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExportError::Trace(error) => error.fmt(to),
            ExportError::Output(error) => write!(to, "cannot be written: {error}"),
            ExportError::Differ(at, how) => write!(to, "record {at}: the sides differ: {how}"),
        }
    }
}

impl std::error::Error for ExportError {}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        ExportError::Output(error)
    }
}

/// A trace that is being written, and the records of the step in hand.
struct Writer<'a> {
    to: &'a mut dyn Write,
    records: Vec<Record>,
    checks: Vec<Record>,
    since_check: u32,
}

impl Writer<'_> {
    /// The checks of all shadows that there are, as they would stand before what comes next.
    fn look(&mut self, lanes: &mut dyn Lanes) {
        self.checks.clear();
        let checks = &mut self.checks;
        let mut first = true;
        lanes.each(&mut |_, side| {
            if !std::mem::take(&mut first) {
                return;
            }
            for slot in (0..4).filter(|slot| side.has(*slot)) {
                let check = side.check(slot);
                let numbers = [
                    slot as u64,
                    check.gpgdir.into(),
                    check.switcher_mapped.into(),
                    i64::from(check.last_host_cpu) as u64,
                    check.pgds.into(),
                    check.ptes.into(),
                    check.hash.into(),
                ];
                checks.push(Record::new(0, CHECK, &numbers));
            }
        });
    }

    /// Writes what the first side did in the step that is over.
    fn step(&mut self, lanes: &mut dyn Lanes) -> io::Result<()> {
        let mut first = true;
        let records = &mut self.records;
        lanes.each(&mut |_, side| {
            if std::mem::take(&mut first) {
                side.take(records);
            } else {
                side.take(&mut Vec::new());
            }
        });
        for record in &self.records {
            let due = counts(record) && self.since_check >= BETWEEN_CHECKS;
            if (due || record.letter == b'F') && !self.checks.is_empty() {
                for check in self.checks.drain(..) {
                    writeln!(self.to, "{check}")?;
                }
                self.since_check = 0;
            }
            self.since_check += u32::from(counts(record));
            writeln!(self.to, "{record}")?;
        }
        Ok(())
    }
}

/// Replays steps, and writes what the first side does.
///
/// # Errors
/// The steps are broken off by an error, the sides differ, or `to` takes no more.
pub fn export(
    lanes: &mut dyn Lanes,
    machine: &Machine,
    pages: &[PageRecord],
    items: &mut dyn Iterator<Item = Result<Item, TraceError>>,
    to: &mut dyn Write,
) -> Result<(), ExportError> {
    let mut writer = Writer {
        to,
        records: Vec::new(),
        checks: Vec::new(),
        since_check: 0,
    };
    let differ = |lanes: &dyn Lanes, at, d| ExportError::Differ(at, lanes.describe(&d));
    let begun = lanes.start(machine, pages);
    begun.map_err(|d| differ(lanes, 1, d))?.ok();
    writer.step(lanes)?;
    for item in items {
        let Item { line, step } = item.map_err(ExportError::Trace)?;
        if step.verb == Verb::Expect {
            continue;
        }
        go(&mut writer, lanes, &step).map_err(|e| e.unwrap_or_else(|d| differ(lanes, line, d)))?;
    }
    writer.to.flush()?;
    Ok(())
}

/// One step; the inner error is a difference that is still to be described.
fn go(
    writer: &mut Writer<'_>,
    lanes: &mut dyn Lanes,
    step: &Step,
) -> Result<(), Result<ExportError, lguest_engine::Difference>> {
    if writer.since_check >= BETWEEN_CHECKS || step.verb == Verb::Destroy {
        writer.look(lanes);
    }
    lanes.step(step).map_err(Err)?;
    writer.step(lanes).map_err(|e| Ok(e.into()))
}
