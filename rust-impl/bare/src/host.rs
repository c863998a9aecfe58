// SPDX-License-Identifier: GPL-2.0-or-later
//! The host under the port: a kernel's services on physical memory of its own, and what the engine asks of it.
//!
//! It decides as the simulated host does, and its data frames have the same numbers; those of tables differ.

use core::cell::Cell;

use lguest_engine::{
    Event, FrameName, FrameWords, Machine, Machinery, PageRecord, PortHost, Quals, Step, Verb,
};
use lguest_shadow::{BugKind, Entry, Host, HostBug, Mode, NoPae, PRESENT, Pae};

use crate::frames::Tables;
use crate::memory::{MAX_FRAMES, Memory, zero};
use crate::mix;

/// Number of the first data frame, at 1 GiB: the guest's registers, the Switcher's pages, and then guest frames.
pub const FIRST_DATA: u32 = 0x4_0000;
/// Most pages that a Switcher has.
const MAX_SWITCHER_PAGES: usize = 1 + 2 * 32;
/// One more than the number of the last data frame.
pub const DATA_END: u32 = FIRST_DATA + (1 + MAX_SWITCHER_PAGES + MAX_FRAMES) as u32;
/// No frame.
const NONE: u32 = u32::MAX;
/// Longest message of a dying guest, in bytes.
const MESSAGE: usize = 256;

/// The host. There is one.
pub struct RealHost {
    /// Frames for tables.
    pub tables: Tables,
    memory: Memory,
    held: [Cell<i32>; 1 + MAX_SWITCHER_PAGES + MAX_FRAMES],
    quals: Cell<Quals>,
    drawer: Cell<(Verb, [u32; 5])>,
    calls: Cell<u32>,
    allocs: Cell<u32>,
    pins: Cell<u32>,
    copies: Cell<u32>,
    draws: Cell<u32>,
    step_draws: Cell<u32>,
    machine: Cell<Machine>,
    cpu: Cell<u32>,
    trail: Cell<u64>,
    pinned: Cell<u32>,
    orphaned: Cell<i64>,
    message: [Cell<u8>; MESSAGE],
    message_len: Cell<usize>,
}

// SAFETY: one processor runs all of this, with interrupts off.
unsafe impl Sync for RealHost {}

/// What the draw of `init_guest_pagetable` depends on, beside the seed.
const START: (Verb, [u32; 5]) = (Verb::Destroy, [0; 5]);

impl RealHost {
    /// A host with nothing on it.
    pub const fn new() -> Self {
        RealHost {
            tables: Tables::new(),
            memory: Memory::new(),
            held: [const { Cell::new(0) }; 1 + MAX_SWITCHER_PAGES + MAX_FRAMES],
            quals: Cell::new(Quals::NONE),
            drawer: Cell::new(START),
            calls: Cell::new(0),
            allocs: Cell::new(0),
            pins: Cell::new(0),
            copies: Cell::new(0),
            draws: Cell::new(0),
            step_draws: Cell::new(0),
            machine: Cell::new(Machine::DEFAULT),
            cpu: Cell::new(0),
            trail: Cell::new(0),
            pinned: Cell::new(NONE),
            orphaned: Cell::new(0),
            message: [const { Cell::new(0) }; MESSAGE],
            message_len: Cell::new(0),
        }
    }

    /// Zeroes all data frames: nobody knows what was there when the machine was turned on.
    pub fn turn_on(&self) {
        (FIRST_DATA..DATA_END).for_each(zero);
    }

    fn reset(&self, machine: &Machine, pae: bool, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.held.iter().for_each(|held| held.set(0));
        let before = FIRST_DATA + 1 + self.machine.get().switcher_pages();
        let base = FIRST_DATA + 1 + machine.switcher_pages();
        self.memory.reset(base, machine, pages);
        (FIRST_DATA..base.max(before)).for_each(zero);
        self.tables
            .reset(machine.tables.into(), machine.reuse, machine.seed, pae);
        self.machine.set(*machine);
        self.cpu.set(0);
        self.draws.set(0);
        self.trail.set(0);
        self.pinned.set(NONE);
        self.orphaned.set(0);
        self.message_len.set(0);
        self.plan(
            START,
            Quals {
                draw: machine.first_slot,
                fail_alloc: machine.fail_start,
                ..Quals::NONE
            },
        );
    }

    fn plan(&self, drawer: (Verb, [u32; 5]), quals: Quals) {
        self.drawer.set(drawer);
        self.quals.set(quals);
        self.calls.set(0);
        self.allocs.set(0);
        self.pins.set(0);
        self.copies.set(0);
        self.step_draws.set(0);
    }

    /// Counts a kernel call, and lets happen what is planned just before it.
    fn call(&self, word: u32) {
        self.calls.set(self.calls.get().wrapping_add(1));
        self.trail.set(mix(self.trail.get(), word.into()));
        if let Some(during) = self.quals.get().during {
            if u32::from(during.call) == self.calls.get() {
                self.happen(during.event);
            }
        }
    }

    /// Whether the n-th of its sort in this step is planned to fail.
    fn fails(&self, count: &Cell<u32>, planned: u8) -> bool {
        count.set(count.get().wrapping_add(1));
        count.get() == u32::from(planned)
    }

    fn held_of(&self, pfn: u32) -> Option<&Cell<i32>> {
        self.held.get(pfn.checked_sub(FIRST_DATA)? as usize)
    }

