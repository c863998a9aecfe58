// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest on a small host, and what its kernel does, for the tests of this crate.
#![allow(dead_code)] // each test program uses its own part

mod host;

use std::cell::Cell;

use lguest_shadow::{
    Config, Entry, Faithful, Gva, Host, HostBug, Lguest, Mode, NoPae, PRESENT, Pae, Table,
    lguest_data,
};

#[allow(unused_imports)] // each test program uses its own part
pub use host::{Call, Mapping, TestHost};

pub const SWITCHER: u32 = 0xffef_6000;
pub const MEM_BASE: u32 = 0x1000_0000;
pub const PAGES: u32 = 64;
pub const DEVICE_PAGES: u32 = 4;
pub const DATA: u32 = 0x40000;
pub const KERNEL: u32 = 0xc000_0000;
pub const TABLES: u32 = 256;
/// Where the tests put `lguest_data`.
pub const GUEST_DATA: u32 = 0x1000;

/// Runs a test that is generic over the mode in both.
#[macro_export]
macro_rules! both_modes {
    ($($name:ident),* $(,)?) => {
        mod nopae { $(#[test] fn $name() { super::$name::<lguest_shadow::NoPae>(); })* }
        mod pae { $(#[test] fn $name() { super::$name::<lguest_shadow::Pae>(); })* }
    };
}

pub trait TestMode: Mode {
    fn table_of(entry: Self::Entry) -> Self::Table;
}

impl TestMode for NoPae {
    fn table_of(entry: u32) -> Self::Table {
        std::array::from_fn(|_| Cell::new(entry))
    }
}

impl TestMode for Pae {
    fn table_of(entry: u64) -> Self::Table {
        std::array::from_fn(|_| Cell::new(entry))
    }
}

/// A guest on that host.
pub type Guest<'h, M> = Lguest<'h, M, Faithful, TestHost<M>>;

/// A guest before anything was done.
pub fn new_guest<M: TestMode>(host: &TestHost<M>) -> Guest<'_, M> {
    Lguest::new(
        host,
        Faithful,
        Config {
            pfn_limit: PAGES,
            device_limit: PAGES + DEVICE_PAGES,
            mem_base: MEM_BASE,
            regs_page: DATA << 12,
        },
    )
}

/// A guest in linear mode.
pub fn linear_guest<M: TestMode>(host: &TestHost<M>) -> Guest<'_, M> {
    let mut guest = new_guest(host);
    assert_eq!(guest.init_guest_pagetable(), Ok(0));
    guest
}

/// A guest after LGUEST_INIT, still in linear mode.
pub fn initialised_guest<M: TestMode>(host: &TestHost<M>) -> Guest<'_, M> {
    let mut guest = linear_guest(host);
    boot_data(host, KERNEL);
    guest.do_hypercalls(&[1, GUEST_DATA, 0, 0, 0]).unwrap();
    guest
}

/// A guest in its own tables at 0x2000, in a slot of their own.
pub fn running_guest<M: TestMode>(host: &TestHost<M>) -> Guest<'_, M> {
    let mut guest = initialised_guest(host);
    host.draw.set(1);
    guest.do_hypercalls(&[4, 0x2000, 0, 0, 0]).unwrap();
    host.take_calls();
    guest
}

/// What a guest puts in its `lguest_data` before LGUEST_INIT.
pub fn boot_data<M: TestMode>(host: &TestHost<M>, kernel: u32) {
    for n in 0..lguest_data::RING_SIZE {
        write(host, GUEST_DATA + lguest_data::HCALL_STATUS + n, &[0xff]);
    }
    let at = GUEST_DATA + lguest_data::KERNEL_ADDRESS;
    write(host, at, &kernel.to_le_bytes());
}

pub fn write<M: TestMode>(host: &TestHost<M>, gpa: u32, bytes: &[u8]) {
    host.ram.borrow_mut()[gpa as usize..][..bytes.len()].copy_from_slice(bytes);
}

pub fn write_entry<M: TestMode>(host: &TestHost<M>, gpa: u32, entry: u64) {
    write(host, gpa, M::Entry::from_wide(entry).to_bytes().as_ref());
}

pub fn read_entry<M: TestMode>(host: &TestHost<M>, gpa: u32) -> u64 {
    let mut bytes = M::Entry::ZERO_BYTES;
    let len = bytes.as_ref().len();
    let ram = host.ram.borrow();
    bytes.as_mut().copy_from_slice(&ram[gpa as usize..][..len]);
    M::Entry::from_bytes(bytes).wide()
}

