// SPDX-License-Identifier: GPL-2.0-or-later
//! The boots of real guests, read once a process, to cut stretches from.

use std::sync::OnceLock;

use lguest_engine::{Machine, PagingMode, Recorded, Step, Verb};

use super::super::paging::{P, Paging, call};
use crate::trace::{Detail, Import, Reader, TraceError};

const NOPAE: &[u8] = include_bytes!("../../../../corpora/boot/nopae.trace.gz");
const PAE: &[u8] = include_bytes!("../../../../corpora/boot/pae.trace.gz");

/// An entry of the guest's tables that a step reads, or would on an empty shadow.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Number of the step.
    pub step: u32,
    /// Guest-physical address.
    pub at: u32,
    pub value: u64,
}

/// What is in use from a step on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// Number of the first step after the change.
    pub step: u32,
    /// Page directory, after those before it.
    pub gpgdirs: [u32; 3],
    /// Segment, top and pages of the kernel stack; none yet if there are no pages.
    pub stack: [u32; 3],
    /// Where the stack's entries are among the reads.
    pub reads: (u32, u32),
}

/// A boot.
pub struct Boot {
    pub machine: Machine,
    /// Guest-physical address of `lguest_data`.
    pub data: u32,
    pub kernel_address: u32,
    /// All but the guest's end.
    pub steps: Vec<Step>,
    /// In the order of the steps.
    pub reads: Vec<Read>,
    /// In the order of the steps, and never empty.
    pub lives: Vec<Live>,
}

impl Boot {
    /// The boot in one of the modes.
    pub fn of(pae: bool) -> &'static Boot {
        static BOOTS: [OnceLock<Boot>; 2] = [const { OnceLock::new() }; 2];
        BOOTS[usize::from(pae)].get_or_init(|| {
            let trace = if pae { PAE } else { NOPAE };
            #[expect(clippy::expect_used, reason = "the traces are part of the program")]
            Boot::read(trace).expect("a whole trace")
        })
    }

    fn read(trace: &'static [u8]) -> Result<Boot, TraceError> {
        let reader = Reader::new(trace).map_err(|e| TraceError::new(1, e.to_string()))?;
        let mut import = Import::new(reader, Detail::Reads)?;
        let mut boot = Boot {
            machine: import.machine,
            data: 0,
            kernel_address: 0,
            steps: Vec::new(),
            reads: Vec::new(),
            lives: Vec::new(),
        };
        let mut live = Live::default();
        while let Some(item) = import.next() {
            let step = item?.step;
            match (step.verb, step.args) {
                (Verb::Expect, args) => boot.note(&Recorded::of(args)),
                (Verb::Destroy, _) => break,
                (Verb::BootData, [data, kernel_address, ..]) => {
                    boot.data = data;
                    boot.kernel_address = kernel_address;
                    boot.steps.push(step);
                }
                (Verb::Hypercall, [call::NEW_PGTABLE, gpgdir, ..]) => {
                    boot.steps.push(step);
                    let old = live.gpgdirs;
                    let kept = old
                        .into_iter()
                        .filter(|known| *known != gpgdir && *known != 0);
                    let mut last: Vec<u32> = kept.collect();
                    last.push(gpgdir);
                    live.gpgdirs = [0; 3];
                    for (to, from) in live.gpgdirs.iter_mut().rev().zip(last.iter().rev()) {
                        *to = *from;
                    }
                    boot.live(&mut live, &import);
                }
                (Verb::Hypercall, [call::SET_STACK, segment, esp, pages, _]) => {
                    boot.steps.push(step);
                    live.stack = [segment, esp, pages];
                    boot.live(&mut live, &import);
                }
                _ => boot.steps.push(step),
            }
        }
        match boot.lives.first() {
            Some(_) => Ok(boot),
            None => Err(TraceError::new(1, "a guest that never switches")),
        }
    }

    fn number(&self) -> u32 {
        self.steps.len() as u32
    }

    fn note(&mut self, recorded: &Recorded) {
        let [at, low, high, _] = recorded.words;
        if recorded.letter == b'r' {
            self.reads.push(Read {
                step: self.number().saturating_sub(1),
                at,
                value: u64::from(high) << 32 | u64::from(low),
            });
        }
    }

    /// Something else is in use: notes how the stack is mapped, for an empty shadow that is told of it.
    fn live(&mut self, live: &mut Live, import: &Import) {
        let paging = Paging {
            pae: self.machine.mode == PagingMode::Pae,
        };
        let from = self.reads.len() as u32;
        let [_, esp, pages] = live.stack;
        for i in 0..pages.min(2) {
            let vaddr = esp.wrapping_sub(1).wrapping_sub(i << 12);
            let mut at = paging.top_at(live.gpgdirs[2], vaddr);
            let mut levels = if paging.pae { 3 } else { 2 };
            loop {
                let value = import.guest_entry(at);
                self.reads.push(Read {
                    step: self.number().saturating_sub(1),
                    at,
                    value,
                });
                levels -= 1;
                if value & P == 0 || levels == 0 {
                    break;
                }
                let table = (value >> 12) as u32;
                at = if levels == 2 {
                    paging.middle_at(table, vaddr)
                } else {
                    paging.last_at(table, vaddr)
                };
            }
        }
        live.step = self.number();
        live.reads = (from, self.reads.len() as u32);
        self.lives.push(*live);
    }

    /// What is in use before a step.
    pub fn live_at(&self, step: u32) -> &Live {
        let after = self.lives.partition_point(|live| live.step <= step);
        &self.lives[after.saturating_sub(1)]
    }

    /// The reads of steps.
    pub fn reads_of(&self, from: u32, to: u32) -> &[Read] {
        let first = self.reads.partition_point(|read| read.step < from);
        let end = self.reads.partition_point(|read| read.step < to);
        &self.reads[first..end]
    }
}
