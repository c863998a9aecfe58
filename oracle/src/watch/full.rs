// SPDX-License-Identifier: GPL-2.0-or-later
//! The full look: each entry there is against its record, every count, every table; and that nothing is left.

use std::cell::Cell;

use lguest_engine::{Machinery, Side};

use super::Watch;
use super::breach::Oracle;
use super::leaf::{Leaf, Place};
use super::walk::frame;
use super::{justified, references, walk};
use crate::sim::SimHost;

/// Words that are looked at together, for most of them are zero: no more entries than [`super::mirror::Mirror`] has in
/// one word.
const MANY: usize = 64;

impl Watch {
    /// Looks at everything: each entry against its record, every count, every table.
    #[inline(never)]
    pub fn everything<S: Side<Host = SimHost>>(&mut self, side: &S, verb: &'static str) {
        let host = side.host();
        let mut tables = std::mem::take(&mut self.tables);
        tables.clear();
        tables.extend(self.mirror.leaf_tables());
        for table in &tables {
            if let Some(words) = host.table(table >> 12) {
                self.standing(host, *table, words, verb);
            }
        }
        self.tables = tables;
        self.all_counts(host, verb);
        let roots = self.state.slots.map(|slot| slot.pgdir);
        if references::reachable(side, &roots) != host.tables_held() {
            self.tell(Oracle::References, verb, references::LOST_TABLE, 0);
        }
    }

    /// The entries of one table.
    fn standing(
        &mut self,
        host: &SimHost,
        table: u32,
        words: &[Cell<u32>; 1024],
        verb: &'static str,
    ) {
        let size = if self.switcher.pae { 2 } else { 1 };
        let Some(present) = self.mirror.present(table).copied() else {
            return;
        };
        let any = |block: &[Cell<u32>]| block.iter().fold(0, |sum, word| sum | word.get()) & 1 != 0;
        for (i, many) in words.as_chunks::<MANY>().0.iter().enumerate() {
            let first = i * MANY / size;
            let known = present[first / 64] >> (first % 64) & (u64::MAX >> (64 - MANY / size));
            if !any(many) && known == 0 {
                continue;
            }
            let entries = many.iter().step_by(size).enumerate();
            for (k, word) in entries {
                let (is, was) = (word.get() & 1 != 0, known >> k & 1 != 0);
                if is || was {
                    let pa = table + (4 * size * (first + k)) as u32;
                    self.one(host, pa, is, verb);
                }
            }
        }
    }

    /// One entry that is present or should be.
    fn one(&mut self, host: &SimHost, pa: u32, is: bool, verb: &'static str) {
        let below = |at: Place| at.vaddr < self.switcher.addr;
        // The Switcher's own are looked at when the guest runs.
        let judged = || self.mirror.place(pa).is_none_or(below);
        let leaf = self.mirror.leaf(pa);
        if !is {
            if let Some(leaf) = leaf.filter(|_| judged()) {
                self.tell(Oracle::Justified, verb, justified::GONE, pa);
                self.mirror.set(pa, None, verb);
                // Whose reference it leaves behind is no fault of its own.
                self.mirror.forgive(leaf.pfn, host.held(leaf.pfn));
            }
            return;
        }
        let value = walk::entry(host, pa, self.switcher.pae).unwrap_or(0);
        let of = leaf.map(|leaf| (leaf.pfn, leaf.rights));
        let Some(what) = justified::standing(value, of).filter(|_| judged()) else {
            return;
        };
        self.tell(Oracle::Justified, verb, what, pa);
        let leaf = Leaf {
            pfn: frame(value),
            rights: value as u32 & 6,
            ..leaf.unwrap_or_default()
        };
        self.mirror.set(pa, Some(leaf), verb);
    }

    fn all_counts(&mut self, host: &SimHost, verb: &'static str) {
        while let Some(wrong) = references::all(host, &self.mirror, verb) {
            self.tell(Oracle::References, wrong.verb, wrong.what, wrong.pfn);
            self.mirror.forgive(wrong.pfn, wrong.held);
            if wrong.what == references::OUTLIVES {
                self.owing.push(wrong.pfn);
            }
        }
    }

    /// The guest is gone, and nothing is left of it.
    pub(super) fn gone(&mut self, host: &SimHost, verb: &'static str) {
        self.all_counts(host, verb);
        if host.tables_held() != 0 {
            self.tell(Oracle::References, verb, "a table is left", 0);
        }
        self.alive = false;
    }
}
