// SPDX-License-Identifier: GPL-2.0-or-later
//! The simulated host: one instance under each side, the same policy for both.
//!
//! What the code under test calls is in `kernel`, what the rig asks is in `machinery`; frames and guest memory are
//! in `tables` and `memory`.

mod call;
mod journal;
mod kernel;
mod machinery;
mod memory;
mod tables;

use std::cell::{Cell, RefCell};

use lguest_c_reference::{DATA_BASE, MAX_CPUS, NO_PFN, Shared};
use lguest_engine::draw::START;
use lguest_engine::{Calls, Event, Machine, PageRecord, Quals, Step, Verb};

pub use call::Call;
pub use journal::{Journal, Kind, Note};
pub use lguest_engine::draw::mix;
pub use memory::{COPIES, MAX_PAGES};
pub use tables::{MAX_TABLES, pool_index};

use memory::Memory;
use tables::Tables;

/// Most pages that a Switcher has.
const MAX_SWITCHER_PAGES: u32 = 1 + 2 * MAX_CPUS;

/// Physical address of the page of the guest's registers.
pub const REGS_PAGE: u32 = DATA_BASE << 12;

/// One simulated host.
pub struct SimHost {
    shared: Box<Shared>,
    tables: Tables,
    memory: Memory,
    quals: Cell<Quals>,
    /// `quals` are not none.
    planned: Cell<bool>,
    /// What the step's draws depend on.
    drawer: Drawer,
    allocs: Cell<u32>,
    pins: Cell<u32>,
    copies: Cell<u32>,
    draws: Cell<u32>,
    step_draws: Cell<u32>,
    mem_base: Cell<u32>,
    seed: Cell<u64>,
    switcher_pages: Cell<u32>,
    /// The frame pinned last, until an entry is stored.
    pinned: Cell<u32>,
    orphaned: Cell<i64>,
    message: RefCell<Vec<u8>>,
    emptied: [Cell<u32>; EMPTIED],
    emptied_len: Cell<usize>,
    log: RefCell<Vec<Call>>,
    /// The same under the names of recordings.
    kept: Box<Calls>,
    logging: Cell<bool>,
    journal: Journal,
}

/// Verb and arguments of the step that draws.
///
/// The arguments are kept out of order, so that the compiler loads them one by one: a generator wrote them one by one
/// just before, and for a load of two at a time the processor would wait until both are in its cache.
struct Drawer {
    verb: Cell<Verb>,
    args: [Cell<u32>; 5],
}

/// Where each argument is kept.
const PLACES: [usize; 5] = [0, 3, 1, 4, 2];

impl Drawer {
    fn new() -> Self {
        Drawer {
            verb: Cell::new(START.0),
            args: START.1.map(Cell::new),
        }
    }

    #[inline(always)]
    fn set(&self, verb: Verb, args: &[u32; 5]) {
        self.verb.set(verb);
        for (place, arg) in PLACES.into_iter().zip(args) {
            self.args[place].set(*arg);
        }
    }

    fn get(&self) -> (Verb, [u32; 5]) {
        (self.verb.get(), PLACES.map(|place| self.args[place].get()))
    }
}

/// Entries remembered, a step, whose tables were freed.
const EMPTIED: usize = 64;

impl SimHost {
    /// A host with nothing on it; `reset` comes first.
    pub fn new() -> std::io::Result<Self> {
        let shared = Box::new(Shared::new(1 + MAX_SWITCHER_PAGES + MAX_PAGES + COPIES));
        Ok(SimHost {
            shared,
            tables: Tables::new()?,
            memory: Memory::new(),
            quals: Cell::new(Quals::NONE),
            planned: Cell::new(false),
            drawer: Drawer::new(),
            allocs: Cell::new(0),
            pins: Cell::new(0),
            copies: Cell::new(0),
            draws: Cell::new(0),
            step_draws: Cell::new(0),
            mem_base: Cell::new(0),
            seed: Cell::new(0),
            switcher_pages: Cell::new(0),
            pinned: Cell::new(NO_PFN),
            orphaned: Cell::new(0),
            message: RefCell::default(),
            emptied: [const { Cell::new(0) }; EMPTIED],
            emptied_len: Cell::new(0),
            log: RefCell::default(),
            kept: Box::new(Calls::new()),
            logging: Cell::new(false),
            journal: Journal::default(),
        })
    }

