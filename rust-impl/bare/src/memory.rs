// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory in real frames: what the launcher has mapped where, copy-on-write.
//!
//! The policy is the simulated host's. Guest frames are counted from 0: first one for each page, then the copies.

use core::cell::Cell;

use lguest_engine::{FrameName, FrameWords, Machine, Mapping, PageRecord};

use crate::machine::frame;

/// Most guest pages that memory stands behind.
pub const MAX_PAGES: usize = 0x4000;
/// Copy-on-write breaks that one scenario has memory for.
pub const COPIES: usize = 256;
/// Most guest frames.
pub const MAX_FRAMES: usize = MAX_PAGES + COPIES;

/// How the launcher has one guest page mapped.
#[derive(Clone, Copy)]
struct PageMap {
    frame: u32,
    present: bool,
    writable: bool,
    copy_on_write: bool,
}

const UNMAPPED: PageMap = PageMap {
    frame: 0,
    present: false,
    writable: false,
    copy_on_write: false,
};

/// Guest memory.
pub struct Memory {
    map: [Cell<PageMap>; MAX_PAGES],
    /// Frames that hold anything but zeroes, maybe.
    written: [Cell<bool>; MAX_FRAMES],
    /// For each copy, in order, the page that it was made for.
    copies: [Cell<u32>; COPIES],
    copied: Cell<usize>,
    pages: Cell<usize>,
    /// Number of guest frame 0.
    base: Cell<u32>,
}

impl Memory {
    /// No guest page yet.
    pub const fn new() -> Self {
        Memory {
            map: [const { Cell::new(UNMAPPED) }; MAX_PAGES],
            written: [const { Cell::new(false) }; MAX_FRAMES],
            copies: [const { Cell::new(0) }; COPIES],
            copied: Cell::new(0),
            pages: Cell::new(0),
            base: Cell::new(0),
        }
    }

    /// Maps the pages of `machine`, on frames from number `base` on; what was written is zeroed.
    pub fn reset(
        &self,
        base: u32,
        machine: &Machine,
        records: &mut dyn Iterator<Item = PageRecord>,
    ) {
        let pages = (machine.pages as usize).min(MAX_PAGES);
        for (k, written) in self.written[..self.frames() as usize].iter().enumerate() {
            if written.replace(false) {
                zero(self.base.get() + k as u32);
            }
        }
        self.base.set(base);
        self.copied.set(0);
        self.pages.set(pages);
        for (page, map) in self.map[..pages].iter().enumerate() {
            map.set(PageMap {
                frame: page as u32,
                present: true,
                writable: true,
                copy_on_write: false,
            });
        }
        for record in records {
            let end = (record.first as usize).saturating_add(record.count as usize);
            for page in record.first as usize..end.min(pages) {
                let shared = record.shared.filter(|other| (*other as usize) < pages);
                self.map[page].set(PageMap {
                    frame: shared.unwrap_or(page as u32),
                    present: record.mapping != Mapping::Absent,
                    writable: record.mapping != Mapping::ReadOnly,
                    copy_on_write: record.mapping == Mapping::CopyOnWrite,
                });
            }
        }
    }

    /// Number of guest frames, copies and all.
    pub fn frames(&self) -> u32 {
        (self.pages.get() + COPIES) as u32
    }

    /// The guest frame with this number, if it is one.
    pub fn index(&self, pfn: u32) -> Option<u32> {
        pfn.checked_sub(self.base.get())
            .filter(|k| *k < self.frames())
    }

