// SPDX-License-Identifier: GPL-2.0-or-later
//! The mix of a guest: how often it does what, measured in the records of a trace, be it real or exported.
//!
//! Counted is what was called from outside of `page_tables.c`, and what came of it. An access of a generated guest
//! that finds its page mapped is no call, as it is none on a real processor.

use std::collections::VecDeque;

use crate::trace::Record;

/// Sorts of step, with their letters in a trace.
pub const SORTS: [(u8, &str); 10] = [
    (b'D', "fault"),
    (b'A', "look-up"),
    (b'S', "SET_PTE"),
    (b'N', "NEW_PGTABLE"),
    (b'K', "SET_STACK"),
    (b'G', "SET_PGD"),
    (b'M', "SET_PMD"),
    (b'U', "FLUSH_TLB of user addresses"),
    (b'C', "FLUSH_TLB of all"),
    (b'W', "run on another CPU than before"),
];

/// Classes of the entry in a SET_PTE.
pub const CLASSES: [&str; 6] = [
    "zero",
    "A and D, writable",
    "A and D, read-only",
    "A without D",
    "D without A",
    "other",
];

/// What comes of a fault.
pub const FATES: [&str; 3] = ["fixed", "the guest's own", "I/O memory"];

/// Switches among which live page tables are counted.
const WINDOW: usize = 16;

const RW: u64 = 2;
const A: u64 = 0x20;
const D: u64 = 0x40;

/// Counts over any number of traces.
#[derive(Clone, Debug, Default)]
pub struct Mix {
    /// Steps of each sort.
    pub sorts: [u64; SORTS.len()],
    /// Entries of each class.
    pub classes: [u64; CLASSES.len()],
    /// Faults by what came of them.
    pub fates: [u64; FATES.len()],
    /// Calls that change the kernel's part of all shadows: SET_PTE of its addresses, SET_PMD, FLUSH_TLB of all.
    pub kernel_changes: u64,
    /// Sum over all windows of how many page directories were switched to in them.
    live: u64,
    windows: u64,
    recent: VecDeque<u32>,
    kernel_address: Option<u32>,
}

impl Mix {
    /// Counts a record.
    pub fn add(&mut self, record: &Record) {
        if record.depth != 0 {
            return;
        }
        let n = &record.n;
        if let Some(sort) = SORTS.iter().position(|(l, _)| *l == record.letter) {
            self.sorts[sort] += 1;
        }
        match record.letter {
            b'I' => {
                self.recent.clear();
                self.kernel_address = None;
            }
            b'B' => self.kernel_address = Some(record.at(0)),
            b'd' => {
                let fate = match (n[0], n[1]) {
                    (0, 0) => 1,
                    (0, _) => 2,
                    _ => 0,
                };
                self.fates[fate] += 1;
            }
            b'S' => {
                let class = match (n[2], n[2] & RW != 0, n[2] & (A | D)) {
                    (0, ..) => 0,
                    (_, true, both) if both == A | D => 1,
                    (_, false, both) if both == A | D => 2,
                    (_, _, A) => 3,
                    (_, _, D) => 4,
                    _ => 5,
                };
                self.classes[class] += 1;
                let own = self.kernel_address.is_some_and(|at| record.at(1) >= at);
                self.kernel_changes += u64::from(own);
            }
            b'M' | b'C' => self.kernel_changes += 1,
            b'N' => self.switch(record.at(0)),
            _ => {}
        }
    }

    fn switch(&mut self, gpgdir: u32) {
        self.recent.push_back(gpgdir);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        if self.recent.len() == WINDOW {
            let mut distinct: Vec<u32> = self.recent.iter().copied().collect();
            distinct.sort_unstable();
            distinct.dedup();
            self.live += distinct.len() as u64;
            self.windows += 1;
        }
    }

    /// Steps counted.
    pub fn steps(&self) -> u64 {
        self.sorts.iter().sum()
    }

    /// Share of a sort of step, in percent of all.
    pub fn sort(&self, letter: u8) -> f64 {
        SORTS
            .iter()
            .position(|(l, _)| *l == letter)
            .map_or(0.0, |i| percent(self.sorts[i], self.steps()))
    }

    /// Share of a class of [`CLASSES`], in percent of all SET_PTE.
    pub fn class(&self, i: usize) -> f64 {
        percent(self.classes[i], self.classes.iter().sum())
    }

    /// Share of a fate of [`FATES`], in percent of all faults.
    pub fn fate(&self, i: usize) -> f64 {
        percent(self.fates[i], self.fates.iter().sum())
    }

    /// Page directories among sixteen switches in a row, on average.
    pub fn live(&self) -> f64 {
        ratio(self.live, self.windows)
    }

    /// Steps from one switch to the next, on average.
    pub fn between_switches(&self) -> f64 {
        let of = |letter| SORTS.iter().position(|(l, _)| *l == letter);
        ratio(self.steps(), of(b'N').map_or(0, |i| self.sorts[i]))
    }

    /// Steps from one change of the kernel's part to the next, on average.
    pub fn between_kernel_changes(&self) -> f64 {
        ratio(self.steps(), self.kernel_changes)
    }
}

/// 0 where there is nothing to divide by.
fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

fn percent(part: u64, whole: u64) -> f64 {
    ratio(part, whole) * 100.0
}

/// Several mixes side by side, as a table in Markdown.
pub fn table(mixes: &[(&str, &Mix)]) -> String {
    let mut out = String::new();
    let mut line = |name: &str, cells: Vec<String>| {
        out += &format!("| {name} | {} |\n", cells.join(" | "));
    };
    line("", mixes.iter().map(|(name, _)| (*name).into()).collect());
    line("---", mixes.iter().map(|_| "---".into()).collect());
    let cells = |of: &dyn Fn(&Mix) -> f64, unit: &str| {
        let one = |(_, mix): &(&str, &Mix)| match of(mix) {
            n if n >= 100.0 => format!("{n:.0}{unit}"),
            n if n >= 0.05 || n == 0.0 => format!("{n:.1}{unit}"),
            n => format!("{n:.3}{unit}"),
        };
        mixes.iter().map(one).collect()
    };
    for (letter, name) in SORTS {
        line(name, cells(&|mix| mix.sort(letter), " %"));
    }
    for (i, name) in CLASSES.iter().enumerate() {
        let name = format!("SET_PTE: {name}");
        line(&name, cells(&|mix| mix.class(i), " %"));
    }
    for (i, name) in FATES.iter().enumerate() {
        let name = format!("fault: {name}");
        line(&name, cells(&|mix| mix.fate(i), " %"));
    }
    line("page tables live among 16 switches", cells(&Mix::live, ""));
    line("steps between switches", cells(&Mix::between_switches, ""));
    let name = "steps between kernel changes";
    line(name, cells(&Mix::between_kernel_changes, ""));
    out
}
