// SPDX-License-Identifier: GPL-2.0-or-later
//! **The Switcher.** When the guest runs, the Switcher's text and this CPU's two pages are mapped in its current tables,
//! with no more rights than they need and no fewer, and no other CPU's are.
//!
//! To show: of the current tables at each run, that the text can be read and executed, the first page of this CPU is
//! the guest's registers and can be written, the second can be read, none is open to user mode, neither page can be
//! executed where the host has that bit, and the entries of all other CPUs are absent. So that the cause is told and
//! not the crash that comes of it: a table that is marked as having the Switcher has it.

use lguest_c_reference::DATA_BASE;

use super::walk::{self, NX, Near, PRESENT, Reached, USER, WRITE};
use crate::sim::SimHost;

/// The Switcher of a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Switcher {
    /// Its first address.
    pub addr: u32,
    /// Host CPUs.
    pub cpus: u32,
    /// Three levels.
    pub pae: bool,
    /// The host knows pages that cannot be executed.
    pub nx: bool,
}

/// Marked and not there: C lines 1044-1050.
pub const LOST: &str = "a table is marked as having the Switcher and has not";
/// No text at a run.
pub const NO_TEXT: &str = "the Switcher's text is not mapped";
/// Registers cannot be saved.
pub const READ_ONLY: &str = "an entry above the registers does not let them be written";

impl Switcher {
    /// What is wrong with the Switcher in the tables at `root`, for a guest that runs on `cpu`.
    pub fn at_run(&self, host: &SimHost, root: u32, cpu: u32) -> Option<&'static str> {
        let mut near = Near::new(host, root, self.pae);
        let is = |at: &Reached, frame| at.value & PRESENT != 0 && walk::frame(at.value) == frame;
        let text = near.look(self.addr);
        let Some(text) = text.filter(|at| is(at, DATA_BASE + 1)) else {
            return Some(NO_TEXT);
        };
        if text.value & (WRITE | USER | NX) != 0 {
            return Some("the Switcher's text has a right that it does not need");
        }
        for of in 0..self.cpus {
            let base = self.addr + 0x1000 + of * 0x2000;
            if of != cpu {
                let mut stays = |vaddr| near.look(vaddr).is_some_and(|at| at.value & PRESENT != 0);
                if stays(base) || stays(base + 0x1000) {
                    return Some("another CPU's page is mapped");
                }
                continue;
            }
            let (regs, data) = (near.look(base), near.look(base + 0x1000));
            let (Some(regs), Some(data)) = (
                regs.filter(|at| is(at, DATA_BASE)),
                data.filter(|at| is(at, DATA_BASE + 1 + 2 + 2 * cpu)),
            ) else {
                return Some("a page of this CPU is not mapped");
            };
            if regs.value & WRITE == 0 {
                return Some("the registers cannot be written");
            }
            if regs.above & WRITE == 0 {
                return Some(READ_ONLY);
            }
            let no_execute = self.pae && self.nx && regs.value & data.value & NX == 0;
            if data.value & WRITE != 0 || (regs.value | data.value) & USER != 0 || no_execute {
                return Some("a page of this CPU has a right that it does not need");
            }
        }
        None
    }

    /// A table at `root` that is marked as having the Switcher lacks its text, or the table for its last page.
    pub fn is_lost(&self, host: &SimHost, root: u32) -> bool {
        let mut near = Near::new(host, root, self.pae);
        let text = near
            .look(self.addr)
            .is_some_and(|at| at.value & PRESENT != 0 && walk::frame(at.value) == DATA_BASE + 1);
        !text || near.look(self.addr + self.cpus * 0x2000).is_none()
    }
}