    /// The state that the C's shim reads and counts in.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The memory that the C's tables are in.
    pub fn arena(&self) -> &lguest_c_reference::Arena {
        self.tables.arena()
    }

    /// Brings the host to the state that `machine` describes.
    pub fn reset(&self, machine: &Machine, pae: bool, pages: &mut dyn Iterator<Item = PageRecord>) {
        let shared = &self.shared;
        let used = 1 + self.switcher_pages.get() + self.memory.frames();
        shared.held()[..used as usize]
            .iter()
            .for_each(|held| held.set(0));
        self.memory.reset(machine, pages);
        self.tables
            .reset(machine.tables.into(), machine.reuse, machine.seed, pae);
        shared.hash.set(0);
        shared.calls.set(0);
        shared.during.set(0);
        shared.pins.set(0);
        shared.cpu.set(0);
        shared.nr_cpus.set(machine.cpus.into());
        shared.switcher_addr.set(machine.switcher);
        shared.pte_mask.set(machine.supported_pte_mask());
        shared.tsc_khz.set(machine.tsc_khz);
        self.switcher_pages.set(machine.switcher_pages());
        self.mem_base.set(machine.mem_base);
        self.seed.set(machine.seed);
        self.draws.set(0);
        self.pinned.set(NO_PFN);
        self.orphaned.set(0);
        self.message.borrow_mut().clear();
        self.log.borrow_mut().clear();
        self.kept.clear();
        self.journal.clear();
        // `init_guest_pagetable` is no step, but it draws and allocates.
        self.plan_quals(&Quals {
            draw: machine.first_slot,
            fail_alloc: machine.fail_start,
            ..Quals::NONE
        });
        self.drawer.set(START.0, &START.1);
        self.step_draws.set(0);
        self.emptied_len.set(0);
    }

    /// Takes up the plan of a step: its failures, draws and `during` event.
    ///
    /// Most steps plan nothing, and only hypercalls draw: what is not needed is not copied, for a step was written just
    /// before, field by field, and a wide load of it would wait for those stores.
    #[inline]
    fn plan(&self, step: &Step) {
        if step.verb == Verb::Hypercall {
            self.drawer.set(step.verb, &step.args);
            self.step_draws.set(0);
        }
        if !step.quals.is_none() || self.planned.get() {
            self.plan_quals(&step.quals);
        }
        self.emptied_len.set(0);
        self.journal.clear();
        self.shared.calls.set(0);
        self.shared.pins.set(0);
    }

    #[cold]
    fn plan_quals(&self, quals: &Quals) {
        self.quals.set(*quals);
        self.planned.set(!quals.is_none());
        self.allocs.set(0);
        self.pins.set(0);
        self.copies.set(0);
        let during = quals.during.map_or(0, |during| during.call.into());
        self.shared.during.set(during);
    }

    /// Keeps the calls themselves from now on, beside their hash.
    pub fn keep_log(&self, on: bool) {
        self.logging.set(on);
        self.trace();
    }

    /// Keeps notes of each step for the oracles from now on, or no longer.
    pub fn keep_journal(&self, on: bool) {
        self.journal.keep(on);
        self.trace();
    }

    /// What the code under test asked for in this step, if notes are kept.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The C tells what it does inline if anybody listens.
    fn trace(&self) {
        let on = self.logging.get() || self.journal.is_on();
        self.shared.trace.set(on.into());
    }

    /// The calls kept since the last time.
    pub fn take_log(&self) -> Vec<Call> {
        self.log.take()
    }

    /// Gives the calls kept since the last time in exchange for a list that is emptied, and whose room is used again.
    pub fn swap_log(&self, with: &mut Vec<Call>) {
        with.clear();
        std::mem::swap(&mut *self.log.borrow_mut(), with);
    }

    fn do_event(&self, event: Event) {
        match event {
            Event::Write { gpa, value, width } => {
                self.memory
                    .write(gpa, &value.to_le_bytes()[..usize::from(width).min(8)]);
            }
            Event::Unmap(page) => self.memory.unmap(page),
            Event::Protect(page) => self.memory.protect(page, false),
            Event::Unprotect(page) => self.memory.protect(page, true),
            Event::Share(page) => self.memory.share(page),
        }
    }

    /// Number of the first guest frame.
    fn guest_base(&self) -> u32 {
        DATA_BASE + 1 + self.switcher_pages.get()
    }
}
