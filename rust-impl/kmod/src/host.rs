// SPDX-License-Identifier: GPL-2.0-or-later
//! The host under a guest: real frames, real pins and real copies, by way of the glue; what the scenario decides
//! (failures, draws, the CPU's number, what happens in the middle of a step) is decided here.

use core::cell::Cell;

use lguest_engine::draw::START;
use lguest_engine::{Calls, Event, Machine, Mapping, PageRecord, Quals, Step, Verb};

use crate::glue::{self, Guest, NONE};

/// Copies of guest pages that one scenario has room for.
pub const COPIES: u32 = 256;
/// Most guest pages with memory.
pub const MAX_PAGES: u32 = lguest_engine::scenario::MAX_BACKED;
/// Most data frames: registers, the Switcher's, the guest's and copies.
pub const MAX_FRAMES: u32 = 1 + 1 + 2 * 32 + MAX_PAGES + COPIES;
/// Data frames are listed by numbers from here on, which no machine's frames have.
pub const HANDLE: u32 = 0x4000_0000;
/// Canonical numbers of tables.
pub const TABLE_HANDLE: u32 = 0x6000_0000;
/// Room for a kill message.
pub const MESSAGE: usize = 256;

/// How the launcher has a guest page mapped, as the scenario says.
#[derive(Clone, Copy, Default)]
pub struct PageMap {
    /// Index of the frame among the guest's.
    pub frame: u32,
    /// Mapped.
    pub present: bool,
    /// The next write gives it a frame of its own.
    pub copy_on_write: bool,
}

/// One host; of zeroes, after `forget`, it is a host on which nothing began.
pub struct KernelHost {
    pub(crate) guest: Cell<*mut Guest>,
    pub(crate) error: Cell<i32>,
    pub(crate) pages: Cell<u32>,
    pub(crate) switcher_pages: Cell<u32>,
    pub(crate) map: [Cell<PageMap>; MAX_PAGES as usize],
    /// For each copy, in order, the page that it was made for.
    pub(crate) copies: [Cell<u32>; COPIES as usize],
    pub(crate) copies_len: Cell<u32>,
    pub(crate) dirty: [Cell<u64>; MAX_FRAMES as usize],
    pub(crate) dirty_list: [Cell<u32>; MAX_FRAMES as usize],
    pub(crate) dirty_len: Cell<u32>,
    pub(crate) scratch: [Cell<u32>; 1024],
    pub(crate) quals: Cell<Option<Quals>>,
    pub(crate) drawer: Cell<Option<(Verb, [u32; 5])>>,
    pub(crate) allocs: Cell<u32>,
    pub(crate) pins: Cell<u32>,
    pub(crate) copied: Cell<u32>,
    pub(crate) draws: Cell<u32>,
    pub(crate) step_draws: Cell<u32>,
    pub(crate) calls: Cell<u32>,
    pub(crate) trail: Cell<u64>,
    pub(crate) freed: Cell<bool>,
    pub(crate) tables: Cell<u32>,
    pub(crate) cpu: Cell<u32>,
    pub(crate) cpus: Cell<u32>,
    pub(crate) switcher: Cell<u32>,
    pub(crate) mem_base: Cell<u32>,
    pub(crate) pte_mask: Cell<u64>,
    pub(crate) tsc_khz: Cell<u32>,
    pub(crate) seed: Cell<u64>,
    pub(crate) regs: Cell<u32>,
    pub(crate) pinned: Cell<u32>,
    pub(crate) orphaned: Cell<i32>,
    pub(crate) message: [Cell<u8>; MESSAGE],
    pub(crate) message_len: Cell<u32>,
    /// Calls are kept for the lines of a recording.
    pub(crate) keeping: Cell<bool>,
    pub(crate) kept: Calls,
}

impl KernelHost {
    /// Plans nothing; zeroes alone need not mean that.
    pub fn forget(&self) {
        self.quals.set(None);
        self.drawer.set(None);
    }

