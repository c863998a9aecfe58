// SPDX-License-Identifier: GPL-2.0-or-later
//! Asks the processor: performs accesses in shadow tables for real, and compares with what the rig's walker says.
//!
//! Tables and memory are afterwards as they were before: what a scenario does is what it does elsewhere.

mod compare;
mod expect;
mod window;

use lguest_engine::cpu::{self, A, Chain, Processor};

use crate::counts::Counts;
use crate::cross::{Access, Answer, BATCH, Crossing, Kind, Place};
use crate::host::RealHost;
use crate::machine::{frame, frame_longs};

use expect::UNKNOWN;

/// Of so many batches one is followed by a look at every table.
const SUMMED_ONE_IN: u32 = 16;

/// A root and where the Switcher should be in it.
#[derive(Clone, Copy)]
pub struct Root {
    /// Physical address of the top level.
    pub pa: u32,
    /// The host CPU whose pages are mapped, if that is known.
    pub cpu: Option<u32>,
}

/// Asks about one scenario.
pub struct Probe<'a> {
    host: &'a RealHost,
    pae: bool,
    processor: Processor,
    /// The processor is QEMU's own.
    emulated: bool,
    /// Where the Switcher begins.
    pub switcher: u32,
    crossing: Crossing,
    /// What was done.
    pub counts: &'a mut Counts,
    batches: u32,
    /// The page of the guest's that last held the code of user mode.
    lodged: u32,
    /// For reports.
    pub name: &'a str,
    /// For reports.
    pub step: usize,
}

/// Sets an entry.
fn store(pa: u32, pae: bool, value: u64) {
    if pae {
        frame_longs(pa >> 12)[(pa as usize >> 3) & 511].set(value);
    } else {
        frame(pa >> 12)[(pa as usize >> 2) & 1023].set(value as u32);
    }
}

impl<'a> Probe<'a> {
    /// Nothing asked yet.
    pub fn new(
        host: &'a RealHost,
        pae: bool,
        (processor, emulated): (Processor, bool),
        switcher: u32,
        name: &'a str,
        counts: &'a mut Counts,
    ) -> Self {
        Probe {
            host,
            pae,
            processor,
            emulated,
            switcher,
            crossing: Crossing::new(),
            counts,
            batches: 0,
            lodged: 0,
            name,
            step: 0,
        }
    }

    /// The value of the entry at a physical address that is in a table.
    pub fn entry(&self, pa: u32) -> u64 {
        cpu::entry(self.host, pa, self.pae).unwrap_or(0)
    }

    /// Changes the entry at a physical address.
    pub fn set(&self, pa: u32, value: u64) {
        store(pa, self.pae, value);
    }

    /// The entries for an address.
    pub fn chain(&self, root: Root, vaddr: u32) -> Chain {
        cpu::chain(self.host, root.pa, self.pae, vaddr)
    }

    /// A sum over every table.
    fn sum(&self) -> u32 {
        self.host.tables.all().fold(0, |sum: u32, pfn| {
            let words = frame(pfn).iter();
            words.fold(sum, |sum, word| {
                sum.rotate_left(5).wrapping_mul(0x2545_f491) ^ word.get()
            })
        })
    }

    /// Performs a batch, and compares. The accesses are made fit first: none stores to a frame that is no memory of ours.
    ///
    /// What the processor answered, if it could be asked. `changed` says that the tables are not as they were made.
    pub fn batch(
        &mut self,
        root: Root,
        mut accesses: &mut [Access],
        changed: bool,
    ) -> [Answer; BATCH] {
        let mut answers = [Answer::Nothing; BATCH];
        let sum = (self.batches % SUMMED_ONE_IN == 0).then(|| self.sum());
        self.batches += 1;
        let (place, frames) = self.switcher(root);
        accesses
            .iter_mut()
            .for_each(|access| self.fit(root, access));
        let user_code = accesses.iter().any(|a| a.user && a.kind != Kind::Fetch);
        let lodging = if user_code && place.is_some() {
            self.lodge(root, accesses)
        } else {
            None
        };
        let mut added = None;
        let mut user = lodging.as_ref().map_or(0, |lodging| lodging.vaddr);
        let mut window = 0;
        if place.is_none() || user_code && lodging.is_none() {
            let mut free = self.free_entry(root, accesses);
            if free.is_none() {
                let len = self.leave_out(root, accesses);
                accesses = &mut accesses[..len];
                free = self.free_entry(root, accesses).filter(|_| len != 0);
            }
            let Some((level, pa, covers)) = free else {
                self.counts.no_room += 1;
                return answers;
            };
            added = Some((pa, self.entry(pa)));
            self.add_window(level, pa, place.is_none().then_some(frames));
            self.counts.added.note(level, covers);
            window = covers + (16 << 12);
            user = window;
        }
        let place_now = place.unwrap_or(Place {
            text: window + 0x1000,
            stack: window + 0x2000,
            tables: window + 0x3000,
        });
        self.crossing.set(self.pae, place_now, frames);
        let through = |chain: &Chain| {
            added.is_some_and(|(pa, _)| chain.entries[..chain.len].iter().any(|e| e.0 == pa))
        };
        let mut expected = [UNKNOWN; BATCH];
        for (access, e) in accesses.iter().zip(&mut expected) {
            *e = self.expect(root, access);
            if through(&e.chain) {
                self.differ(access, "goes through the added entry", 0, 0);
            }
        }
        self.put_back(accesses, &mut expected, true);
        let tops = [0, 8, 16, 24].map(|at| self.entry(root.pa + at));
        self.crossing.perform(root.pa, accesses, user, &mut answers);
        for i in 0..accesses.len() {
            self.compare(&accesses[i], &expected[i], answers[i]);
            self.count(&accesses[i], &expected[i]);
        }
        self.compare_stores(accesses, &expected);
        self.compare_bits(accesses, &expected);
        self.put_back(accesses, &mut expected, false);
        if let Some(lodging) = lodging {
            lodging.leave();
        }
        if self.emulated && self.pae {
            // The Switcher's too was marked.
            for (at, top) in [0, 8, 16, 24].into_iter().zip(tops) {
                if self.entry(root.pa + at) == top | A {
                    store(root.pa + at, true, top);
                }
            }
        }
        if let Some((pa, old)) = added {
            store(pa, self.pae, old);
        }
        let n = accesses.len() as u32;
        *if changed {
            &mut self.counts.changed
        } else if place.is_none() {
            &mut self.counts.with_switcher
        } else if added.is_some() {
            &mut self.counts.with_user_code
        } else {
            &mut self.counts.unaltered
        } += n;
        if let Some(sum) = sum {
            self.counts.summed += 1;
            if self.sum() != sum {
                self.differ(&accesses[0], "another entry changed", 0, 0);
            }
        }
        answers
    }
}
