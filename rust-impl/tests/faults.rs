// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (i) and (ii): faults, and the stack.
#![allow(clippy::arithmetic_side_effects)] // a sum that overflows fails the test

mod world;
use lguest_shadow::{Dead, Gva};
use world::*;

both_modes!(
    linear_faults,
    linear_device_and_beyond,
    a_read_then_a_write,
    a_dirty_entry_is_writable_at_once,
    faults_that_are_the_guests,
    devices,
    flags_that_reach_the_shadow,
    a_page_that_cannot_be_had,
    no_memory_for_tables,
    addresses,
    stack_pages,
    a_stored_entry_is_told_of,
);

fn linear_faults<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = linear_guest(&host);
    host.take_calls();
    fault(&mut guest, 0x5123, 0);
    let frame = u64::from(host.guest_frame(5)) << 12;
    assert_eq!(shadow(&guest, 0, 0x5000), frame | 0x21);
    fault(&mut guest, 0x5123, 2);
    assert_eq!(shadow(&guest, 0, 0x5000), frame | 0x63);
    assert_eq!(host.held(host.guest_frame(5)), 1);
    // No table of the guest is read, and none is written.
    assert!(
        !host
            .calls
            .borrow()
            .iter()
            .any(|call| matches!(call, Call::FromUser(..) | Call::ToUser(..)))
    );
    // A made-up entry is the kernel's alone.
    assert_eq!(try_fault(&mut guest, 0x5000, 4), (false, 0));
    check_references(&guest);
    destroy(&mut guest);
}

fn linear_device_and_beyond<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = linear_guest(&host);
    let device = PAGES * 4096 + 0x123;
    assert_eq!(try_fault(&mut guest, device, 2), (false, device));
    assert_eq!(guest.dead, Dead::Alive);
    assert_eq!(try_fault(&mut guest, SWITCHER, 0), (false, 0));
    assert_eq!(guest.dead, Dead::Alive);
    let beyond = (PAGES + DEVICE_PAGES) * 4096;
    assert_eq!(try_fault(&mut guest, beyond, 0), (false, 0));
    assert_eq!(host.messages(), ["bad page table entry"]);
    destroy(&mut guest);
}

fn a_read_then_a_write<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let pte = map(&host, 0x2000, 0x8000_5000, 0x9007, 3);
    fault(&mut guest, 0x8000_5678, 4);
    let frame = u64::from(host.guest_frame(9)) << 12;
    assert_eq!(shadow(&guest, 1, 0x8000_5000), frame | 0x25);
    assert_eq!(read_entry(&host, pte), 0x9027);
    fault(&mut guest, 0x8000_5678, 6);
    assert_eq!(shadow(&guest, 1, 0x8000_5000), frame | 0x67);
    assert_eq!(read_entry(&host, pte), 0x9067);
    assert_eq!(host.held(host.guest_frame(9)), 1);
    check_references(&guest);
    destroy(&mut guest);
}

fn a_dirty_entry_is_writable_at_once<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9043, 3);
    fault(&mut guest, 0x5000, 0);
    assert_eq!(shadow(&guest, 1, 0x5000) & 0xfff, 0x63);
    let asked = Call::GetUserPages(MEM_BASE + 0x9000, 1, Some(host.guest_frame(9)));
    assert!(host.calls.borrow().contains(&asked));
    destroy(&mut guest);
}

fn faults_that_are_the_guests<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let held = host.references();
    assert_eq!(try_fault(&mut guest, 0x5000, 0), (false, 0));
    let pte = map(&host, 0x2000, 0x5000, 0x9000, 3);
    assert_eq!(try_fault(&mut guest, 0x5000, 0), (false, 0));
    write_entry(&host, pte, 0x9005);
    assert_eq!(try_fault(&mut guest, 0x5000, 2), (false, 0));
    write_entry(&host, pte, 0x9003);
    assert_eq!(try_fault(&mut guest, 0x5000, 4), (false, 0));
    assert_eq!(guest.dead, Dead::Alive);
    assert_eq!(host.references(), held);
    destroy(&mut guest);
}

fn devices<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let device = u64::from(PAGES + DEVICE_PAGES - 1) << 12;
    let pte = map(&host, 0x2000, 0x5000, device | 7, 3);
    assert_eq!(
        try_fault(&mut guest, 0x5abc, 2),
        (false, device as u32 | 0xabc)
    );
    assert_eq!(guest.dead, Dead::Alive);
    // A large page is no device's.
    write_entry(&host, pte, device | 0x87);
    assert_eq!(try_fault(&mut guest, 0x5abc, 2), (false, 0));
    assert_eq!(host.messages(), ["bad page table entry"]);
    destroy(&mut guest);
}