/// Maps `vaddr` in the guest's tables at `gpgdir`, with lower tables in page `tables` (PAE: and
/// the one behind it). Returns where the lowest entry lies.
pub fn map<M: TestMode>(
    host: &TestHost<M>,
    gpgdir: u32,
    vaddr: u32,
    gpte: u64,
    tables: u32,
) -> u32 {
    let vaddr = Gva(vaddr);
    let size = M::Entry::SIZE;
    let pgd = gpgdir + M::pgd_index(vaddr) * size;
    let mut table = tables << 12;
    if M::PAE {
        write_entry(host, pgd, u64::from(table | PRESENT));
        let pmd = table + M::pmd_index(vaddr) * size;
        table += 0x1000;
        write_entry(host, pmd, u64::from(table | 0x67));
    } else {
        write_entry(host, pgd, u64::from(table | 0x67));
    }
    let pte = table + M::pte_index(vaddr) * size;
    write_entry(host, pte, gpte);
    pte
}

/// The shadow's lowest-level entry for `vaddr` in slot `i`; 0 where a level is missing.
pub fn shadow<M: TestMode>(guest: &Guest<'_, M>, i: usize, vaddr: u32) -> u64 {
    let host = guest.host();
    let vaddr = Gva(vaddr);
    let mut entry = match guest.pgdirs[i].pgdir {
        0 => return 0,
        pa => host.table(pa).unwrap().entry(M::pgd_index(vaddr)).get(),
    };
    let middle = M::PAE.then(|| M::pmd_index(vaddr));
    for index in middle.into_iter().chain([M::pte_index(vaddr)]) {
        if !entry.has(PRESENT) {
            return 0;
        }
        entry = host
            .table(entry.table_address())
            .unwrap()
            .entry(index)
            .get();
    }
    entry.wide()
}

/// Each page is referenced as often as present entries name it.
pub fn check_references<M: TestMode>(guest: &Guest<'_, M>) {
    let host = guest.host();
    let mut entries = 0;
    let below = |pa: u32, levels: u32| -> Vec<M::Entry> {
        let mut all = vec![M::Entry::naming(pa, PRESENT)];
        for _ in 0..levels {
            all = all
                .iter()
                .flat_map(|e| host.table(e.table_address()).unwrap().entries())
                .map(Cell::get)
                .filter(|e| e.has(PRESENT))
                .collect();
        }
        all
    };
    for pgdir in guest.pgdirs.iter().filter(|pgdir| pgdir.pgdir != 0) {
        entries += below(pgdir.pgdir, if M::PAE { 3 } else { 2 }).len();
    }
    assert_eq!(host.references(), i32::try_from(entries).unwrap());
}

/// Ends the guest: nothing may be left of it.
pub fn destroy<M: TestMode>(guest: &mut Guest<'_, M>) {
    guest.free_guest_pagetable().unwrap();
    assert_eq!(guest.host().references(), 0);
    assert_eq!(guest.host().allocated(), 0);
}

/// A fault that must be repaired.
pub fn fault<M: TestMode>(guest: &mut Guest<'_, M>, vaddr: u32, errcode: u32) {
    assert_eq!(try_fault(guest, vaddr, errcode), (true, 0));
}

/// A fault: what came of it, and the device's address.
pub fn try_fault<M: TestMode>(guest: &mut Guest<'_, M>, vaddr: u32, errcode: u32) -> (bool, u32) {
    let mut iomem = 0xdead_beef;
    let fixed = guest.demand_page(Gva(vaddr), errcode, &mut iomem).unwrap();
    (fixed, iomem)
}

/// A hypercall that the host survives.
pub fn hypercall<M: TestMode>(guest: &mut Guest<'_, M>, args: &[u32]) {
    assert_eq!(try_hypercall(guest, args), Ok(()));
}

pub fn try_hypercall<M: TestMode>(guest: &mut Guest<'_, M>, args: &[u32]) -> Result<(), HostBug> {
    let mut all = [0; 5];
    all[..args.len()].copy_from_slice(args);
    guest.do_hypercalls(&all)
}

/// SET_PTE with an entry of the mode's width.
pub fn set_pte<M: TestMode>(guest: &mut Guest<'_, M>, gpgdir: u32, vaddr: u32, gpte: u64) {
    let args = [14, gpgdir, vaddr, gpte as u32, (gpte >> 32) as u32];
    hypercall(guest, &args);
}
