// SPDX-License-Identifier: GPL-2.0-or-later
//! Asks the processor: performs accesses in shadow tables for real, and compares with what the rig's walker says.
//!
//! Tables and memory are afterwards as they were before: what a scenario does is what it does elsewhere.

use lguest_engine::FrameWords;
use lguest_engine::cpu::{self, A, Chain, P, Processor, RW, Request};

use crate::cross::{
    Access, Answer, BATCH, Crossing, Frames, INTERRUPT, Kind, Place, user_code, window_tables,
};
use crate::host::{FIRST_DATA, RealHost};
use crate::machine::{frame, frame_longs};
use crate::say;

/// Differences that are printed.
const PRINTED: u32 = 20;
/// Of so many batches one is followed by a look at every table.
const SUMMED_ONE_IN: u32 = 16;

/// What was done in one paging mode.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Accesses in unaltered tables.
    pub unaltered: u32,
    /// Accesses in tables with one entry more, for the code of user mode.
    pub with_user_code: u32,
    /// Accesses in tables with one entry more, for the Switcher's pages: they were not there as the code needs them.
    pub with_switcher: u32,
    /// Accesses in tables with one bit changed on purpose.
    pub changed: u32,
    /// Of all these: stores.
    pub writes: u32,
    /// Of all these: instruction fetches.
    pub fetches: u32,
    /// Of all these: from ring 3.
    pub user: u32,
    /// Of all these: page faults, by the three low bits of the error code.
    pub faults: [u32; 8],
    /// Of all these: page faults for a reserved bit.
    pub reserved: u32,
    /// Of all these: page faults for no-execute.
    pub not_executable: u32,
    /// Of all these: accesses to frames that are no memory of ours; what they read is not compared.
    pub foreign: u32,
    /// Accessed bits set in entries above the one that a fault is about.
    pub marked: u32,
    /// Accessed bits that QEMU's emulated MMU set in PAE's top level, where a processor has none.
    pub marked_top: u32,
    /// Faults for a reserved bit that QEMU's emulated MMU told without the bit for a present entry.
    pub reserved_as_absent: u32,
    /// Entries added, by level from the top.
    pub added: [u32; 2],
    /// Batches for which no entry was free.
    pub no_room: u32,
    /// Looks at every table.
    pub summed: u32,
    /// Differences.
    pub differences: u32,
}

impl Counts {
    /// All accesses.
    pub fn accesses(&self) -> u32 {
        self.unaltered + self.with_user_code + self.with_switcher + self.changed
    }
}

/// A root and where the Switcher should be in it.
#[derive(Clone, Copy)]
pub struct Root {
    /// Physical address of the top level.
    pub pa: u32,
    /// The host CPU whose pages are mapped, if that is known.
    pub cpu: Option<u32>,
}

/// What the walker says of an access, and what must be put back after it.
#[derive(Clone, Copy)]
struct Expected {
    walked: Result<u64, u32>,
    chain: Chain,
    /// Frame and word that its page has there, if that is memory of ours, and what the word holds.
    word: Option<(u32, u32)>,
    old: u32,
    data: u32,
    after: [u64; 3],
}

