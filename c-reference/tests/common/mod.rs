// SPDX-License-Identifier: GPL-2.0-or-later
//! The smallest host that the original runs on, and a guest that boots there.

#![allow(dead_code)] // each test program uses a part

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use lguest_c_reference::{
    Arena, CallKind, Callbacks, Config, Crash, CrashKind, DATA_BASE, NO_PFN, Original, PagingMode,
    Shared,
};

pub const MODES: [PagingMode; 2] = [PagingMode::NoPae, PagingMode::Pae];
pub const PAGES: u32 = 64;
pub const DEVICE_PAGES: u32 = 4;
pub const MEM_BASE: u32 = 0x1000_0000;
pub const CPUS: u32 = 2;
pub const TABLES: u32 = 128;
pub const PAGE: u32 = 4096;
pub const SWITCHER: u32 = 0xffef_6000;
pub const KERNEL: u32 = 0xc000_0000;
/// Guest-physical address of the test guest's lguest_data.
pub const DATA: u32 = 0x3000;
/// Frame of guest page 0, behind the regs page and the Switcher's.
pub const GUEST_FRAME: u32 = DATA_BASE + 2 + 2 * CPUS;

pub mod call {
    pub const INIT: u32 = 1;
    pub const SHUTDOWN: u32 = 2;
    pub const NEW_PGTABLE: u32 = 4;
    pub const FLUSH_TLB: u32 = 5;
    pub const SET_STACK: u32 = 7;
    pub const SET_PMD: u32 = 13;
    pub const SET_PTE: u32 = 14;
    pub const SET_PGD: u32 = 15;
}

pub struct Host {
    pub shared: Shared,
    pub arena: Arena,
    pub memory: RefCell<Vec<u8>>,
    pub free: RefCell<BTreeSet<u32>>,
    /// The last kill reason.
    pub text: RefCell<Option<Vec<u8>>>,
    pub draw: Cell<u32>,
    /// Each callback and inline primitive, if `shared.trace` is set.
    pub log: RefCell<Vec<(u32, u64, u64)>>,
    pub events: Cell<u32>,
    /// What a callback does instead of answering.
    pub misbehave: Cell<fn()>,
    pub no_message: Cell<bool>,
    /// Calls until get_zeroed_page fails; 0 is never.
    pub fail_alloc: Cell<u32>,
}

impl Host {
    pub fn new() -> Self {
        let shared = Shared::new(2 + 2 * CPUS + PAGES);
        shared.nr_cpus.set(CPUS);
        shared.switcher_addr.set(SWITCHER);
        Self {
            shared,
            arena: Arena::new(TABLES).expect("address space"),
            memory: RefCell::new(vec![0; (PAGES * PAGE) as usize]),
            free: RefCell::new((1..=TABLES).map(|i| 2 * i).collect()),
            text: RefCell::new(None),
            draw: Cell::new(0),
            log: RefCell::new(Vec::new()),
            events: Cell::new(0),
            misbehave: Cell::new(|| ()),
            no_message: Cell::new(false),
            fail_alloc: Cell::new(0),
        }
    }

