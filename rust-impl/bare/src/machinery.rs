// SPDX-License-Identifier: GPL-2.0-or-later
//! What the engine asks of the host: guest memory, host events, frames by name, references.

use core::cell::Cell;

use lguest_engine::{
    Calls, Event, FrameName, FrameWords, KeepsCalls, Machine, Machinery, PageRecord, PortHost,
    Step, Verb,
};
use lguest_shadow::{NoPae, Pae};

use crate::host::{FIRST_DATA, MESSAGE, RealHost};

impl PortHost<NoPae> for RealHost {
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.reset(machine, false, pages);
    }

    fn regs_page(&self) -> u32 {
        FIRST_DATA << 12
    }
}

impl PortHost<Pae> for RealHost {
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.reset(machine, true, pages);
    }

    fn regs_page(&self) -> u32 {
        FIRST_DATA << 12
    }
}

impl Machinery for RealHost {
    fn begin_step(&self, step: &Step) {
        let drawer = if step.verb == Verb::Hypercall {
            (step.verb, step.args)
        } else {
            self.drawer.get()
        };
        let drawn = self.step_draws.get();
        self.plan(drawer, step.quals);
        if step.verb != Verb::Hypercall {
            self.step_draws.set(drawn);
        }
    }

    fn trail(&self) -> u64 {
        self.trail.get()
    }

    fn calls(&self) -> u32 {
        self.calls.get()
    }

    fn cpu(&self) -> u32 {
        self.cpu.get()
    }

    fn set_cpu(&self, cpu: u32) {
        self.cpu.set(cpu);
    }

    fn guest_read(&self, gpa: u32, to: &mut [u8]) -> bool {
        self.memory.read(gpa, to)
    }

    fn guest_write(&self, gpa: u32, from: &[u8]) -> bool {
        self.memory.write(gpa, from)
    }

    fn happen(&self, event: Event) {
        match event {
            Event::Write { gpa, value, width } => {
                let width = usize::from(width).min(8);
                self.memory.write(gpa, &value.to_le_bytes()[..width]);
            }
            Event::Unmap(page) => self.memory.unmap(page),
            Event::Protect(page) => self.memory.protect(page, false),
            Event::Unprotect(page) => self.memory.protect(page, true),
            Event::Share(page) => self.memory.share(page),
        }
    }

    fn table(&self, pfn: u32) -> Option<&FrameWords> {
        self.tables.words(pfn)
    }

    fn load(&self, pfn: u32, word: usize) -> Option<u32> {
        let k = self.memory.index(pfn)?;
        let words = self.memory.words(k);
        Some(words.map_or(0, |words| words[word & 1023].get()))
    }

    fn store(&self, pfn: u32, word: usize, value: u32) -> bool {
        let Some(k) = self.memory.index(pfn) else {
            return false;
        };
        self.memory.writable(k)[word & 1023].set(value);
        true
    }

    fn data(&self, pfn: u32) -> Option<&FrameWords> {
        self.memory.words(self.memory.index(pfn)?)
    }

    fn name(&self, pfn: u32) -> FrameName {
        if self.tables.is_live(pfn) {
            return FrameName::Table;
        }
        if let Some(k) = self.memory.index(pfn) {
            return self.memory.name(k);
        }
        match pfn.checked_sub(FIRST_DATA) {
            Some(0) => FrameName::Regs,
            Some(k) if k <= self.machine.get().switcher_pages() => FrameName::Switcher(k - 1),
            _ => FrameName::Foreign(pfn),
        }
    }

    fn frame_of(&self, page: u32) -> Option<u32> {
        self.memory.frame_of(page)
    }

    fn data_frames(&self) -> (u32, u32) {
        let end = FIRST_DATA + 1 + self.machine.get().switcher_pages() + self.memory.frames();
        (FIRST_DATA, end)
    }

    fn held(&self, pfn: u32) -> i32 {
        self.held_of(pfn).map_or(0, Cell::get)
    }

    fn all_held(&self) -> &[Cell<i32>] {
        let (first, end) = self.data_frames();
        &self.held[..(end - first) as usize]
    }

    fn tables_held(&self) -> u32 {
        self.tables.live()
    }

    fn corrupted(&self) -> Option<u32> {
        Some(self.tables.corrupted()).filter(|pfn| *pfn != 0)
    }

    // What follows serves the comparison of two sides, and there is one here.

    fn dirty(&self, _: usize) -> Option<(u32, u64)> {
        None
    }

    fn settle_dirty(&self) {}

    fn emptied(&self, _: usize) -> Option<u32> {
        None
    }

    fn emptied_overflow(&self) -> bool {
        false
    }

    fn message(&self, to: &mut dyn FnMut(&[u8])) {
        let mut text = [0; MESSAGE];
        for (byte, cell) in text.iter_mut().zip(&self.message) {
            *byte = cell.get();
        }
        to(&text[..self.message_len.get()]);
    }

    fn orphaned(&self) -> i64 {
        self.orphaned.get()
    }

    fn draws(&self) -> u32 {
        self.draws.get()
    }
}

impl KeepsCalls for RealHost {
    fn kept(&self) -> &Calls {
        &self.kept
    }
}
