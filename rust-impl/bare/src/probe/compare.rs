// SPDX-License-Identifier: GPL-2.0-or-later
//! Holds what the processor said and did to what the walker says.

use lguest_engine::cpu::{self, A, Request};

use super::Probe;
use super::expect::Expected;
use crate::counts::mode_name;
use crate::cross::{Access, Answer, BATCH, Kind};
use crate::machine::frame;
use crate::say;

/// Differences that are printed.
const PRINTED: u32 = 20;

impl Probe<'_> {
    /// Tells of a difference.
    pub fn differ(&mut self, access: &Access, what: &str, walker: u64, processor: u64) {
        self.counts.differences += 1;
        if self.counts.differences <= PRINTED {
            let mode = mode_name(self.pae);
            let ring = if access.user { 3 } else { 0 };
            say!(
                "DIFFER {mode} {} step {}: {:?} of {:#x} from ring {ring}: {what}: {walker:#x}, the processor {processor:#x}",
                self.name,
                self.step,
                access.kind,
                access.vaddr
            );
        }
    }

    pub(super) fn compare(&mut self, access: &Access, e: &Expected, answer: Answer) {
        match (e.walked, answer) {
            (Ok(_), Answer::Done(data)) => {
                if access.kind == Kind::Read && e.word.is_some() && data != e.data {
                    self.differ(access, "data", e.data.into(), data.into());
                }
            }
            (Err(code), Answer::Fault(told, cr2)) => {
                if self.emulated && code & 9 == 9 && told == code & !1 {
                    self.counts.reserved_as_absent += 1;
                } else if code != told {
                    self.differ(access, "error code", code.into(), told.into());
                }
                if cr2 != access.vaddr {
                    self.differ(access, "CR2", access.vaddr.into(), cr2.into());
                }
            }
            (Ok(_), Answer::Fault(told, _)) => {
                self.differ(access, "no fault; error code", 0, told.into());
            }
            (Err(code), Answer::Done(_)) => self.differ(access, "a fault; none", code.into(), 0),
            (_, Answer::Exception(number)) => self.differ(access, "exception", 0, number.into()),
            (_, Answer::Nothing) => self.differ(access, "no answer", 0, 0),
        }
    }

    /// Every word stored to holds what was stored last.
    pub(super) fn compare_stores(&mut self, accesses: &[Access], expected: &[Expected; BATCH]) {
        for (i, (access, e)) in accesses.iter().zip(expected).enumerate() {
            let Some((pfn, word)) = e.word.filter(|_| access.kind == Kind::Write) else {
                continue;
            };
            let later = accesses.iter().zip(expected).skip(i + 1);
            let mut writes = later.filter(|(a, _)| a.kind == Kind::Write);
            if e.walked.is_err()
                || writes.any(|(_, other)| other.walked.is_ok() && other.word == e.word)
            {
                continue;
            }
            let now = frame(pfn)[word as usize].get();
            if now != access.value {
                self.differ(access, "stored", access.value.into(), now.into());
            }
        }
    }

    /// Every entry on the way has the bits that the walker gave it.
    pub(super) fn compare_bits(&mut self, accesses: &[Access], expected: &[Expected; BATCH]) {
        let expected = &expected[..accesses.len()];
        for (access, e) in accesses.iter().zip(expected) {
            for (level, (pa, _)) in e.chain.entries[..e.chain.len].iter().enumerate() {
                let (now, after) = (self.entry(*pa), e.after[level]);
                if now == after {
                    continue;
                }
                // Above the entry that a fault is about, the processor may have marked what it went through.
                let above = |e: &Expected| {
                    let entries = &e.chain.entries[..e.chain.len.max(1) - 1];
                    e.walked.is_err() && entries.iter().any(|(other, _)| other == pa)
                };
                if now == after | A && level == 0 && self.pae && self.emulated {
                    self.counts.marked_top += 1;
                } else if now == after | A && expected.iter().any(above) {
                    self.counts.marked += 1;
                } else {
                    self.differ(access, "entry", after, now);
                }
            }
        }
    }

    pub(super) fn count(&mut self, access: &Access, e: &Expected) {
        let counts = &mut *self.counts;
        counts.writes += u32::from(access.kind == Kind::Write);
        counts.fetches += u32::from(access.kind == Kind::Fetch);
        counts.user += u32::from(access.user);
        match e.walked {
            Err(code) => {
                counts.faults[code as usize & 7] += 1;
                counts.reserved += u32::from(code & 8 != 0);
                let rights = Request {
                    write: false,
                    user: access.user,
                };
                let closed = rights.user
                    && e.chain.entries[usize::from(self.pae).min(e.chain.len)..e.chain.len]
                        .iter()
                        .any(|(_, entry)| entry & cpu::US == 0);
                counts.not_executable += u32::from(code & 0x19 == 0x11 && !closed);
            }
            Ok(_) => counts.foreign += u32::from(e.word.is_none()),
        }
    }
}
