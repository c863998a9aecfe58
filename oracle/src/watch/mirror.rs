// SPDX-License-Identifier: GPL-2.0-or-later
//! What the shadow tables must hold by all that was noted: each lowest-level entry with the pin that it came from, and
//! the references that are due for each frame.

use lguest_c_reference::DATA_BASE;

use super::leaf::{Leaf, Place};
use crate::sim::MAX_TABLES;

/// What a table is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Level {
    /// Top, until an entry above it is seen.
    #[default]
    Top,
    /// Middle, three levels alone.
    Middle,
    /// Lowest.
    Leaf,
}

#[derive(Default)]
struct Table {
    level: Level,
    live: bool,
    /// First guest-virtual address.
    base: u32,
    /// Frame of the top level above it.
    root: u32,
    /// A bit for each entry that is present.
    present: [u64; 16],
    leaves: Vec<Leaf>,
}

/// All of it, for one side.
pub struct Mirror {
    pae: bool,
    tables: Vec<Table>,
    /// Tables that are live.
    live: Vec<u16>,
    /// References due, by data frame: one for each present entry, and those that a breach was told of.
    due: Vec<i32>,
    /// What may have changed a frame's references in this step, in order.
    pub touched: Vec<Touch>,
    /// The clock of the call that is being gone through.
    pub clock: u32,
}

/// How a frame was touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// References were taken, or an entry that names it came.
    Took,
    /// A reference was put.
    Put,
    /// An entry that named it went.
    Went,
}

/// One touch of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// The frame.
    pub pfn: u32,
    /// The clock of the call that did it.
    pub clock: u32,
    /// What was done.
    pub how: How,
    /// The verb of the call, or of the step.
    pub verb: &'static str,
}

impl Default for Mirror {
    fn default() -> Self {
        Mirror::new()
    }
}

impl Mirror {
    /// Nothing yet.
    pub fn new() -> Self {
        Mirror {
            pae: false,
            tables: (0..MAX_TABLES).map(|_| Table::default()).collect(),
            live: Vec::new(),
            due: Vec::new(),
            touched: Vec::new(),
            clock: 0,
        }
    }

    /// Forgets the scenario before; `frames` data frames from now on.
    pub fn reset(&mut self, pae: bool, frames: usize) {
        for i in self.live.drain(..) {
            self.tables[usize::from(i)].live = false;
        }
        self.pae = pae;
        self.due.clear();
        self.due.resize(frames, 0);
        self.touched.clear();
    }

    fn index(pa: u32) -> Option<usize> {
        let pfn = pa >> 12;
        (pfn >= 2 && pfn.is_multiple_of(2) && pfn / 2 <= MAX_TABLES).then(|| pfn as usize / 2 - 1)
    }

    fn table(&mut self, pa: u32) -> Option<&mut Table> {
        Self::index(pa)
            .and_then(|i| self.tables.get_mut(i))
            .filter(|table| table.live)
    }

    /// The number of an entry in its table.
    fn slot(&self, pa: u32) -> usize {
        (pa & 0xfff) as usize / if self.pae { 8 } else { 4 }
    }

    /// A table page was handed out, all zero.
    pub fn fresh(&mut self, pa: u32) {
        let Some(i) = Self::index(pa) else { return };
        let table = &mut self.tables[i];
        if !table.live {
            self.live.push(i as u16);
        }
        table.live = true;
        table.level = Level::Top;
        table.base = 0;
        table.root = pa >> 12;
        table.present = [0; 16];
    }

    /// It was taken back, with what it held.
    pub fn gone(&mut self, pa: u32, verb: &'static str) {
        let Some(i) = Self::index(pa).filter(|i| self.tables[*i].live) else {
            return;
        };
        self.live.retain(|live| usize::from(*live) != i);
        let Self {
            tables,
            due,
            touched,
            clock,
            ..
        } = self;
        let table = &mut tables[i];
        table.live = false;
        for (word, bits) in table.present.iter_mut().enumerate() {
            while *bits != 0 {
                let leaf = table.leaves[word * 64 + bits.trailing_zeros() as usize];
                *bits &= *bits - 1;
                add(due, leaf.pfn, -1);
                touched.push(Touch {
                    pfn: leaf.pfn,
                    clock: *clock,
                    how: How::Went,
                    verb,
                });
            }
        }
    }

    /// An entry above the lowest level changed: the table that it names lies below it now.
    pub fn upper(&mut self, pa: u32, value: u64) {
        if value & 1 == 0 {
            return;
        }
        let (pae, slot) = (self.pae, self.slot(pa) as u32);
        let Some((level, base, root)) = self.table(pa).map(|t| (t.level, t.base, t.root)) else {
            return;
        };
        let Some(below) = self.table((value >> 12 << 12) as u32) else {
            return;
        };
        below.root = root;
        (below.level, below.base) = match (pae, level) {
            (true, Level::Top) => (Level::Middle, slot << 30),
            (true, _) => (Level::Leaf, base | slot << 21),
            (false, _) => (Level::Leaf, slot << 22),
        };
    }

