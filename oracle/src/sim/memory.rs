// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory of the simulated host: frames, what the launcher has mapped where, copy-on-write.

use std::cell::{Cell, OnceCell, RefCell};

use lguest_engine::{BLOCK_WORDS, FrameName, FrameWords, Machine, Mapping, PageRecord};

/// Most guest pages that memory stands behind (64 MiB).
pub const MAX_PAGES: u32 = 0x4000;

/// Copy-on-write breaks that one scenario has memory for.
pub const COPIES: u32 = 256;

/// How the launcher has one guest page mapped.
#[derive(Clone, Copy, Default)]
struct PageMap {
    frame: u32,
    present: bool,
    writable: bool,
    copy_on_write: bool,
    /// It is listed as one that is not as it was at first.
    moved: bool,
}

/// A frame; its words stay allocated, zeroed, from one scenario to the next.
#[derive(Default)]
struct Frame {
    words: OnceCell<Box<FrameWords>>,
    /// Blocks written since the reset, a bit each.
    written: Cell<u64>,
    /// Blocks written since `settle`.
    dirty: Cell<u64>,
}

/// The bits of the blocks that hold bytes `first` to `last` of a frame.
fn blocks(first: u32, last: u32) -> u64 {
    let upto = |block: u32| u64::MAX >> (63 - (block & 63));
    upto(last >> 6) & !(upto(first >> 6) >> 1)
}

/// Guest frames by number from 0: first one for each page, then the copies.
pub struct Memory {
    map: Vec<Cell<PageMap>>,
    /// Pages that are not mapped as they were at first, each once.
    moved: RefCell<Vec<u32>>,
    frames: Vec<Frame>,
    /// For each copy, in order, the page that it was made for.
    copies: RefCell<Vec<u32>>,
    written: RefCell<Vec<u32>>,
    /// Blocks written since `settle`, each once, with their frame.
    dirty: RefCell<Vec<(u32, u64)>>,
    pages: Cell<u32>,
}

fn zeroed() -> Box<FrameWords> {
    Box::new([const { Cell::new(0) }; 1024])
}

impl PageMap {
    /// As all are at first: writable, on a frame of its own.
    fn plain(page: u32) -> Self {
        PageMap {
            frame: page,
            present: true,
            writable: true,
            copy_on_write: false,
            moved: false,
        }
    }
}

impl Memory {
    /// No guest page yet.
    pub fn new() -> Self {
        Memory {
            map: (0..MAX_PAGES)
                .map(|page| Cell::new(PageMap::plain(page)))
                .collect(),
            moved: RefCell::default(),
            frames: (0..MAX_PAGES + COPIES).map(|_| Frame::default()).collect(),
            copies: RefCell::default(),
            written: RefCell::default(),
            dirty: RefCell::default(),
            pages: Cell::new(0),
        }
    }

    /// Zeroes what was written and maps the pages of `machine`.
    pub fn reset(&self, machine: &Machine, records: &mut dyn Iterator<Item = PageRecord>) {
        for k in self.written.borrow_mut().drain(..) {
            let frame = &self.frames[k as usize];
            frame.dirty.set(0);
            let written = frame.written.replace(0);
            if let Some(words) = frame.words.get() {
                for (block, words) in words.chunks_exact(BLOCK_WORDS).enumerate() {
                    if written & 1 << block != 0 {
                        words.iter().for_each(|word| word.set(0));
                    }
                }
            }
        }
        self.dirty.borrow_mut().clear();
        self.copies.borrow_mut().clear();
        let pages = machine.pages.min(MAX_PAGES);
        self.pages.set(pages);
        for page in self.moved.borrow_mut().drain(..) {
            self.map[page as usize].set(PageMap::plain(page));
        }
        for record in records {
            for page in record.first..record.first.saturating_add(record.count).min(pages) {
                let frame = record.shared.filter(|other| *other < pages).unwrap_or(page);
                self.change(page, |map| {
                    map.frame = frame;
                    map.present = record.mapping != Mapping::Absent;
                    map.writable = record.mapping != Mapping::ReadOnly;
                    map.copy_on_write = record.mapping == Mapping::CopyOnWrite;
                });
            }
        }
    }

    /// Number of guest frames, copies and all.
    pub fn frames(&self) -> u32 {
        self.pages.get() + COPIES
    }

    fn page(&self, page: u32) -> Option<&Cell<PageMap>> {
        if page < self.pages.get() {
            self.map.get(page as usize)
        } else {
            None
        }
    }

