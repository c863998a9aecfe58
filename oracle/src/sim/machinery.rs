// SPDX-License-Identifier: GPL-2.0-or-later
//! What the rig asks of the simulated host: guest memory, host events, frames by name, references.

use std::cell::Cell;

use lguest_c_reference::DATA_BASE;
use lguest_engine::{Calls, Event, FrameName, FrameWords, KeepsCalls, Machinery, Step};
use lguest_shadow::{BugKind, HostBug, Mode, NoPae, Pae};

use super::{EMPTIED, SimHost};

/// The table at a physical address, in the form of one paging mode.
pub trait TableOf<M: Mode> {
    /// As `Host::table`.
    fn table_of(&self, pa: u32) -> Result<&M::Table, HostBug>;
}

impl TableOf<NoPae> for SimHost {
    #[inline]
    fn table_of(&self, pa: u32) -> Result<&<NoPae as Mode>::Table, HostBug> {
        match self.tables.words(pa >> 12) {
            Some(words) => Ok(words),
            None => Err(self.no_table(pa)),
        }
    }
}

impl TableOf<Pae> for SimHost {
    #[inline]
    fn table_of(&self, pa: u32) -> Result<&<Pae as Mode>::Table, HostBug> {
        match self.tables.longs(pa >> 12) {
            Some(longs) => Ok(longs),
            None => Err(self.no_table(pa)),
        }
    }
}

impl SimHost {
    /// The crash that the C would have for a table at `pa`: a guard page lies behind each frame.
    #[cold]
    fn no_table(&self, pa: u32) -> HostBug {
        let pfn = pa >> 12;
        if pfn % 2 == 1 && self.tables.words(pfn - 1).is_some() {
            HostBug::new(BugKind::OutsidePage, pfn - 1)
        } else {
            HostBug::new(BugKind::WildPage, pfn)
        }
    }

    fn guest_frame(&self, pfn: u32) -> Option<u32> {
        pfn.checked_sub(self.guest_base())
            .filter(|frame| *frame < self.memory.frames())
    }

    /// The words of a guest page as the launcher sees it; nothing if it is not mapped, or all zero because nobody wrote
    /// to its frame.
    #[inline]
    pub fn page_words(&self, page: u32) -> Option<&FrameWords> {
        self.memory.words(self.memory.frame_of(page)?)
    }
}

impl Machinery for SimHost {
    // One for both sides: what two copies of this would displace is worth more than the call.
    #[inline(never)]
    fn begin_step(&self, step: &Step) {
        self.plan(step);
    }

    #[inline]
    fn trail(&self) -> u64 {
        self.shared.hash.get()
    }

    #[inline]
    fn calls(&self) -> u32 {
        self.shared.calls.get()
    }

    #[inline]
    fn cpu(&self) -> u32 {
        self.shared.cpu.get()
    }

    fn set_cpu(&self, cpu: u32) {
        self.shared.cpu.set(cpu);
    }

    #[inline]
    fn guest_read(&self, gpa: u32, to: &mut [u8]) -> bool {
        self.memory.read(gpa, to)
    }

    fn guest_write(&self, gpa: u32, from: &[u8]) -> bool {
        self.memory.write(gpa, from)
    }

    fn happen(&self, event: Event) {
        self.do_event(event);
    }

    #[inline]
    fn table(&self, pfn: u32) -> Option<&FrameWords> {
        self.tables.words(pfn)
    }

    fn load(&self, pfn: u32, word: usize) -> Option<u32> {
        self.guest_frame(pfn)
            .map(|frame| self.memory.load(frame, word))
    }

    fn store(&self, pfn: u32, word: usize, value: u32) -> bool {
        self.guest_frame(pfn)
            .map(|frame| self.memory.store(frame, word, value))
            .is_some()
    }

    fn data(&self, pfn: u32) -> Option<&FrameWords> {
        self.memory.words(self.guest_frame(pfn)?)
    }

    fn name(&self, pfn: u32) -> FrameName {
        if self.tables.is_live(pfn) {
            return FrameName::Table;
        }
        match pfn.checked_sub(DATA_BASE) {
            Some(0) => FrameName::Regs,
            Some(k) if k <= self.switcher_pages.get() => FrameName::Switcher(k - 1),
            _ => self
                .guest_frame(pfn)
                .map_or(FrameName::Foreign(pfn), |frame| self.memory.name(frame)),
        }
    }

    fn frame_of(&self, page: u32) -> Option<u32> {
        self.memory
            .frame_of(page)
            .map(|frame| self.guest_base() + frame)
    }

    fn data_frames(&self) -> (u32, u32) {
        (DATA_BASE, self.guest_base() + self.memory.frames())
    }

    fn held(&self, pfn: u32) -> i32 {
        self.shared.held_of(pfn).map_or(0, Cell::get)
    }

    fn all_held(&self) -> &[Cell<i32>] {
        let (first, end) = self.data_frames();
        &self.shared.held()[..(end - first) as usize]
    }

    fn tables_held(&self) -> u32 {
        self.tables.live()
    }

    #[inline]
    fn corrupted(&self) -> Option<u32> {
        Some(self.tables.corrupted()).filter(|pfn| *pfn != 0)
    }

    fn dirty(&self, i: usize) -> Option<(u32, u64)> {
        let (frame, blocks) = self.memory.dirty(i)?;
        Some((self.guest_base() + frame, blocks))
    }

    fn settle_dirty(&self) {
        self.memory.settle();
    }

    #[inline]
    fn emptied(&self, i: usize) -> Option<u32> {
        if i < self.emptied_len.get() {
            self.emptied.get(i).map(Cell::get)
        } else {
            None
        }
    }

    #[inline]
    fn emptied_overflow(&self) -> bool {
        self.emptied_len.get() > EMPTIED
    }

    fn message(&self, to: &mut dyn FnMut(&[u8])) {
        to(&self.message.borrow());
    }

    fn orphaned(&self) -> i64 {
        self.orphaned.get()
    }

    fn draws(&self) -> u32 {
        self.draws.get()
    }
}

impl KeepsCalls for SimHost {
    fn kept(&self) -> &Calls {
        &self.kept
    }
}
