// SPDX-License-Identifier: GPL-2.0-or-later
//! The comparison: two sides take each step together, and whatever can tell them apart is looked at.

use core::cell::Cell;

use lguest_shadow::{HostBug, PIN_LIMIT};

use crate::cpu;
use crate::run::{Outcome, Runner, calls};
use crate::side::{BLOCK_WORDS, FrameName, FrameWords, Machinery, Side};
use crate::{Machine, PageRecord, Step, Verb};

/// The first thing in which two sides differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// What the step returned.
    Outcome(Outcome, Outcome),
    /// What `init_guest_pagetable` returned, or its crash.
    Init,
    /// The kernel calls, their arguments, results and bytes, or the recorded stores.
    Calls,
    /// A field outside of tables.
    State,
    /// An entry on the way to this address.
    Entry {
        /// Level as in [`Level`].
        level: Level,
        /// Its value on the first side; 0 if the walk did not come so far.
        a: u64,
        /// Its value on the second side.
        b: u64,
    },
    /// References held on a data frame.
    Held {
        /// The frame.
        pfn: u32,
    },
    /// A word of guest memory.
    Memory {
        /// Its frame.
        pfn: u32,
        /// Index of the word, 0 to 1023.
        word: u32,
    },
    /// The number of table frames held.
    TablesHeld,
}

/// A level of the page tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Top.
    Pgd,
    /// Middle; PAE alone.
    Pmd,
    /// Lowest.
    Pte,
}

impl Level {
    /// The level that lies `steps` entries down the walk.
    fn down(pae: bool, steps: usize) -> Self {
        match steps {
            0 => Level::Pgd,
            1 if pae => Level::Pmd,
            _ => Level::Pte,
        }
    }
}

/// How much is compared after each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Care {
    /// What is cheap after each step, everything at a seeded 1 in 256 and at the end.
    Cheap,
    /// Everything after each step.
    Full,
}

/// What a side still holds when its guest is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// Table frames.
    pub tables: u32,
    /// References to data frames, summed.
    pub references: i64,
}

/// What one side holds; nothing is due to be left after `free_guest_pagetable`.
pub fn left<H: Machinery>(host: &H) -> Left {
    Left {
        tables: host.tables_held(),
        references: host
            .all_held()
            .iter()
            .map(|held| i64::from(held.get()))
            .sum(),
    }
}

/// Two sides in lockstep.
pub struct Pair<A, B> {
    /// The one whose word counts.
    pub a: Runner<A>,
    /// The one under test.
    pub b: Runner<B>,
    care: Care,
    dice: u64,
}

impl<A: Side, B: Side> Pair<A, B> {
    /// Two fresh runners.
    pub fn new(a: A, b: B) -> Self {
        Pair {
            a: Runner::new(a),
            b: Runner::new(b),
            care: Care::Cheap,
            dice: 0,
        }
    }

    /// Starts both: what `init_guest_pagetable` returned, or the crash in which the two agree.
    pub fn start(
        &mut self,
        machine: &Machine,
        pages: impl Iterator<Item = PageRecord> + Clone,
        care: Care,
    ) -> Result<Result<i32, HostBug>, Difference> {
        let (a, b) = self.begin(machine, pages, care);
        let outcome =
            |of: Result<i32, HostBug>| of.map_or_else(Outcome::Bug, |n| Outcome::Value(n as u32));
        if !self.agree(outcome(a), outcome(b)) {
            return Err(Difference::Init);
        }
        if self.a.side.host().trail() != self.b.side.host().trail() {
            return Err(Difference::Calls);
        }
        if a == Ok(0) {
            self.fields()?;
            if care == Care::Cheap {
                // What a new guest holds came of the calls and stores that the hosts recorded; the end looks at all of it.
                return Ok(a);
            }
        }
        self.everything()?;
        Ok(a)
    }

    /// Starts both, and compares nothing: what each `init_guest_pagetable` came to.
    pub fn begin(
        &mut self,
        machine: &Machine,
        pages: impl Iterator<Item = PageRecord> + Clone,
        care: Care,
    ) -> (Result<i32, HostBug>, Result<i32, HostBug>) {
        self.care = care;
        self.dice = machine.seed | 1;
        let a = self.a.start(machine, &mut pages.clone());
        let b = self.b.start(machine, &mut pages.clone());
        (a, b)
    }