    /// The frame that a page is on, if it is mapped.
    pub fn frame_of(&self, page: u32) -> Option<u32> {
        self.page(page)
            .map(Cell::get)
            .filter(|map| map.present)
            .map(|map| map.frame)
    }

    /// The frame for an access; a write breaks copy-on-write first. Nothing if the mapping forbids it or memory is out.
    pub fn resolve(&self, page: u32, write: bool) -> Option<u32> {
        let map = self.page(page)?.get();
        if !map.present || (write && !map.writable) {
            return None;
        }
        if write && map.copy_on_write {
            return self.copy(page, map.frame);
        }
        Some(map.frame)
    }

    /// A write to the page would reach the frame that it is on now.
    pub fn is_writable(&self, page: u32) -> bool {
        let map = self.page(page).map(Cell::get).unwrap_or_default();
        map.present && map.writable && !map.copy_on_write
    }

    #[cold]
    fn copy(&self, page: u32, from: u32) -> Option<u32> {
        let mut copies = self.copies.borrow_mut();
        if copies.len() as u32 >= COPIES {
            return None;
        }
        let to = self.pages.get() + copies.len() as u32;
        copies.push(page);
        if let Some(words) = self.words(from) {
            for (i, word) in words.iter().enumerate().filter(|(_, word)| word.get() != 0) {
                self.store(to, i, word.get());
            }
        }
        self.change(page, |map| {
            map.frame = to;
            map.copy_on_write = false;
        });
        Some(to)
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

    fn change(&self, page: u32, how: impl Fn(&mut PageMap)) {
        if let Some(cell) = self.page(page) {
            let mut map = cell.get();
            how(&mut map);
            if !map.moved {
                map.moved = true;
                self.moved.borrow_mut().push(page);
            }
            cell.set(map);
        }
    }

    /// The words of a frame, if it was written since the reset.
    pub fn words(&self, frame: u32) -> Option<&FrameWords> {
        let frame = self.frames.get(frame as usize)?;
        if frame.written.get() == 0 {
            None
        } else {
            frame.words.get().map(|words| &**words)
        }
    }

    /// A word of a frame.
    pub fn load(&self, frame: u32, word: usize) -> u32 {
        self.words(frame)
            .map_or(0, |words| words[word & 1023].get())
    }

    /// Stores a word.
    #[inline]
    pub fn store(&self, frame: u32, word: usize, value: u32) {
        let at = (word as u32 & 1023) * 4;
        self.writable(frame, blocks(at, at))[word & 1023].set(value);
    }

    #[inline]
    fn writable(&self, k: u32, blocks: u64) -> &FrameWords {
        let frame = &self.frames[k as usize];
        if frame.dirty.get() & blocks != blocks {
            self.mark(k, frame, blocks);
        }
        frame.words.get_or_init(zeroed)
    }

    fn mark(&self, k: u32, frame: &Frame, blocks: u64) {
        let written = frame.written.get();
        if written == 0 {
            self.written.borrow_mut().push(k);
        }
        frame.written.set(written | blocks);
        let dirty = frame.dirty.get();
        self.dirty.borrow_mut().push((k, blocks & !dirty));
        frame.dirty.set(dirty | blocks);
    }

    /// The `i`-th write since `settle` that came to blocks which none before it did: their frame, and a bit for each.
    pub fn dirty(&self, i: usize) -> Option<(u32, u64)> {
        self.dirty.borrow().get(i).copied()
    }

    /// Forgets that list.
    pub fn settle(&self) {
        for (k, _) in self.dirty.borrow_mut().drain(..) {
            self.frames[k as usize].dirty.set(0);
        }
    }

    /// Reads bytes at a guest-physical address; false, with what came before it read, at a page that is not there.
    #[inline]
    pub fn read(&self, gpa: u32, to: &mut [u8]) -> bool {
        // Nearly all that is read is an entry of a table.
        if is_entry(gpa, to.len()) {
            let Some(frame) = self.resolve(gpa >> 12, false) else {
                return false;
            };
            let words = self.words(frame);
            let first = (gpa >> 2) as usize;
            let word = |i: usize| words.map_or(0, |words| words[(first + i) & 1023].get());
            if let Ok(to) = <&mut [u8; 8]>::try_from(&mut *to) {
                *to = wide(word(0), word(1));
            } else if let Ok(to) = <&mut [u8; 4]>::try_from(to) {
                *to = word(0).to_le_bytes();
            }
            return true;
        }
        self.read_any(gpa, to)
    }

    #[inline(never)]
    fn read_any(&self, gpa: u32, to: &mut [u8]) -> bool {
        let mut at = gpa;
        let mut rest = to;
        while !rest.is_empty() {
            let Some(frame) = self.resolve(at >> 12, false) else {
                return false;
            };
            let room = (4096 - (at & 0xfff) as usize).min(rest.len());
            let (now, later) = rest.split_at_mut(room);
            self.read_frame(frame, at & 0xfff, now);
            rest = later;
            at = at.wrapping_add(room as u32);
        }
        true
    }

    fn read_frame(&self, frame: u32, offset: u32, to: &mut [u8]) {
        let Some(words) = self.words(frame) else {
            return to.fill(0);
        };
        let word = |i: u32| words[(i >> 2) as usize & 1023].get();
        if offset.is_multiple_of(4) && to.len().is_multiple_of(4) {
            let (pairs, rest) = to.as_chunks_mut::<8>();
            let last = offset + pairs.len() as u32 * 8;
            for (at, bytes) in (offset..).step_by(8).zip(pairs) {
                *bytes = wide(word(at), word(at + 4));
            }
            for bytes in rest.as_chunks_mut::<4>().0 {
                *bytes = word(last).to_le_bytes();
            }
        } else {
            for (i, byte) in to.iter_mut().enumerate() {
                let at = offset + i as u32;
                *byte = (word(at) >> (8 * (at & 3))) as u8;
            }
        }
    }

    /// Writes bytes at a guest-physical address, breaking copy-on-write; false, with what came before it written,
    /// at a page that cannot be written.
    #[inline]
    pub fn write(&self, gpa: u32, from: &[u8]) -> bool {
        // Nearly all that is written is an entry of a table.
        if is_entry(gpa, from.len()) {
            let Some(frame) = self.resolve(gpa >> 12, true) else {
                return false;
            };
            let at = gpa & 0xfff;
            let words = self.writable(frame, blocks(at, at));
            for (i, bytes) in from.as_chunks::<4>().0.iter().enumerate() {
                words[((at >> 2) as usize + i) & 1023].set(u32::from_le_bytes(*bytes));
            }
            return true;
        }
        self.write_any(gpa, from)
    }

    #[inline(never)]
    fn write_any(&self, gpa: u32, from: &[u8]) -> bool {
        let mut at = gpa;
        let mut rest = from;
        while !rest.is_empty() {
            let Some(frame) = self.resolve(at >> 12, true) else {
                return false;
            };
            let (now, later) = rest.split_at((4096 - (at & 0xfff) as usize).min(rest.len()));
            self.write_frame(frame, at & 0xfff, now);
            rest = later;
            at = at.wrapping_add(now.len() as u32);
        }
        true
    }

    fn write_frame(&self, frame: u32, offset: u32, from: &[u8]) {
        let last = offset + (from.len() as u32).max(1) - 1;
        let words = self.writable(frame, blocks(offset, last));
        if offset.is_multiple_of(4) && from.len().is_multiple_of(4) {
            for (i, bytes) in from.chunks_exact(4).enumerate() {
                let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                words[((offset >> 2) as usize + i) & 1023].set(value);
            }
        } else {
            for (i, byte) in from.iter().enumerate() {
                let at = offset + i as u32;
                let shift = 8 * (at & 3);
                let cell = &words[(at >> 2) as usize & 1023];
                cell.set(cell.get() & !(0xff << shift) | u32::from(*byte) << shift);
            }
        }
    }

    /// The name of a guest frame.
    pub fn name(&self, frame: u32) -> FrameName {
        let copies = self.copies.borrow();
        let pages = self.pages.get();
        let mut on_it = (0..pages).filter(|page| {
            let map = self.map[*page as usize].get();
            map.present && map.frame == frame
        });
        if let Some(page) = on_it.next() {
            return FrameName::Guest {
                page,
                old: 0,
                shared: on_it.next().is_some(),
            };
        }
        let page = frame
            .checked_sub(pages)
            .map_or(frame, |k| copies.get(k as usize).copied().unwrap_or(frame));
        let later = copies
            .iter()
            .skip(frame.saturating_add(1).saturating_sub(pages) as usize);
        FrameName::Guest {
            page,
            old: later.filter(|of| **of == page).count() as u32,
            shared: false,
        }
    }
}

/// Whether so many bytes at an address are as an entry of a table: four or eight, and aligned.
#[inline]
fn is_entry(gpa: u32, len: usize) -> bool {
    match len {
        4 => gpa.is_multiple_of(4),
        8 => gpa.is_multiple_of(8),
        _ => false,
    }
}

/// Two words as eight bytes: who reads them as one number would wait for two that were written apart.
#[inline]
fn wide(low: u32, high: u32) -> [u8; 8] {
    (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
}
