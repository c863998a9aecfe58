// SPDX-License-Identifier: GPL-2.0-or-later
//! What the shadow tables must hold by all that was noted: each lowest-level entry with the pin that it came from, and
//! the references that are due for each frame.

use std::cell::Cell;
use std::num::NonZeroU16;

use lguest_c_reference::DATA_BASE;

use super::leaf::{Leaf, Place};
use super::leaves::Leaves;
use crate::sim::{MAX_TABLES, pool_index};

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

#[derive(Clone, Copy, Default)]
struct Table {
    level: Level,
    live: bool,
    /// First guest-virtual address.
    base: u32,
    /// Frame of the top level above it.
    root: u32,
    /// Where its records are kept; nothing until it has one.
    leaves: Option<NonZeroU16>,
}

/// All of it, for one side.
pub struct Mirror {
    pae: bool,
    tables: Box<[Table; MAX_TABLES as usize]>,
    /// Tables that are live, in the order in which they were handed out,
    live: Vec<u16>,
    /// and those of the list that are not any more.
    dead: usize,
    /// Records of tables. They are few and used again at once, whatever frames the tables have: a record for each entry
    /// of each frame would be out of reach of the caches.
    leaves: Vec<Box<Leaves>>,
    /// Those of them that no table has.
    unused: Vec<NonZeroU16>,
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
            tables: Box::new([Table::default(); MAX_TABLES as usize]),
            live: Vec::new(),
            dead: 0,
            leaves: Vec::new(),
            unused: Vec::new(),
            due: Vec::new(),
            touched: Vec::new(),
            clock: 0,
        }
    }

    /// Forgets the scenario before; `frames` data frames from now on.
    pub fn reset(&mut self, pae: bool, frames: usize) {
        while let Some(i) = self.live.pop() {
            self.tables[usize::from(i)].live = false;
            self.forget(usize::from(i));
        }
        self.dead = 0;
        self.pae = pae;
        self.due.clear();
        self.due.resize(frames, 0);
        self.touched.clear();
    }

    /// The index of a table among `tables`.
    #[inline]
    fn index(pa: u32) -> Option<usize> {
        pool_index(pa >> 12)
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
        if self.dead != 0 {
            // Many go together, and others come when they are gone.
            let tables = &self.tables;
            self.live.retain(|i| tables[usize::from(*i)].live);
            self.dead = 0;
        }
        let table = &mut self.tables[i];
        if !table.live {
            self.live.push(i as u16);
        }
        *table = Table {
            live: true,
            root: pa >> 12,
            // Of one that is handed out twice.
            leaves: table.leaves,
            ..Table::default()
        };
        self.forget(i);
    }

    /// It was taken back, with what it held.
    pub fn gone(&mut self, pa: u32) {
        let Some(i) = Self::index(pa).filter(|i| self.tables[*i].live) else {
            return;
        };
        self.tables[i].live = false;
        self.dead += 1;
        let Some(at) = self.released(i) else { return };
        let Self {
            leaves,
            due,
            touched,
            clock,
            pae,
            ..
        } = self;
        leaves[at].drain(*pae, |leaf| {
            add(due, leaf.pfn(), -1);
            touched.push(Touch {
                pfn: leaf.pfn(),
                clock: *clock,
                how: How::Went,
            });
        });
    }

    /// A table has no records any more: where they are, to be taken out.
    fn released(&mut self, i: usize) -> Option<usize> {
        let at = self.tables[i].leaves.take()?;
        self.unused.push(at);
        Some(usize::from(at.get()) - 1)
    }

    /// Takes out the records of a table, and tells nobody.
    fn forget(&mut self, i: usize) {
        if let Some(at) = self.released(i) {
            self.leaves[at].drain(self.pae, |_| {});
        }
    }

    /// The records of a table.
    fn leaves_of(&self, table: &Table) -> Option<&Leaves> {
        Some(&self.leaves[usize::from(table.leaves?.get()) - 1])
    }

    /// The same, to be changed; it has some from now on.
    fn leaves_mut(&mut self, i: usize) -> &mut Leaves {
        let at = match self.tables[i].leaves {
            Some(at) => at,
            None => {
                let at = self.unused.pop().unwrap_or_else(|| {
                    self.leaves.push(Box::default());
                    // No more than there are tables.
                    NonZeroU16::MIN.saturating_add(self.leaves.len() as u16 - 1)
                });
                *self.tables[i].leaves.insert(at)
            }
        };
        &mut self.leaves[usize::from(at.get()) - 1]
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
    #[inline]
    pub fn leaf(&self, pa: u32) -> Option<Leaf> {
        let table = &self.tables[Self::index(pa)?];
        self.leaves_of(table)?.get(self.slot(pa), self.pae)
    }

    /// The entry at `pa` is this now.
    #[inline(always)]
    pub fn set(&mut self, pa: u32, leaf: Option<Leaf>) {
        let slot = self.slot(pa);
        let Some(i) = Self::index(pa).filter(|i| self.tables[*i].live) else {
            return;
        };
        let pae = self.pae;
        let old = self.leaves_mut(i).set(slot, pae, leaf);
        for (leaf, by, how) in [(old, -1, How::Went), (leaf, 1, How::Took)] {
            if let Some(leaf) = leaf {
                add(&mut self.due, leaf.pfn(), by);
                self.touch(leaf.pfn(), how);
            }
        }
    }

    /// A frame's references may change in this step.
    #[inline]
    pub fn touch(&mut self, pfn: u32, how: How) {
        self.touched.push(Touch {
            pfn,
            clock: self.clock,
            how,
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
        let slot = self.slot(pa);
        let Some(i) = Self::index(pa).filter(|i| self.tables[*i].leaves.is_some()) else {
            return false;
        };
        let origin = self.leaves_mut(i).origin_mut(slot);
        origin.is_some_and(|origin| origin.renew(clock))
    }

    /// The first entry below one of these `roots`, those of slots, from `first` to `last`, that was told before `clock`;
    /// all of them pass for told from now on.
    pub fn outlived(
        &mut self,
        roots: [Option<u32>; 4],
        (first, last): (u32, u32),
        clock: u32,
    ) -> Option<u32> {
        let span = if self.pae { 0x1f_ffff } else { 0x3f_ffff };
        let mut found = [None; 4];
        for i in &self.live {
            let table = &self.tables[usize::from(*i)];
            let out = table.base > last || table.base | span < first;
            if table.level != Level::Leaf || out {
                continue;
            }
            let slot = roots.iter().position(|root| *root == Some(table.root));
            let (Some(slot), Some(at)) = (slot, table.leaves) else {
                continue;
            };
            let leaves = &mut self.leaves[usize::from(at.get()) - 1];
            leaves.each_mut(|entry, origin| {
                let vaddr = table.base | (entry as u32) << 12;
                if (first..=last).contains(&vaddr) && origin.renew(clock) {
                    found[slot] = found[slot].or(Some(vaddr));
                }
            });
        }
        found.into_iter().flatten().next()
    }

    /// Physical addresses of live tables of the lowest level.
    pub fn leaf_tables(&self) -> impl Iterator<Item = u32> {
        self.live
            .iter()
            .map(|i| (i, &self.tables[usize::from(*i)]))
            .filter(|(_, table)| table.live && table.level == Level::Leaf)
            .map(|(i, _)| (u32::from(*i) + 1) << 13)
    }

    /// Whether the words of the lowest-level table at `pa` are just what they should be, but for what the processor sets.
    pub fn stands(&self, pa: u32, words: &[Cell<u32>; 1024]) -> bool {
        let table = Self::index(pa).map(|i| &self.tables[i]);
        match table.and_then(|table| self.leaves_of(table)) {
            Some(leaves) => leaves.are(words, self.pae),
            None => words.iter().fold(0, |sum, word| sum | word.get()) == 0,
        }
    }
}

fn add(due: &mut [i32], pfn: u32, by: i32) {
    if let Some(due) = due.get_mut(pfn.wrapping_sub(DATA_BASE) as usize) {
        *due += by;
    }
}