    /// One step on both.
    #[inline(always)]
    pub fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        let a = self.a.step(step);
        let b = self.b.step(step);
        self.compare(step, a, b)
    }

    /// Compares the sides after a step that came to `a` and `b` on them.
    #[inline(always)]
    pub fn compare(&mut self, step: &Step, a: Outcome, b: Outcome) -> Result<Outcome, Difference> {
        if !self.agree(a, b) {
            return Err(Difference::Outcome(a, b));
        }
        if self.care == Care::Cheap && !calls(step.verb) {
            // Nothing entered the code under test: its tables, fields and references are as they were.
            return Ok(a);
        }
        if self.a.side.host().trail() != self.b.side.host().trail() {
            return Err(Difference::Calls);
        }
        if matches!(a, Outcome::Bug(_)) {
            return Ok(a);
        }
        self.fields()?;
        match step.verb {
            // Without a kernel call there was no pin, and so no store to an entry but the processor's own bits.
            Verb::DemandPage | Verb::Access if self.a.side.host().calls() == 0 => {}
            Verb::DemandPage | Verb::Access => self.leaf(step.args[0])?,
            Verb::Hypercall => {
                if self.a.side.pins() | self.b.side.pins() != 0 {
                    self.stack()?;
                }
                if self.b.side.host().emptied(0).is_some()
                    || (!Self::ALIKE && self.b.side.host().emptied_overflow())
                {
                    self.emptied()?;
                }
            }
            // The guest is gone with all its tables.
            Verb::Destroy => return self.holdings().map(|()| a),
            _ => {}
        }
        // A linear congruential step is dice enough for choosing when to look at everything.
        self.dice = self
            .dice
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        if self.dice >> 56 == 0 || self.care == Care::Full {
            self.everything()?;
        }
        Ok(a)
    }

    /// Whether the hosts number their frames alike.
    const ALIKE: bool = A::Host::ALIKE && B::Host::ALIKE;

    /// Whether two outcomes are the same, with frames by canonical number where it takes that.
    #[inline(always)]
    fn agree(&self, a: Outcome, b: Outcome) -> bool {
        if Self::ALIKE {
            return a.same(b);
        }
        a.canonical(|pfn| self.a.side.host().canonical(pfn))
            == b.canonical(|pfn| self.b.side.host().canonical(pfn))
    }

    /// Compares the fields outside of tables.
    #[inline(always)]
    fn fields(&self) -> Result<(), Difference> {
        if !Self::ALIKE {
            return self.state();
        }
        if self.a.side.state().differs(&self.b.side.state()) {
            return Err(Difference::State);
        }
        Ok(())
    }

    /// The same of hosts that number their frames differently.
    #[inline(never)]
    fn state(&self) -> Result<(), Difference> {
        let (mut a, mut b) = (self.a.side.state(), self.b.side.state());
        let (host_a, host_b) = (self.a.side.host(), self.b.side.host());
        for (a, b) in a.slots.iter_mut().zip(&mut b.slots) {
            a.pgdir = top(host_a, a.pgdir);
            b.pgdir = top(host_b, b.pgdir);
        }
        if a.differs(&b) {
            return Err(Difference::State);
        }
        Ok(())
    }

    /// The entry for `vaddr` on hosts that number their frames differently: each walks its own tables.
    #[inline(never)]
    fn leaf_apart(&self, vaddr: u32) -> Result<(), Difference> {
        let pae = self.a.side.pae();
        let a = ended(&self.a.side, vaddr);
        let b = ended(&self.b.side, vaddr);
        if a != b {
            let level = Level::down(pae, a.0.max(b.0));
            let (a, b) = (a.1, b.1);
            return Err(Difference::Entry { level, a, b });
        }
        Ok(())
    }

    /// The entry for `vaddr`: `demand_page` may store it past `set_pte` (C line 514). Those above it are recorded.
    #[inline]
    fn leaf(&self, vaddr: u32) -> Result<(), Difference> {
        if !Self::ALIKE {
            return self.leaf_apart(vaddr);
        }
        let pae = self.a.side.pae();
        let root = self.a.side.current_root();
        let host = self.a.side.host();
        let pa = cpu::last_at(host, root, pae, vaddr);
        let a = cpu::entry(host, pa, pae).unwrap_or(0);
        let b = cpu::entry(self.b.side.host(), pa, pae).unwrap_or(0);
        if a == b {
            return Ok(());
        }
        let above = cpu::last(host, root, pae, vaddr).map_or(0, |(above, ..)| above);
        let level = Level::down(pae, above);
        Err(Difference::Entry { level, a, b })
    }

    /// The same for the stack, which `pin_page` hands to `demand_page`.
    #[inline(never)]
    fn stack(&self) -> Result<(), Difference> {
        let state = self.a.side.state();
        for i in 0..state.stack_pages.min(PIN_LIMIT) {
            self.leaf(state.esp1.wrapping_sub(1).wrapping_sub(i << 12))?;
        }
        Ok(())
    }

    /// The entries whose tables were freed: two-level `release_pgd` clears its own past `set_pgd` (C line 644).
    #[inline(never)]
    fn emptied(&self) -> Result<(), Difference> {
        let (host_a, host_b) = (self.a.side.host(), self.b.side.host());
        let mut i = 0;
        while let Some(pa) = host_b.emptied(i) {
            let value = |entry: Option<u64>| entry.unwrap_or(0);
            let (a, b) = (
                value(cpu::entry(host_a, pa, false)),
                value(cpu::entry(host_b, pa, false)),
            );
            if a != b {
                return Err(Difference::Entry {
                    level: Level::Pgd,
                    a,
                    b,
                });
            }
            i += 1;
        }
        if host_b.emptied_overflow() {
            self.tables()
        } else {
            Ok(())
        }
    }

    /// Compares everything that the two sides and their hosts hold.
    #[inline(never)]
    pub fn everything(&self) -> Result<(), Difference> {
        self.tables()?;
        self.holdings()
    }

    /// Compares what the hosts hold for the two sides: tables by number, references, guest memory.
    fn holdings(&self) -> Result<(), Difference> {
        let (host_a, host_b) = (self.a.side.host(), self.b.side.host());
        if host_a.tables_held() != host_b.tables_held() {
            return Err(Difference::TablesHeld);
        }
        let (held_a, held_b) = (host_a.all_held(), host_b.all_held());
        if let Some(k) = held_a
            .iter()
            .zip(held_b)
            .position(|(a, b)| a.get() != b.get())
        {
            return Err(Difference::Held {
                pfn: host_a.data_frames().0.wrapping_add(k as u32),
            });
        }
        let mut i = 0;
        while let Some((pfn, blocks)) = host_a.dirty(i) {
            self.memory(pfn, blocks)?;
            i += 1;
        }
        i = 0;
        while let Some((pfn, blocks)) = host_b.dirty(i) {
            // Sides that agree wrote the same blocks, and those were looked at above.
            if host_a.dirty(i) != Some((pfn, blocks)) {
                self.memory(pfn, blocks)?;
            }
            i += 1;
        }
        host_a.settle_dirty();
        host_b.settle_dirty();
        Ok(())
    }

    /// Compares those blocks of a data frame; one never written is all zero.
    fn memory(&self, pfn: u32, blocks: u64) -> Result<(), Difference> {
        let (a, b) = (self.a.side.host().data(pfn), self.b.side.host().data(pfn));
        let (Some(a), Some(b)) = (a, b) else {
            let written = [a, b].into_iter().flatten().next();
            let word = written.and_then(|words| words.iter().position(|word| word.get() != 0));
            return match word {
                Some(word) => Err(Difference::Memory {
                    pfn,
                    word: word as u32,
                }),
                None => Ok(()),
            };
        };
        let mut left = blocks;
        while left != 0 {
            let first = left.trailing_zeros() as usize % 64 * BLOCK_WORDS;
            left &= left - 1;
            let words = first..first + BLOCK_WORDS;
            let (Some(a), Some(b)) = (a.get(words.clone()), b.get(words)) else {
                break;
            };
            if let Some(word) = differs(a, b) {
                let word = (first + word) as u32;
                return Err(Difference::Memory { pfn, word });
            }
        }
        Ok(())
    }

    /// Compares every table that can be reached from the four slots.
    fn tables(&self) -> Result<(), Difference> {
        if !Self::ALIKE {
            return self.tables_apart();
        }
        for slot in self.a.side.state().slots {
            if slot.pgdir != 0 {
                self.table(slot.pgdir >> 12, 0)?;
            }
        }
        Ok(())
    }

    /// The same on hosts that number their frames differently.
    fn tables_apart(&self) -> Result<(), Difference> {
        let (a, b) = (self.a.side.state(), self.b.side.state());
        for (a, b) in a.slots.iter().zip(&b.slots) {
            if a.pgdir != 0 {
                self.table_apart(a.pgdir >> 12, b.pgdir >> 12, 0)?;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn table_apart(&self, a: u32, b: u32, steps: usize) -> Result<(), Difference> {
        let (host_a, host_b) = (self.a.side.host(), self.b.side.host());
        let pae = self.a.side.pae();
        let level = Level::down(pae, steps);
        let size = if pae { 8 } else { 4 };
        if host_a.table(a).is_some() != host_b.table(b).is_some() {
            return Err(Difference::TablesHeld);
        }
        for offset in (0..4096).step_by(size) {
            let value = |entry: Option<u64>| entry.unwrap_or(0);
            let raw_a = value(cpu::entry(host_a, a << 12 | offset, pae));
            let raw_b = value(cpu::entry(host_b, b << 12 | offset, pae));
            if raw_a | raw_b == 0 {
                continue;
            }
            let (a, b) = (canonical(host_a, raw_a), canonical(host_b, raw_b));
            if a != b {
                return Err(Difference::Entry { level, a, b });
            }
            if raw_a & cpu::P != 0 && level != Level::Pte {
                self.table_apart((raw_a >> 12) as u32, (raw_b >> 12) as u32, steps + 1)?;
            }
        }
        Ok(())
    }

    fn table(&self, pfn: u32, steps: usize) -> Result<(), Difference> {
        let (host_a, host_b) = (self.a.side.host(), self.b.side.host());
        let (Some(a), Some(b)) = (host_a.table(pfn), host_b.table(pfn)) else {
            return Ok(());
        };
        let pae = self.a.side.pae();
        let level = Level::down(pae, steps);
        if let Some(word) = first_difference(a, b) {
            let at = pfn << 12 | (word & if pae { 1022 } else { 1023 }) << 2;
            let value = |entry: Option<u64>| entry.unwrap_or(0);
            let (a, b) = (
                value(cpu::entry(host_a, at, pae)),
                value(cpu::entry(host_b, at, pae)),
            );
            return Err(Difference::Entry { level, a, b });
        }
        if level == Level::Pte {
            return Ok(());
        }
        for block in a.chunks_exact(16) {
            // Most blocks hold no entry that is present.
            if block.iter().fold(0, |sum, word| sum | word.get()) & 1 == 0 {
                continue;
            }
            for word in block.iter().step_by(if pae { 2 } else { 1 }) {
                if word.get() & 1 != 0 {
                    self.table(word.get() >> 12, steps + 1)?;
                }
            }
        }
        Ok(())
    }
}

/// A number for a top level: 0 for none, and one for all that are free again.
fn top<H: Machinery>(host: &H, pgdir: u32) -> u32 {
    match pgdir >> 12 {
        0 => 0,
        pfn if host.name(pfn) == FrameName::Table => host.canonical(pfn),
        _ => u32::MAX,
    }
}

/// How deep the walk for `vaddr` comes on a side, and the entry that it ends with, its frame by canonical number.
fn ended<S: Side>(side: &S, vaddr: u32) -> (usize, u64) {
    let host = side.host();
    match cpu::last(host, side.current_root(), side.pae(), vaddr) {
        Some((above, _, value)) => (above, canonical(host, value)),
        None => (0, 0),
    }
}

/// An entry with its frame by canonical number.
fn canonical<H: Machinery>(host: &H, entry: u64) -> u64 {
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    let Ok(pfn) = u32::try_from((entry & FRAME) >> 12) else {
        return entry;
    };
    entry & !FRAME | u64::from(host.canonical(pfn)) << 12
}

/// The first word in which two frames differ.
fn first_difference(a: &FrameWords, b: &FrameWords) -> Option<u32> {
    let mut blocks = a.chunks_exact(64).zip(b.chunks_exact(64)).enumerate();
    blocks.find_map(|(block, (a, b))| differs_far(a, b).map(|word| (block * 64 + word) as u32))
}

/// [`differs`] as a function of its own: where the length is known its loop is unrolled first, and whether wide compares
/// come of that is luck.
#[inline(never)]
fn differs_far(a: &[Cell<u32>], b: &[Cell<u32>]) -> Option<usize> {
    differs(a, b)
}

/// The same for equally long parts; written for the compiler to turn into wide compares.
#[inline]
fn differs(a: &[Cell<u32>], b: &[Cell<u32>]) -> Option<usize> {
    let sum = a
        .iter()
        .zip(b)
        .fold(0, |sum, (a, b)| sum | (a.get() ^ b.get()));
    if sum == 0 {
        return None;
    }
    which_differs(a, b)
}

/// Apart from [`differs`], which would else keep every word it loaded for this.
#[cold]
#[inline(never)]
fn which_differs(a: &[Cell<u32>], b: &[Cell<u32>]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a.get() != b.get())
}
