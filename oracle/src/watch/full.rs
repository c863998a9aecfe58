// SPDX-License-Identifier: GPL-2.0-or-later
//! The full look: each entry there is against its record, every count, every table; and that nothing is left.

use std::cell::Cell;

use lguest_engine::{Machinery, Side, Verb};

use super::Watch;
use super::breach::Oracle;
use super::doing::Doing;
use super::leaf::{Leaf, Origin};
use super::walk::PRESENT;
use super::{justified, references};
use crate::sim::SimHost;

impl Watch {
    /// Looks at everything before the guest goes.
    pub fn at_end<S: Side<Host = SimHost>>(&mut self, side: &S) {
        self.everything(side, Doing::Step(Verb::Destroy));
    }

    /// Looks at everything: each entry against its record, every count, every table.
    #[inline(never)]
    pub(super) fn everything<S: Side<Host = SimHost>>(&mut self, side: &S, verb: Doing) {
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
    fn standing(&mut self, host: &SimHost, table: u32, words: &[Cell<u32>; 1024], verb: Doing) {
        if self.mirror.stands(table, words) {
            return;
        }
        let size = if self.switcher.pae { 2 } else { 1 };
        for (pa, words) in (table..).step_by(4 * size).zip(words.chunks_exact(size)) {
            let high = words.get(1).map_or(0, |word| u64::from(word.get()) << 32);
            self.one(host, pa, high | u64::from(words[0].get()), verb);
        }
    }

    /// One entry of several, one of which is not as recorded.
    #[cold]
    fn one(&mut self, host: &SimHost, pa: u32, value: u64, verb: Doing) {
        // The Switcher's own are looked at when the guest runs.
        let at = self.mirror.place(pa);
        if at.is_some_and(|at| at.vaddr >= self.switcher.addr) {
            return;
        }
        match self.mirror.leaf(pa) {
            Some(leaf) if value & PRESENT == 0 => {
                self.tell(Oracle::Justified, verb, justified::GONE, pa);
                self.mirror.set(pa, None);
                // Whose reference it leaves behind is no fault of its own.
                self.mirror.forgive(leaf.pfn(), host.held(leaf.pfn()));
            }
            None if value & PRESENT == 0 => {}
            leaf => {
                let Some(what) = justified::standing(value, leaf.as_ref()) else {
                    return;
                };
                self.tell(Oracle::Justified, verb, what, pa);
                let origin = leaf.map_or(Origin::default(), |leaf| leaf.origin);
                self.mirror.set(pa, Some(Leaf::new(value, origin)));
            }
        }
    }

    fn all_counts(&mut self, host: &SimHost, verb: Doing) {
        while let Some(wrong) = references::all(host, &self.mirror, verb) {
            self.tell(Oracle::References, wrong.verb, wrong.what, wrong.pfn);
            self.mirror.forgive(wrong.pfn, wrong.held);
            if wrong.what == references::OUTLIVES {
                self.owing.push(wrong.pfn);
            }
        }
    }

    /// The guest is gone, and nothing is left of it.
    pub(super) fn gone(&mut self, host: &SimHost, verb: Doing) {
        self.all_counts(host, verb);
        if host.tables_held() != 0 {
            self.tell(Oracle::References, verb, "a table is left", 0);
        }
        self.alive = false;
    }
}
