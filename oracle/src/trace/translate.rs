// SPDX-License-Identifier: GPL-2.0-or-later
//! What the calls of a trace are in a scenario: the machine, and the steps of each.

use lguest_engine::scenario::step::split;
use lguest_engine::{Machine, PagingMode, Step, Verb};

use super::gather::{Call, Told};
use super::import::Import;
use super::{Record, TraceError};

/// The guest's end.
pub(super) const OVER: Step = Step::new(Verb::Destroy, [0; 5]);

impl Import {
    /// The steps that a call stands for; the last one is the call itself.
    pub(super) fn steps(&mut self, call: &Call) -> Result<Vec<Step>, TraceError> {
        let o = &call.opener;
        let [a, b, c] = [o.at(0), o.at(1), o.at(2)];
        let fail = |what: &str| Err(TraceError::new(call.line, what));
        let hypercall = |args: [u32; 5]| Ok(vec![Step::new(Verb::Hypercall, args)]);
        match o.letter {
            b'D' => Ok(vec![Step::new(Verb::DemandPage, [a, b & 7, 0, 0, 0])]),
            b'A' => {
                let killed = |(_, r): &Told| r.text.starts_with("Bad address ");
                let verb = if call.inner.iter().any(killed) {
                    Verb::GuestPa
                } else {
                    Verb::TryGuestPa
                };
                Ok(vec![Step::new(verb, [a, 0, 0, 0, 0])])
            }
            b'W' if a < self.machine.cpus.into() => Ok(vec![Step::new(Verb::Run, [a, 0, 0, 0, 0])]),
            b'W' => fail("a host CPU that the machine does not have"),
            b'B' if self.data.is_some() => fail("a second LGUEST_INIT"),
            b'B' => {
                if !self.memory.holds(c, 1388) {
                    return fail("`lguest_data` lies beyond the memory that the rig has");
                }
                self.data = Some(c);
                self.prepare_data(c, a);
                Ok(vec![
                    Step::new(Verb::BootData, [c, a, 0, 0, 0]),
                    Step::new(Verb::Hypercall, [1, c, 0, 0, 0]),
                ])
            }
            b'N' => hypercall([4, a, 0, 0, 0]),
            b'U' => hypercall([5, 0, 0, 0, 0]),
            b'C' => hypercall([5, 1, 0, 0, 0]),
            b'K' => hypercall([7, a, b, c, 0]),
            b'M' if self.machine.mode == PagingMode::Pae => hypercall([13, a, b, 0, 0]),
            b'M' => fail("SET_PMD in a trace of two-level paging"),
            b'S' => {
                let (lo, hi) = split(o.n[2]);
                hypercall([14, a, b, lo, hi])
            }
            b'G' => hypercall([15, a, b, 0, 0]),
            b'F' => Ok(vec![OVER]),
            _ => fail("a second machine in one trace"),
        }
    }
}

/// A slot that a record names.
pub(super) fn slot(line: u64, record: &Record, i: usize) -> Result<u8, TraceError> {
    u8::try_from(record.n[i])
        .ok()
        .filter(|slot| *slot < 4)
        .ok_or_else(|| TraceError::new(line, "a slot that does not exist; expected 0 to 3"))
}

pub(super) fn machine(call: &Call) -> Result<Machine, TraceError> {
    let fail = |what: String| TraceError::new(call.line, what);
    let o = &call.opener;
    let mode = match o.n[6] {
        1024 => PagingMode::NoPae,
        4 => PagingMode::Pae,
        n => return Err(fail(format!("{n} top-level entries; expected 1024 or 4"))),
    };
    if o.n[5] != 1 + 2 * o.n[4] {
        let what = "the Switcher's pages do not fit the CPUs; expected 1 and 2 for each";
        return Err(fail(what.into()));
    }
    let Some(device_pages) = o.at(2).checked_sub(o.at(1)) else {
        return Err(fail("device_limit below pfn_limit".into()));
    };
    let machine = Machine {
        mode,
        mem_base: o.at(0),
        pages: o.at(1),
        device_pages,
        switcher: o.at(3),
        cpus: u8::try_from(o.n[4]).unwrap_or(u8::MAX),
        ..Machine::DEFAULT
    };
    machine
        .check()
        .map_err(|error| fail(format!("a machine that the rig does not have: {error}")))?;
    Ok(machine)
}
