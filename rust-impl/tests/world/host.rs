// SPDX-License-Identifier: GPL-2.0-or-later
//! A small host in safe Rust: frames, references, guest memory, and a record of every call.

use std::cell::{Cell, RefCell};

use lguest_shadow::{BugKind, Entry, Host, HostBug, Slot, Table};

use super::{DATA, DEVICE_PAGES, MEM_BASE, PAGES, SWITCHER, TABLES, TestMode};

/// What the port asked of the host, and each stored entry that differs from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    GetZeroedPage(u32),
    FreePage(u32),
    GetUserPages(u32, u32, Option<u32>),
    GetPage(u32),
    PutPage(u32),
    FromUser(u32, usize, bool),
    ToUser(u32, Vec<u8>, bool),
    Random(u32),
    Message(String),
    SetPte(u32, u64),
    SetPmd(u32, u64),
    SetPgd(u32, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    Absent,
    ReadOnly,
    Writable,
}

pub struct TestHost<M: TestMode> {
    tables: Vec<(Cell<bool>, M::Table)>,
    held: Vec<Cell<i32>>,
    pub ram: RefCell<Vec<u8>>,
    pub mappings: RefCell<Vec<Mapping>>,
    pub calls: RefCell<Vec<Call>>,
    pub fail_alloc: Cell<u32>,
    pub fail_copy: Cell<u32>,
    pub fail_message: Cell<bool>,
    pub draw: Cell<u32>,
    pub cpu: Cell<u32>,
    pub cpus: u32,
    pub mask: Cell<u64>,
    pub switcher: Cell<u32>,
}

/// Counts down to the n-th call: true for that one.
fn strikes(count: &Cell<u32>) -> bool {
    let n = count.get();
    count.set(n.saturating_sub(1));
    n == 1
}

impl<M: TestMode> TestHost<M> {
    pub fn new(cpus: u32) -> Self {
        let data = 2 + 2 * cpus + PAGES + DEVICE_PAGES;
        Self {
            tables: (0..TABLES)
                .map(|_| {
                    (
                        Cell::new(false),
                        M::table_of(M::Entry::from_wide(0xffff_e001)),
                    )
                })
                .collect(),
            held: (0..data).map(|_| Cell::new(0)).collect(),
            ram: RefCell::new(vec![0; (PAGES * 4096) as usize]),
            mappings: RefCell::new(vec![Mapping::Writable; PAGES as usize]),
            calls: RefCell::default(),
            fail_alloc: Cell::new(0),
            fail_copy: Cell::new(0),
            fail_message: Cell::new(false),
            draw: Cell::new(0),
            cpu: Cell::new(0),
            cpus,
            mask: Cell::new(!0),
            switcher: Cell::new(SWITCHER),
        }
    }

    pub fn guest_frame(&self, page: u32) -> u32 {
        DATA + 2 + 2 * self.cpus + page
    }

    pub fn held(&self, pfn: u32) -> i32 {
        self.held[(pfn - DATA) as usize].get()
    }

    pub fn references(&self) -> i32 {
        self.held.iter().map(Cell::get).sum()
    }

    pub fn allocated(&self) -> usize {
        self.tables.iter().filter(|(used, _)| used.get()).count()
    }

    pub fn take_calls(&self) -> Vec<Call> {
        self.calls.take()
    }