    /// Brings the host to the state that `machine` describes; what is wrong with the client's memory is in `error`.
    pub fn begin_machine(&self, machine: &Machine, records: &mut dyn Iterator<Item = PageRecord>) {
        let pages = machine.backed().min(MAX_PAGES);
        self.pages.set(pages);
        self.switcher_pages.set(machine.switcher_pages());
        self.tables.set(machine.tables.into());
        self.cpus.set(machine.cpus.into());
        self.switcher.set(machine.switcher);
        self.mem_base.set(machine.mem_base);
        self.pte_mask.set(machine.supported_pte_mask());
        self.tsc_khz.set(machine.tsc_khz);
        self.seed.set(machine.seed);
        self.pinned.set(NONE);
        self.kept.clear();
        self.map_pages(pages, records);
        let error = self.take_frames(pages);
        self.error.set(error);
        // `init_guest_pagetable` is no step, but it draws and allocates.
        self.plan(
            START,
            &Quals {
                draw: machine.first_slot,
                fail_alloc: machine.fail_start,
                ..Quals::NONE
            },
        );
    }

    fn map_pages(&self, pages: u32, records: &mut dyn Iterator<Item = PageRecord>) {
        for (page, map) in (0..pages).zip(&self.map) {
            map.set(PageMap {
                frame: page,
                present: true,
                copy_on_write: false,
            });
        }
        for record in records {
            for page in record.first..record.first.saturating_add(record.count).min(pages) {
                if let Some(map) = self.map.get(page as usize) {
                    map.set(PageMap {
                        frame: record.shared.filter(|other| *other < pages).unwrap_or(page),
                        present: record.mapping != Mapping::Absent,
                        copy_on_write: record.mapping == Mapping::CopyOnWrite,
                    });
                }
            }
        }
    }

    /// Gets the pages of registers and Switcher, and a hold on each guest page: 0 or a negative errno.
    fn take_frames(&self, pages: u32) -> i32 {
        const EINVAL: i32 = -22;
        const ENOMEM: i32 = -12;
        let guest = self.guest.get();
        let frames = self.guest_base() + pages + COPIES;
        // SAFETY: the world set the guest, which lives as long as it; so below.
        let begun = unsafe { glue::kg_begin(guest, frames, pages) };
        if begun != 0 {
            return begun;
        }
        for frame in 0..self.guest_base() {
            // SAFETY: as above.
            let pfn = unsafe { glue::kg_own_page(guest, frame) };
            if pfn == NONE {
                return ENOMEM;
            }
            if frame == 0 {
                self.regs.set(pfn << 12);
            }
        }
        for (page, map) in (0..pages).zip(&self.map) {
            let map = map.get();
            let right = if map.present {
                let frame = self.guest_base() + map.frame;
                // SAFETY: as above.
                unsafe { glue::kg_watch(guest, page, frame) == frame }
            } else {
                // SAFETY: as above.
                unsafe { glue::kg_reachable(guest, page, 0) == 0 }
            };
            if !right {
                return EINVAL;
            }
        }
        0
    }

    /// Index of the first guest frame.
    pub fn guest_base(&self) -> u32 {
        1 + self.switcher_pages.get()
    }

    /// Number of data frames, copies and all.
    pub fn frames(&self) -> u32 {
        self.guest_base() + self.pages.get() + COPIES
    }

    /// Takes up the plan of a step.
    pub fn plan(&self, drawer: (Verb, [u32; 5]), quals: &Quals) {
        self.drawer.set(Some(drawer));
        self.quals.set((!quals.is_none()).then_some(*quals));
        for count in [
            &self.allocs,
            &self.pins,
            &self.copied,
            &self.step_draws,
            &self.calls,
        ] {
            count.set(0);
        }
        self.freed.set(false);
    }

    /// The same, of a step of the scenario.
    pub fn plan_step(&self, step: &Step) {
        self.plan((step.verb, step.args), &step.quals);
    }

    /// An event in the middle of a step: the client is asked for what it alone can do.
    #[cold]
    #[inline(never)]
    pub(crate) fn planned_event(&self, event: Event) {
        let (kind, page) = match event {
            Event::Write { gpa, value, width } => {
                let bytes = value.to_le_bytes();
                if let Some(bytes) = bytes.get(..usize::from(width)) {
                    self.write(gpa, bytes);
                }
                return;
            }
            Event::Unmap(page) => (0, page),
            Event::Protect(page) => (1, page),
            Event::Unprotect(page) => (2, page),
            Event::Share(page) => (3, page),
        };
        // SAFETY: the guest lives as long as the world.
        if unsafe { glue::kg_event(self.guest.get(), kind, page) } != 0 {
            self.error.set(-5);
        }
        self.note_event(event);
    }

