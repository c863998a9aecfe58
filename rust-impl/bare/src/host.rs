// SPDX-License-Identifier: GPL-2.0-or-later
//! The host under the port: what it keeps on physical memory of its own, and what a step has planned.
//!
//! It decides as the simulated host does, and its data frames have the same numbers; those of tables differ. What the
//! port calls is in [`crate::kernel`], what the engine asks in [`crate::machinery`].

use core::cell::Cell;

use lguest_engine::draw::{START, mix};
use lguest_engine::{Calls, FrameWords, KernelCall, Machine, Machinery, PageRecord, Quals, Verb};
use lguest_shadow::{BugKind, HostBug};

use crate::frames::Tables;
use crate::memory::{MAX_FRAMES, Memory, zero};

/// Number of the first data frame, at 1 GiB: the guest's registers, the Switcher's pages, and then guest frames.
pub const FIRST_DATA: u32 = 0x4_0000;
/// Most pages that a Switcher has.
const MAX_SWITCHER_PAGES: usize = 1 + 2 * 32;
/// One more than the number of the last data frame.
pub const DATA_END: u32 = FIRST_DATA + (1 + MAX_SWITCHER_PAGES + MAX_FRAMES) as u32;
/// No frame.
pub const NONE: u32 = u32::MAX;
/// Longest message of a dying guest, in bytes.
pub const MESSAGE: usize = 256;

/// The host. There is one.
pub struct RealHost {
    /// Frames for tables.
    pub tables: Tables,
    pub(crate) memory: Memory,
    pub(crate) held: [Cell<i32>; 1 + MAX_SWITCHER_PAGES + MAX_FRAMES],
    pub(crate) quals: Cell<Quals>,
    pub(crate) drawer: Cell<(Verb, [u32; 5])>,
    pub(crate) calls: Cell<u32>,
    pub(crate) allocs: Cell<u32>,
    pub(crate) pins: Cell<u32>,
    pub(crate) copies: Cell<u32>,
    pub(crate) draws: Cell<u32>,
    pub(crate) step_draws: Cell<u32>,
    pub(crate) machine: Cell<Machine>,
    pub(crate) cpu: Cell<u32>,
    pub(crate) trail: Cell<u64>,
    pub(crate) pinned: Cell<u32>,
    pub(crate) orphaned: Cell<i64>,
    pub(crate) message: [Cell<u8>; MESSAGE],
    pub(crate) message_len: Cell<usize>,
    /// The calls of this step, for a recording; kept if `keeping` says so.
    pub(crate) kept: Calls,
    pub(crate) keeping: Cell<bool>,
}

// SAFETY: one processor runs all of this, with interrupts off.
unsafe impl Sync for RealHost {}

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
            kept: Calls::new(),
            keeping: Cell::new(false),
        }
    }

    /// Keeps the calls of each step from now on, or does not.
    pub fn keep_calls(&self, keeping: bool) {
        self.keeping.set(keeping);
        self.kept.clear();
    }

    /// Zeroes all data frames: nobody knows what was there when the machine was turned on.
    pub fn turn_on(&self) {
        (FIRST_DATA..DATA_END).for_each(zero);
    }

    pub(crate) fn reset(
        &self,
        machine: &Machine,
        pae: bool,
        pages: &mut dyn Iterator<Item = PageRecord>,
    ) {
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

    pub(crate) fn plan(&self, drawer: (Verb, [u32; 5]), quals: Quals) {
        self.drawer.set(drawer);
        self.quals.set(quals);
        self.calls.set(0);
        self.allocs.set(0);
        self.pins.set(0);
        self.copies.set(0);
        self.step_draws.set(0);
    }

    /// Counts a kernel call, and lets happen what is planned just before it.
    pub(crate) fn call(&self, word: u32) {
        self.calls.set(self.calls.get().wrapping_add(1));
        self.trail.set(mix(self.trail.get(), word.into()));
        if let Some(during) = self.quals.get().during {
            if u32::from(during.call) == self.calls.get() {
                self.happen(during.event);
            }
        }
    }

    /// Keeps a call for the recording, if there is one; frames are named as they are now.
    pub(crate) fn keep<'a>(&self, call: impl FnOnce() -> KernelCall<'a>) {
        if self.keeping.get() {
            self.kept.note(&call());
        }
    }

    /// Whether the n-th of its sort in this step is planned to fail.
    pub(crate) fn fails(&self, count: &Cell<u32>, planned: u8) -> bool {
        count.set(count.get().wrapping_add(1));
        count.get() == u32::from(planned)
    }

    pub(crate) fn held_of(&self, pfn: u32) -> Option<&Cell<i32>> {
        self.held.get(pfn.checked_sub(FIRST_DATA)? as usize)
    }

    pub(crate) fn no_table(&self, pa: u32) -> HostBug {
        let pfn = pa >> 12;
        if pfn % 2 == 1 && self.tables.known(pfn.wrapping_sub(1)) {
            HostBug::new(BugKind::OutsidePage, pfn - 1)
        } else {
            HostBug::new(BugKind::WildPage, pfn)
        }
    }

    /// Guest-physical address of a launcher-virtual one, unless the planned copy or pin is to fail.
    pub(crate) fn guest_address(&self, addr: u32) -> Option<u32> {
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