    fn at(&self, k: u32) -> &'static FrameWords {
        frame(self.base.get() + k)
    }

    fn page(&self, page: u32) -> Option<&Cell<PageMap>> {
        self.map[..self.pages.get()].get(page as usize)
    }

    /// The frame that a page is on, if it is mapped.
    pub fn frame_of(&self, page: u32) -> Option<u32> {
        let map = self.page(page)?.get();
        map.present.then(|| self.base.get() + map.frame)
    }

    /// The frame for an access; a write breaks copy-on-write first. Nothing if the mapping forbids it or memory is out.
    pub fn resolve(&self, page: u32, write: bool) -> Option<u32> {
        let cell = self.page(page)?;
        let map = cell.get();
        if !map.present || (write && !map.writable) {
            return None;
        }
        if !(write && map.copy_on_write) {
            return Some(map.frame);
        }
        let copied = self.copied.get();
        self.copies.get(copied)?.set(page);
        self.copied.set(copied + 1);
        let to = (self.pages.get() + copied) as u32;
        for (to, from) in self.writable(to).iter().zip(self.at(map.frame)) {
            to.set(from.get());
        }
        cell.set(PageMap {
            frame: to,
            copy_on_write: false,
            ..map
        });
        Some(to)
    }

    /// Changes how a page is mapped, if there is such a page.
    fn change(&self, page: u32, how: impl Fn(&mut PageMap)) {
        if let Some(cell) = self.page(page) {
            let mut map = cell.get();
            how(&mut map);
            cell.set(map);
        }
    }

    /// The page is unmapped; nothing maps it again.
    pub fn unmap(&self, page: u32) {
        self.change(page, |map| map.present = false);
    }

    /// The page becomes read-only, or writable again.
    pub fn protect(&self, page: u32, writable: bool) {
        self.change(page, |map| map.writable = writable);
    }

    /// The page is shared with a child: the next write copies it.
    pub fn share(&self, page: u32) {
        self.change(page, |map| map.copy_on_write = true);
    }

    /// The words of guest frame `k`, if it was written since the reset.
    pub fn words(&self, k: u32) -> Option<&'static FrameWords> {
        let written = self.written.get(k as usize).is_some_and(Cell::get);
        written.then(|| self.at(k))
    }

    /// The same, to be written.
    pub fn writable(&self, k: u32) -> &'static FrameWords {
        self.written[k as usize].set(true);
        self.at(k)
    }

    /// Reads bytes at a guest-physical address; false, with what came before it read, at a page that is not there.
    pub fn read(&self, gpa: u32, to: &mut [u8]) -> bool {
        for (i, byte) in to.iter_mut().enumerate() {
            let at = gpa.wrapping_add(i as u32);
            let Some(k) = self.resolve(at >> 12, false) else {
                return false;
            };
            let word = self.at(k)[(at as usize >> 2) & 1023].get();
            *byte = (word >> (8 * (at & 3))) as u8;
        }
        true
    }

    /// Writes bytes at a guest-physical address, breaking copy-on-write; false, with what came before it written,
    /// at a page that cannot be written.
    pub fn write(&self, gpa: u32, from: &[u8]) -> bool {
        for (i, byte) in from.iter().enumerate() {
            let at = gpa.wrapping_add(i as u32);
            let Some(k) = self.resolve(at >> 12, true) else {
                return false;
            };
            let shift = 8 * (at & 3);
            let cell = &self.writable(k)[(at as usize >> 2) & 1023];
            cell.set(cell.get() & !(0xff << shift) | u32::from(*byte) << shift);
        }
        true
    }

    /// The name of guest frame `k`.
    pub fn name(&self, k: u32) -> FrameName {
        let mut on_it = self.map[..self.pages.get()]
            .iter()
            .enumerate()
            .filter(|(_, map)| map.get().present && map.get().frame == k);
        if let Some((page, _)) = on_it.next() {
            return FrameName::Guest {
                page: page as u32,
                old: 0,
                shared: on_it.next().is_some(),
            };
        }
        let copies = &self.copies[..self.copied.get()];
        let nth = (k as usize).checked_sub(self.pages.get());
        let page = nth.map_or(k, |nth| copies.get(nth).map_or(k, Cell::get));
        let later = copies.iter().skip(nth.map_or(0, |nth| nth + 1));
        FrameName::Guest {
            page,
            old: later.filter(|of| of.get() == page).count() as u32,
            shared: false,
        }
    }
}

/// Zeroes a frame.
pub fn zero(pfn: u32) {
    frame(pfn).iter().for_each(|word| word.set(0));
}