fn flags_that_reach_the_shadow<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let nx = if M::PAE { 1 << 63 } else { 0 };
    // Caching and software bits do, global and no-execute do not.
    map(&host, 0x2000, 0x5000, nx | 0x9f1b, 3);
    fault(&mut guest, 0x5000, 2);
    let frame = u64::from(host.guest_frame(9)) << 12;
    assert_eq!(shadow(&guest, 1, 0x5000), frame | 0xe7b);
    destroy(&mut guest);
}

fn a_page_that_cannot_be_had<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    host.mappings.borrow_mut()[9] = Mapping::ReadOnly;
    let pte = map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    fault(&mut guest, 0x5000, 2);
    assert_eq!(host.messages(), ["failed to get page 9"]);
    let nothing = if M::PAE { 0xfff_ffff_f000 } else { 0xffff_f000 };
    assert_eq!(shadow(&guest, 1, 0x5000), nothing);
    // Written back all the same.
    assert_eq!(read_entry(&host, pte), 0x9067);
    check_references(&guest);
    destroy(&mut guest);
}

fn no_memory_for_tables<M: TestMode>() {
    let levels = if M::PAE { 2 } else { 1 };
    for nth in 1..=levels {
        let host = TestHost::<M>::new(1);
        let mut guest = running_guest(&host);
        map(&host, 0x2000, 0x5000, 0x9007, 3);
        let before = host.allocated();
        host.fail_alloc.set(nth);
        assert_eq!(try_fault(&mut guest, 0x5000, 0), (false, 0));
        let text = ["pte", "pmd"][nth as usize - 1];
        assert_eq!(
            host.messages(),
            [format!("out of memory allocating {text} page")]
        );
        // An empty middle table stays.
        assert_eq!(host.allocated(), before + nth as usize - 1);
        destroy(&mut guest);
    }
}

fn addresses<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = linear_guest(&host);
    assert_eq!(guest.guest_pa(Gva(0xffff_f123)), Ok(0xffff_f123));
    let mut guest2 = running_guest(&host);
    // Neither limits nor flags count.
    let high = if M::PAE { 0x12_3456_7000 } else { 0x3456_7000 };
    map(&host, 0x2000, 0x5000, high | 0x81, 3);
    assert_eq!(guest2.guest_pa(Gva(0x5678)), Ok(0x3456_7678));
    let mut paddr = 0;
    assert_eq!(guest2.__guest_pa(Gva(0x6000), &mut paddr), Ok(false));
    assert_eq!(paddr, !0);
    assert_eq!(guest2.dead, Dead::Alive);
    assert_eq!(guest2.guest_pa(Gva(0x8000_6000)), Ok(!0));
    assert_eq!(host.messages(), ["Bad address 0x80006000"]);
    guest.free_guest_pagetable().unwrap();
    destroy(&mut guest2);
}

fn stack_pages<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, KERNEL + 0x6000, 0x9003, 3);
    map(&host, 0x2000, KERNEL + 0x5000, 0x8003, 3);
    hypercall(&mut guest, &[7, 0x69, KERNEL + 0x7000, 2]);
    assert_eq!(guest.cpus[0].esp1, KERNEL + 0x7000);
    assert_eq!(guest.cpus[0].ss1, 0x69);
    assert_eq!(guest.stack_pages, 2);
    assert_eq!(shadow(&guest, 1, KERNEL + 0x6000) & 0xfff, 0x63);
    assert_eq!(shadow(&guest, 1, KERNEL + 0x5000) & 0xfff, 0x63);
    // A page that is writable already is left alone.
    host.take_calls();
    hypercall(&mut guest, &[7, 0x69, KERNEL + 0x7000, 2]);
    let calls = host.take_calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    // A page that is only readable is not good enough.
    map(&host, 0x2000, KERNEL + 0x8000, 0xa003, 3);
    fault(&mut guest, KERNEL + 0x8000, 0);
    assert_eq!(shadow(&guest, 1, KERNEL + 0x8000) & 0xfff, 0x21);
    guest.begin_step();
    guest.pin_page(Gva(KERNEL + 0x8000)).unwrap();
    assert_eq!(shadow(&guest, 1, KERNEL + 0x8000) & 0xfff, 0x63);
    assert_eq!(guest.dead, Dead::Alive);
    check_references(&guest);
    destroy(&mut guest);
}

/// Only the store of a writable entry goes round the host.
fn a_stored_entry_is_told_of<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    let stores = |calls: Vec<Call>| {
        let store = |call: &Call| matches!(call, Call::SetPte(..));
        calls.iter().filter(|call| store(call)).count()
    };
    assert_eq!(stores(host.take_calls()), 1);
    fault(&mut guest, 0x5000, 2);
    assert_eq!(stores(host.take_calls()), 0);
    destroy(&mut guest);
}