const UNKNOWN: Expected = Expected {
    walked: Err(0),
    chain: Chain {
        entries: [(0, 0); 3],
        len: 0,
        complete: false,
    },
    word: None,
    old: 0,
    data: 0,
    after: [0; 3],
};

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

    /// Where the Switcher is in these tables, if its code can run there, and the frames of its pages.
    fn switcher(&self, root: Root) -> (Option<Place>, Frames) {
        let cpu = root.cpu.unwrap_or(0);
        let frames = Frames {
            text: FIRST_DATA + 1,
            stack: FIRST_DATA,
            tables: FIRST_DATA + 1 + 2 * cpu + 2,
        };
        let base = self.switcher.wrapping_add((1 + 2 * cpu) << 12);
        let place = Place {
            text: self.switcher,
            stack: base,
            tables: base.wrapping_add(0x1000),
        };
        let there = |vaddr: u32, pfn: u32, wanted: u64, unwanted: u64| {
            let chain = self.chain(root, vaddr);
            let entries = &chain.entries[usize::from(self.pae).min(chain.len)..chain.len];
            chain.complete
                && entries
                    .iter()
                    .all(|(_, entry)| entry & wanted == wanted && entry & unwanted == 0)
                && entries
                    .last()
                    .is_some_and(|(_, entry)| entry >> 12 & 0xff_ffff_ffff == pfn.into())
        };
        let usable = root.cpu.is_some()
            && there(place.text, frames.text, P | A, cpu::NX)
            && there(place.stack, frames.stack, P | RW | A, 0)
            && there(place.tables, frames.tables, P | A, 0);
        (usable.then_some(place), frames)
    }

    /// Whether an entry is on the way to one of the Switcher's pages, or maps one.
    pub fn switcher_goes_through(&self, root: Root, pa: u32) -> bool {
        let cpu = root.cpu.unwrap_or(0);
        let pages = [0, 1 + 2 * cpu, 2 + 2 * cpu];
        pages.into_iter().any(|i| {
            let chain = self.chain(root, self.switcher.wrapping_add(i << 12));
            chain.entries[..chain.len].iter().any(|e| e.0 == pa)
        })
    }

    /// A free entry of an upper level that none of the accesses goes through: its level, physical address and the
    /// first address that it covers.
    fn free_entry(&self, root: Root, accesses: &[Access]) -> Option<(usize, u32, u32)> {
        let free = |level: usize, table: u32, first: u32, shift: u32, count: u32| {
            let size = if self.pae { 8 } else { 4 };
            (0..count).rev().find_map(|i| {
                let (pa, covers) = (table + i * size, first + (i << shift));
                let used = accesses.iter().any(|a| a.vaddr >> shift == covers >> shift);
                (self.entry(pa) & P == 0 && !used).then_some((level, pa, covers))
            })
        };
        if !self.pae {
            return free(0, root.pa, 0, 22, 1024);
        }
        free(0, root.pa, 0, 30, 4).or_else(|| {
            (0..4).find_map(|i| {
                let entry = self.entry(root.pa + i * 8);
                let table = entry as u32 & 0xffff_f000;
                if entry & P == 0 || !self.host.tables.known(table >> 12) {
                    return None;
                }
                free(1, table, i << 30, 21, 512)
            })
        })
    }

    /// Moves the accesses of one absent entry of the top level to the end: how many others there are.
    fn leave_out(&self, root: Root, accesses: &mut [Access]) -> usize {
        let (size, shift) = if self.pae { (8, 30) } else { (4, 22) };
        let absent = |a: &Access| self.entry(root.pa + (a.vaddr >> shift) * size) & P == 0;
        let Some(out) = accesses
            .iter()
            .find(|a| absent(a))
            .map(|a| a.vaddr >> shift)
        else {
            return 0;
        };
        let mut len = 0;
        for i in 0..accesses.len() {
            if accesses[i].vaddr >> shift != out {
                accesses.swap(i, len);
                len += 1;
            }
        }
        len
    }

    /// Adds an entry for the window, which has the code of user mode and, if `frames` says so, the Switcher's pages.
    fn add_window(&self, level: usize, pa: u32, frames: Option<Frames>) {
        let [middle, low] = window_tables();
        frame(middle).iter().for_each(|word| word.set(0));
        frame(low).iter().for_each(|word| word.set(0));
        let size = if self.pae { 8 } else { 4 };
        let page = |i: u32, pfn: u32, flags: u64| {
            store(
                (low << 12) + i * size,
                self.pae,
                u64::from(pfn) << 12 | flags,
            );
        };
        page(16, user_code(), 0x25);
        if let Some(frames) = frames {
            page(17, frames.text, 0x21);
            page(18, frames.stack, 0x63);
            page(19, frames.tables, 0x21);
        }
        if self.pae && level == 0 {
            store(middle << 12, true, u64::from(low) << 12 | 0x67);
            store(pa, true, u64::from(middle) << 12 | 1);
        } else {
            store(pa, self.pae, u64::from(low) << 12 | 0x67);
        }
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
        let mut added = None;
        let mut window = 0;
        if place.is_none() || user_code {
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
            self.counts.added[level] += 1;
            window = covers + (16 << 12);
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
        self.crossing
            .perform(root.pa, accesses, window, &mut answers);
        for i in 0..accesses.len() {
            self.compare(&accesses[i], &expected[i], answers[i]);
            self.count(&accesses[i], &expected[i]);
        }
        self.compare_stores(accesses, &expected);
        self.compare_bits(accesses, &expected);
        self.put_back(accesses, &mut expected, false);
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

    /// The words of the frame that an address is mapped to, whatever the rights, if that is memory of ours.
    fn words(&self, chain: &Chain) -> Option<(u32, &'static FrameWords)> {
        let leaf = chain.entries[chain.len.max(1) - 1].1;
        let pfn = u32::try_from((leaf >> 12) & 0xff_ffff_ffff).ok()?;
        let mapped = chain.complete && leaf & P != 0;
        Some((pfn, self.host.data_words(pfn).filter(|_| mapped)?))
    }

    /// Makes a load of what would store to a frame that is no memory of ours, or take an instruction from it.
    fn fit(&self, root: Root, access: &mut Access) {
        let chain = self.chain(root, access.vaddr);
        let leaf = chain.entries[chain.len.max(1) - 1].1;
        if chain.complete && leaf & P != 0 && self.words(&chain).is_none() {
            access.kind = Kind::Read;
        }
    }

    /// What the walker says of an access, which takes effect on tables and memory.
    fn expect(&self, root: Root, access: &Access) -> Expected {
        let chain = self.chain(root, access.vaddr);
        let mut e = Expected { chain, ..UNKNOWN };
        if let Some((pfn, words)) = self.words(&chain) {
            let i = (access.vaddr >> 2) & 1023;
            e.word = Some((pfn, i));
            e.old = words[i as usize].get();
            if access.kind == Kind::Fetch {
                words[i as usize].set(INTERRUPT);
            }
        }
        let request = Request {
            write: access.kind == Kind::Write,
            user: access.user,
        };
        let fetch = access.kind == Kind::Fetch;
        let (host, pae) = (self.host, self.pae);
        e.walked = cpu::walk(
            host,
            root.pa,
            pae,
            access.vaddr,
            request,
            fetch,
            self.processor,
        );
        if let (Ok(_), Some((pfn, i))) = (e.walked, e.word) {
            let word = &frame(pfn)[i as usize];
            if access.kind == Kind::Write {
                word.set(access.value);
            }
            e.data = word.get();
        }
        e
    }

    /// Puts tables and memory back to what they were before the batch.
    ///
    /// The first time, after the walker, the values of entries are kept, and what is to be fetched stays in memory.
    fn put_back(&self, accesses: &[Access], expected: &mut [Expected; BATCH], first: bool) {
        let expected = &mut expected[..accesses.len()];
        if first {
            for e in &mut *expected {
                for (after, (pa, _)) in e.after.iter_mut().zip(&e.chain.entries[..e.chain.len]) {
                    *after = self.entry(*pa);
                }
            }
        }
        for (e, access) in expected.iter().zip(accesses).rev() {
            for (pa, value) in &e.chain.entries[..e.chain.len] {
                store(*pa, self.pae, *value);
            }
            if let Some((pfn, i)) = e.word.filter(|_| !first || access.kind != Kind::Fetch) {
                frame(pfn)[i as usize].set(e.old);
            }
        }
    }

    /// Tells of a difference.
    pub fn differ(&mut self, access: &Access, what: &str, walker: u64, processor: u64) {
        self.counts.differences += 1;
        if self.counts.differences <= PRINTED {
            let mode = if self.pae { "pae" } else { "nopae" };
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

    fn compare(&mut self, access: &Access, e: &Expected, answer: Answer) {
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
    fn compare_stores(&mut self, accesses: &[Access], expected: &[Expected; BATCH]) {
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
    fn compare_bits(&mut self, accesses: &[Access], expected: &[Expected; BATCH]) {
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

    fn count(&mut self, access: &Access, e: &Expected) {
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