    /// The entry at `pa` is one of a top level, as far as is known.
    pub fn is_top(&self, pa: u32) -> bool {
        Self::index(pa).is_some_and(|i| self.tables[i].level == Level::Top)
    }

    /// Where the entry at `pa` lies; nothing if that is in no table of the lowest level.
    pub fn place(&self, pa: u32) -> Option<Place> {
        let table = &self.tables[Self::index(pa)?];
        (table.live && table.level == Level::Leaf).then(|| Place {
            vaddr: table.base | (self.slot(pa) as u32) << 12,
            root: table.root,
        })
    }

    /// The record of the entry at `pa`, if it is present.
    pub fn leaf(&self, pa: u32) -> Option<Leaf> {
        let table = &self.tables[Self::index(pa)?];
        let slot = self.slot(pa);
        (table.live && table.present[slot / 64] & 1 << (slot % 64) != 0).then(|| table.leaves[slot])
    }

    /// The entry at `pa` is this now.
    pub fn set(&mut self, pa: u32, leaf: Option<Leaf>, verb: &'static str) {
        let slot = self.slot(pa);
        let old = self.leaf(pa);
        let Some(table) = self.table(pa) else { return };
        let bit = 1 << (slot % 64);
        match leaf {
            None => table.present[slot / 64] &= !bit,
            Some(leaf) => {
                table.present[slot / 64] |= bit;
                if table.leaves.is_empty() {
                    table.leaves.resize(1024, Leaf::default());
                }
                table.leaves[slot] = leaf;
            }
        }
        for (leaf, by, how) in [(old, -1, How::Went), (leaf, 1, How::Took)] {
            if let Some(leaf) = leaf {
                add(&mut self.due, leaf.pfn, by);
                self.touch(leaf.pfn, how, verb);
            }
        }
    }

    /// A frame's references may change in this step.
    #[inline]
    pub fn touch(&mut self, pfn: u32, how: How, verb: &'static str) {
        self.touched.push(Touch {
            pfn,
            clock: self.clock,
            how,
            verb,
        });
    }

    /// References that are due for a frame.
    pub fn due(&self, pfn: u32) -> i32 {
        self.due
            .get(pfn.wrapping_sub(DATA_BASE) as usize)
            .copied()
            .unwrap_or(0)
    }

    /// The same for all frames.
    pub fn all_due(&self) -> &[i32] {
        &self.due
    }

    /// So many are due from now on: a breach was told.
    pub fn forgive(&mut self, pfn: u32, held: i32) {
        if let Some(due) = self.due.get_mut(pfn.wrapping_sub(DATA_BASE) as usize) {
            *due = held;
        }
    }

    /// Whether the entry at `pa` is a guest's and was told before `clock`; it passes for told then from now on.
    pub fn renew(&mut self, pa: u32, clock: u32) -> bool {
        let old = self
            .leaf(pa)
            .is_some_and(|leaf| leaf.clock < clock && leaf.page.is_some());
        let slot = self.slot(pa);
        if let Some(table) = self.table(pa).filter(|_| old) {
            table.leaves[slot].clock = clock;
        }
        old
    }

    /// The first entry below `root`, from `first` to `last`, that was told before `clock`; all of them pass for told
    /// from now on.
    pub fn outlived(&mut self, root: u32, first: u32, last: u32, clock: u32) -> Option<u32> {
        let span = if self.pae { 0x1f_ffff } else { 0x3f_ffff };
        let mut found = None;
        for i in &self.live {
            let table = &mut self.tables[usize::from(*i)];
            let out = table.base > last || table.base | span < first;
            if table.level != Level::Leaf || table.root != root || out {
                continue;
            }
            for (word, bits) in table.present.iter().enumerate() {
                let mut left = *bits;
                while left != 0 {
                    let slot = word * 64 + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let vaddr = table.base | (slot as u32) << 12;
                    let leaf = &mut table.leaves[slot];
                    if (first..=last).contains(&vaddr) && leaf.clock < clock && leaf.page.is_some()
                    {
                        leaf.clock = clock;
                        found = found.or(Some(vaddr));
                    }
                }
            }
        }
        found
    }

    /// Physical addresses of live tables of the lowest level.
    pub fn leaf_tables(&self) -> impl Iterator<Item = u32> {
        self.live
            .iter()
            .filter(|i| self.tables[usize::from(**i)].level == Level::Leaf)
            .map(|i| (u32::from(*i) + 1) << 13)
    }

    /// Of the lowest-level table at `pa`, a bit for each entry that is present; nothing if it is none.
    pub fn present(&self, pa: u32) -> Option<&[u64; 16]> {
        let table = &self.tables[Self::index(pa)?];
        (table.live && table.level == Level::Leaf).then_some(&table.present)
    }
}

fn add(due: &mut [i32], pfn: u32, by: i32) {
    if let Some(due) = due.get_mut(pfn.wrapping_sub(DATA_BASE) as usize) {
        *due += by;
    }
}