    pub fn messages(&self) -> Vec<String> {
        let calls = self.calls.borrow();
        calls
            .iter()
            .filter_map(|call| match call {
                Call::Message(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    }

    fn log(&self, call: Call) {
        self.calls.borrow_mut().push(call);
    }

    fn ram_range(&self, addr: u32, len: usize) -> Option<std::ops::Range<usize>> {
        let start = addr.checked_sub(MEM_BASE)? as usize;
        let end = start.checked_add(len)?;
        (end <= self.ram.borrow().len()).then_some(start..end)
    }

    fn store(&self, slot: &Slot<'_, M>, entry: M::Entry, call: fn(u32, u64) -> Call) {
        if slot.get() != entry {
            self.log(call(slot.pa(), entry.wide()));
            slot.set(entry);
        }
    }
}

impl<M: TestMode> Host<M> for TestHost<M> {
    fn get_zeroed_page(&self) -> u32 {
        let free = self.tables.iter().position(|(used, _)| !used.get());
        let pa = match free {
            Some(k) if !strikes(&self.fail_alloc) => {
                self.tables[k].0.set(true);
                for entry in self.tables[k].1.entries() {
                    entry.set(M::Entry::ZERO);
                }
                (2 + 2 * k as u32) << 12
            }
            _ => 0,
        };
        self.log(Call::GetZeroedPage(pa));
        pa
    }

    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.log(Call::FreePage(pa));
        if pa == 0 {
            return Ok(());
        }
        let pfn = pa >> 12;
        let table = self.tables.get(((pfn / 2).wrapping_sub(1)) as usize);
        match table {
            Some((used, table)) if pfn % 2 == 0 && used.replace(false) => {
                for entry in table.entries() {
                    entry.set(M::Entry::from_wide(0xffff_e001));
                }
                Ok(())
            }
            _ => Err(HostBug::new(BugKind::BadFree, pfn)),
        }
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        let page = addr.wrapping_sub(MEM_BASE) >> 12;
        let mapping = self.mappings.borrow().get(page as usize).copied();
        let pfn = match mapping {
            Some(Mapping::Writable) => Some(self.guest_frame(page)),
            Some(Mapping::ReadOnly) if write == 0 => Some(self.guest_frame(page)),
            _ => None,
        };
        self.log(Call::GetUserPages(addr, write, pfn));
        if let Some(pfn) = pfn {
            let held = &self.held[(pfn - DATA) as usize];
            held.set(held.get() + 1);
        }
        pfn
    }

    fn get_page(&self, pfn: u32) {
        self.log(Call::GetPage(pfn));
        let held = &self.held[(pfn - DATA) as usize];
        held.set(held.get() + 1);
    }

    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.log(Call::PutPage(pfn));
        match self.held.get(pfn.wrapping_sub(DATA) as usize) {
            Some(held) if held.get() > 0 => {
                held.set(held.get() - 1);
                Ok(())
            }
            _ => Err(HostBug::new(BugKind::PutNotHeld, pfn)),
        }
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        let range = self.ram_range(from, to.len());
        let range = range.filter(|_| !strikes(&self.fail_copy));
        self.log(Call::FromUser(from, to.len(), range.is_some()));
        match range {
            Some(range) => to.copy_from_slice(&self.ram.borrow()[range]),
            None => return false,
        }
        true
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        let range = self.ram_range(to, from.len());
        let range = range.filter(|_| !strikes(&self.fail_copy));
        self.log(Call::ToUser(to, from.to_vec(), range.is_some()));
        match range {
            Some(range) => self.ram.borrow_mut()[range].copy_from_slice(from),
            None => return false,
        }
        true
    }

    fn prandom_u32(&self) -> u32 {
        self.log(Call::Random(self.draw.get()));
        self.draw.get()
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        self.log(Call::Message(String::from_utf8_lossy(text).into_owned()));
        !self.fail_message.get()
    }

    fn smp_processor_id(&self) -> u32 {
        self.cpu.get()
    }

    fn nr_cpu_ids(&self) -> u32 {
        self.cpus
    }

    fn switcher_addr(&self) -> u32 {
        self.switcher.get()
    }

    fn switcher_page(&self, i: u32) -> u32 {
        DATA + 1 + i
    }

    fn supported_pte_mask(&self) -> u64 {
        self.mask.get()
    }

    fn tsc_khz(&self) -> u32 {
        1_000_000
    }

    fn table(&self, pa: u32) -> Result<&M::Table, HostBug> {
        let pfn = pa >> 12;
        match self.tables.get((pfn / 2).wrapping_sub(1) as usize) {
            Some((_, table)) if pfn % 2 == 0 => Ok(table),
            _ => Err(HostBug::new(BugKind::WildPage, pfn)),
        }
    }

    fn set_pte(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        self.store(slot, entry, Call::SetPte);
    }

    fn set_pmd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        self.store(slot, entry, Call::SetPmd);
    }

    fn set_pgd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        self.store(slot, entry, Call::SetPgd);
    }
}