    fn no_table(&self, pa: u32) -> HostBug {
        let pfn = pa >> 12;
        if pfn % 2 == 1 && self.tables.known(pfn.wrapping_sub(1)) {
            HostBug::new(BugKind::OutsidePage, pfn - 1)
        } else {
            HostBug::new(BugKind::WildPage, pfn)
        }
    }

    /// Guest-physical address of a launcher-virtual one, unless the planned copy or pin is to fail.
    fn guest_address(&self, addr: u32) -> Option<u32> {
        addr.checked_sub(self.machine.get().mem_base)
    }

    /// The words of a frame that holds data, as the processor would find them.
    pub fn data_words(&self, pfn: u32) -> Option<&'static FrameWords> {
        if let Some(k) = self.memory.index(pfn) {
            return Some(self.memory.writable(k));
        }
        let (first, _) = self.data_frames();
        let ours = pfn.checked_sub(first)? <= self.machine.get().switcher_pages();
        ours.then(|| crate::machine::frame(pfn))
    }

    /// Whether it is a frame of guest memory.
    pub fn is_guest(&self, pfn: u32) -> bool {
        self.memory.index(pfn).is_some()
    }
}

/// The table at a physical address, in the form of one paging mode.
pub trait TableOf<M: Mode> {
    /// As `Host::table`.
    fn table_of(&self, pa: u32) -> Option<&M::Table>;
}

impl TableOf<NoPae> for RealHost {
    fn table_of(&self, pa: u32) -> Option<&<NoPae as Mode>::Table> {
        self.tables.words(pa >> 12)
    }
}

impl TableOf<Pae> for RealHost {
    fn table_of(&self, pa: u32) -> Option<&<Pae as Mode>::Table> {
        self.tables.longs(pa >> 12)
    }
}

impl<M: Mode> Host<M> for RealHost
where
    RealHost: TableOf<M>,
{
    fn get_zeroed_page(&self) -> u32 {
        self.call(1);
        if self.fails(&self.allocs, self.quals.get().fail_alloc) {
            return 0;
        }
        self.tables.get_zeroed()
    }

    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.call(2);
        if pa == 0 || self.tables.free(pa) {
            Ok(())
        } else {
            Err(HostBug::new(BugKind::BadFree, pa >> 12))
        }
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.call(3);
        let fails = self.fails(&self.pins, self.quals.get().fail_pin);
        let address = self.guest_address(addr).filter(|_| !fails);
        let frame = address.and_then(|gpa| self.memory.resolve(gpa >> 12, write != 0));
        let (first, _) = self.data_frames();
        let pfn = frame.map(|k| first + 1 + self.machine.get().switcher_pages() + k);
        if let Some(held) = pfn.and_then(|pfn| self.held_of(pfn)) {
            held.set(held.get() + 1);
        }
        self.pinned.set(pfn.unwrap_or(NONE));
        pfn
    }

    fn get_page(&self, pfn: u32) {
        self.call(4);
        if let Some(held) = self.held_of(pfn) {
            held.set(held.get() + 1);
        }
    }

    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.call(5);
        match self.held_of(pfn) {
            Some(held) if held.get() > 0 => {
                held.set(held.get() - 1);
                Ok(())
            }
            _ => Err(HostBug::new(BugKind::PutNotHeld, pfn)),
        }
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.call(6);
        !self.fails(&self.copies, self.quals.get().fail_copy)
            && self
                .guest_address(from)
                .is_some_and(|gpa| self.memory.read(gpa, to))
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.call(7);
        !self.fails(&self.copies, self.quals.get().fail_copy)
            && self
                .guest_address(to)
                .is_some_and(|gpa| self.memory.write(gpa, from))
    }

    fn prandom_u32(&self) -> u32 {
        self.call(8);
        let (verb, args) = self.drawer.get();
        let nth = self.step_draws.get();
        self.step_draws.set(nth + 1);
        self.draws.set(self.draws.get() + 1);
        match self.quals.get().draw {
            Some(slot) => slot.into(),
            None => {
                let words = args
                    .iter()
                    .fold(verb as u64, |sum, arg| mix(sum, u64::from(*arg)));
                (mix(self.machine.get().seed, words.wrapping_add(nth.into())) >> 32) as u32
            }
        }
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        self.call(9);
        if self.quals.get().fail_message {
            return false;
        }
        for (cell, byte) in self.message.iter().zip(text) {
            cell.set(*byte);
        }
        self.message_len.set(text.len().min(MESSAGE));
        true
    }

    fn smp_processor_id(&self) -> u32 {
        self.cpu.get()
    }

    fn nr_cpu_ids(&self) -> u32 {
        self.machine.get().cpus.into()
    }

    fn switcher_addr(&self) -> u32 {
        self.machine.get().switcher
    }

    fn switcher_page(&self, i: u32) -> u32 {
        FIRST_DATA.wrapping_add(1).wrapping_add(i)
    }

    fn supported_pte_mask(&self) -> u64 {
        self.machine.get().supported_pte_mask()
    }

    fn tsc_khz(&self) -> u32 {
        self.machine.get().tsc_khz
    }

    fn table(&self, pa: u32) -> Result<&M::Table, HostBug> {
        self.table_of(pa).ok_or_else(|| self.no_table(pa))
    }

    fn set_pte(&self, slot: &lguest_shadow::Slot<'_, M>, value: M::Entry) {
        let pinned = self.pinned.replace(NONE);
        if pinned != NONE && pinned == value.pte_pfn() && !value.has(PRESENT) {
            self.orphaned.set(self.orphaned.get() + 1);
        }
        slot.set(value);
    }
}

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