    /// What an event that has happened means for the names of frames.
    pub(crate) fn note_event(&self, event: Event) {
        let change = |page: u32, how: &dyn Fn(&mut PageMap)| {
            if let Some(map) = self.map.get(page as usize) {
                let mut to = map.get();
                how(&mut to);
                map.set(to);
            }
        };
        match event {
            Event::Unmap(page) => change(page, &|map| map.present = false),
            Event::Share(page) => change(page, &|map| map.copy_on_write = true),
            _ => {}
        }
    }

    /// The page's mapping, if it has memory at all.
    pub(crate) fn page(&self, page: u32) -> Option<&Cell<PageMap>> {
        self.map
            .get(page as usize)
            .filter(|_| page < self.pages.get())
    }

    /// Index for the frame that a write to this page will give it: `NONE` if none, nothing if there is no room for it.
    pub(crate) fn fresh(&self, map: PageMap) -> Option<u32> {
        if !map.copy_on_write || !map.present {
            return Some(NONE);
        }
        let n = self.copies_len.get();
        (n < COPIES).then(|| self.guest_base() + self.pages.get() + n)
    }

    /// A page that was copy-on-write has been written to: it has a frame of its own now.
    pub(crate) fn broken(&self, page: u32, frame: u32) {
        let n = self.copies_len.get();
        if let (Some(copy), Some(map)) = (self.copies.get(n as usize), self.page(page)) {
            copy.set(page);
            self.copies_len.set(n + 1);
            map.set(PageMap {
                frame: frame.wrapping_sub(self.guest_base()),
                copy_on_write: false,
                ..map.get()
            });
        }
    }

    /// Reads guest memory page by page, as far as it goes.
    pub(crate) fn read(&self, gpa: u32, to: &mut [u8]) -> bool {
        let mut at = gpa;
        let mut rest = to;
        while !rest.is_empty() {
            let room = (4096 - (at & 0xfff) as usize).min(rest.len());
            let Some((now, later)) = rest.split_at_mut_checked(room) else {
                return false;
            };
            if self.page(at >> 12).is_none() {
                return false;
            }
            // SAFETY: `now` has `room` bytes; the guest lives as long as the world.
            let left = unsafe {
                glue::kg_copy_from_user(self.guest.get(), now.as_mut_ptr(), at, room as u32)
            };
            if left != 0 {
                return false;
            }
            rest = later;
            at = at.wrapping_add(room as u32);
        }
        true
    }

    /// Writes guest memory page by page, as far as it goes.
    pub(crate) fn write(&self, gpa: u32, from: &[u8]) -> bool {
        let mut at = gpa;
        let mut rest = from;
        while !rest.is_empty() {
            let room = (4096 - (at & 0xfff) as usize).min(rest.len());
            let Some((now, later)) = rest.split_at_checked(room) else {
                return false;
            };
            if !self.write_page(at, now) {
                return false;
            }
            rest = later;
            at = at.wrapping_add(room as u32);
        }
        true
    }

    fn write_page(&self, at: u32, from: &[u8]) -> bool {
        let page = at >> 12;
        let Some(map) = self.page(page).map(Cell::get) else {
            return false;
        };
        let Some(fresh) = self.fresh(map) else {
            return false;
        };
        let (guest, len) = (self.guest.get(), from.len() as u32);
        // SAFETY: `from` has that many bytes; the guest lives as long as the world.
        if unsafe { glue::kg_copy_to_user(guest, at, from.as_ptr(), len) } != 0 {
            return false;
        }
        let mut frame = self.guest_base() + map.frame;
        if fresh != NONE {
            // SAFETY: as above.
            frame = unsafe { glue::kg_watch(guest, page, fresh) };
            if frame == fresh {
                self.broken(page, fresh);
            }
        }
        let first = at & 0xfff;
        self.mark(frame, first, first + len.saturating_sub(1));
        true
    }

    /// Notes that bytes `first` to `last` of a data frame were written.
    pub(crate) fn mark(&self, frame: u32, first: u32, last: u32) {
        let upto = |block: u32| u64::MAX >> (63 - (block & 63));
        let blocks = upto(last >> 6) & !(upto(first >> 6) >> 1);
        let Some(dirty) = self.dirty.get(frame as usize) else {
            return;
        };
        if dirty.get() == 0 {
            let n = self.dirty_len.get();
            if let Some(place) = self.dirty_list.get(n as usize) {
                place.set(frame);
                self.dirty_len.set(n + 1);
            }
        }
        dirty.set(dirty.get() | blocks);
    }
}