    pub fn guest(&self, mode: PagingMode) -> Original<'_, Self> {
        let original = Original::new(mode, self, &self.shared, &self.arena).expect("the original");
        original.reset(Config {
            pfn_limit: PAGES,
            device_limit: PAGES + DEVICE_PAGES,
            mem_base: MEM_BASE,
            regs_page: DATA_BASE << 12,
        });
        original
    }

    /// The kill reason, or "".
    pub fn reason(&self) -> String {
        let text = self.text.borrow();
        String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned()
    }

    pub fn write(&self, gpa: u32, bytes: &[u8]) {
        self.memory.borrow_mut()[gpa as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub fn write_u32(&self, gpa: u32, value: u32) {
        self.write(gpa, &value.to_le_bytes());
    }

    pub fn read_u32(&self, gpa: u32) -> u32 {
        let memory = self.memory.borrow();
        u32::from_le_bytes(memory[gpa as usize..][..4].try_into().expect("four bytes"))
    }

    /// An entry of a guest table in this mode.
    pub fn write_entry(&self, mode: PagingMode, table: u32, index: u32, value: u64) {
        match mode {
            PagingMode::NoPae => self.write_u32(table + 4 * index, value as u32),
            PagingMode::Pae => self.write(table + 8 * index, &value.to_le_bytes()),
        }
    }

    pub fn held_sum(&self) -> i32 {
        self.shared.held().iter().map(Cell::get).sum()
    }

    pub fn tables_held(&self) -> usize {
        TABLES as usize - self.free.borrow().len()
    }

    /// A guest that has made its first call, with a kernel at 3 GiB.
    pub fn booted(&self, mode: PagingMode) -> Original<'_, Self> {
        let guest = self.guest(mode);
        assert_eq!(guest.init_guest_pagetable(), Ok(0));
        self.write(DATA + 24, &[0xff; 64]);
        self.write_u32(DATA + 1380, KERNEL);
        assert_eq!(guest.do_hypercalls(&[call::INIT, DATA, 0, 0, 0]), Ok(()));
        assert_eq!((guest.dead(), self.reason()), (0, String::new()));
        guest
    }

    /// Maps `vaddr` in the guest's tables under `top`, through the pages that
    /// follow it.
    pub fn map(&self, mode: PagingMode, top: u32, vaddr: u32, pte: u64) {
        match mode {
            PagingMode::NoPae => {
                self.write_entry(mode, top, vaddr >> 22, u64::from(top + PAGE) | 0x67);
                self.write_entry(mode, top + PAGE, vaddr >> 12 & 1023, pte);
            }
            PagingMode::Pae => {
                self.write_entry(mode, top, vaddr >> 30, u64::from(top + PAGE) | 1);
                let middle = top + PAGE;
                let last = u64::from(top + 2 * PAGE) | 0x67;
                self.write_entry(mode, middle, vaddr >> 21 & 511, last);
                self.write_entry(mode, top + 2 * PAGE, vaddr >> 12 & 511, pte);
            }
        }
    }

    fn called(&self, kind: CallKind, rest: u64) {
        if self.shared.count_call() {
            self.event();
        }
        self.shared.mix(kind.word(rest));
        if self.shared.trace.get() != 0 {
            self.log.borrow_mut().push((kind as u32, rest, 0));
        }
    }

    fn range(&self, addr: u32, len: usize) -> Option<std::ops::Range<usize>> {
        let start = addr.checked_sub(MEM_BASE)? as usize;
        let end = start.checked_add(len)?;
        (end <= (PAGES * PAGE) as usize).then_some(start..end)
    }
}

impl Callbacks for Host {
    fn get_zeroed_page(&self) -> u32 {
        (self.misbehave.get())();
        let left = self.fail_alloc.get();
        self.fail_alloc.set(left.saturating_sub(1));
        let pfn = if left == 1 {
            None
        } else {
            self.free.borrow_mut().pop_first()
        };
        let pa = pfn.map_or(0, |pfn| {
            assert!(self.arena.commit(pfn));
            self.arena
                .longs(pfn)
                .expect("committed")
                .iter()
                .for_each(|entry| entry.set(0));
            pfn << 12
        });
        self.called(CallKind::GetZeroedPage, u64::from(pa));
        pa
    }

    fn free_page(&self, pa: u32) -> Result<(), Crash> {
        self.called(CallKind::FreePage, u64::from(pa));
        let pfn = pa >> 12;
        if pa == 0 {
            return Ok(());
        }
        let (Some(table), true) = (self.arena.longs(pfn), self.free.borrow_mut().insert(pfn))
        else {
            return Err(Crash::new(CrashKind::BadFree, pfn));
        };
        table.iter().for_each(|entry| entry.set(0xffff_e001));
        Ok(())
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> u32 {
        self.called(
            CallKind::GetUserPagesFast,
            u64::from(write as u8) << 32 | u64::from(addr),
        );
        let pfn = self
            .range(addr, 1)
            .map_or(NO_PFN, |at| GUEST_FRAME + (at.start >> 12) as u32);
        self.shared.mix(u64::from(pfn));
        if let Some(held) = self.shared.held_of(pfn) {
            held.set(held.get() + 1);
        }
        pfn
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        let range = self.range(from, to.len());
        let ok = u64::from(range.is_some()) << 48;
        self.called(
            CallKind::CopyFromUser,
            ok | (to.len() as u64) << 32 | u64::from(from),
        );
        if let Some(range) = range {
            to.copy_from_slice(&self.memory.borrow()[range]);
            self.shared.mix_bytes(to);
        }
        ok != 0
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        let range = self.range(to, from.len());
        let ok = u64::from(range.is_some()) << 48;
        self.called(
            CallKind::CopyToUser,
            ok | (from.len() as u64) << 32 | u64::from(to),
        );
        if let Some(range) = range {
            self.memory.borrow_mut()[range].copy_from_slice(from);
            self.shared.mix_bytes(from);
        }
        ok != 0
    }

    fn prandom_u32(&self) -> u32 {
        self.called(CallKind::PrandomU32, u64::from(self.draw.get()));
        self.draw.get()
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        let ok = !self.no_message.get();
        self.called(CallKind::Kasprintf, u64::from(ok) << 32 | text.len() as u64);
        self.shared.mix_bytes(text);
        assert!(!text.contains(&0));
        *self.text.borrow_mut() = Some(text.to_vec());
        ok
    }

    fn event(&self) {
        self.events.set(self.events.get() + 1);
    }

    fn traced(&self, kind: u32, a: u64, b: u64) {
        self.log.borrow_mut().push((kind, a, b));
    }
}
