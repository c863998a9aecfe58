// SPDX-License-Identifier: GPL-2.0-or-later
//! Sections (iii) to (v): what the guest tells of its tables, and what is thrown away.
#![allow(clippy::arithmetic_side_effects)] // a sum that overflows fails the test

mod world;
use lguest_shadow::{Dead, Gpa, Gva};
use world::*;

both_modes!(
    an_accessed_entry_goes_in,
    an_entry_not_used_yet_goes_out,
    a_kernel_entry_goes_into_all_tables,
    unknown_tables_are_left_alone,
    a_top_level_entry_goes,
    a_leaked_reference,
    flushes,
    everything_goes_in_order,
    a_middle_entry,
    many_tables,
    a_failing_top_level_steals_the_current_one,
);

fn an_accessed_entry_goes_in<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    host.take_calls();
    set_pte(&mut guest, 0x2000, 0x5000, 0xa067);
    let frame = host.guest_frame(10);
    let asked = Call::GetUserPages(MEM_BASE + 0xa000, 0x40, Some(frame));
    let calls = host.take_calls();
    assert_eq!(calls[1], Call::PutPage(host.guest_frame(9)));
    assert_eq!(calls[2], asked);
    assert!(matches!(calls[3], Call::SetPte(..)));
    assert_eq!(calls.len(), 4);
    assert_eq!(shadow(&guest, 1, 0x5000), u64::from(frame) << 12 | 0x67);
    set_pte(&mut guest, 0x2000, 0x5000, 0xa027);
    let asked = Call::GetUserPages(MEM_BASE + 0xa000, 0, Some(frame));
    assert!(host.calls.borrow().contains(&asked));
    // Unlike after a read fault, the entry stays writable.
    assert_eq!(shadow(&guest, 1, 0x5000), u64::from(frame) << 12 | 0x27);
    check_references(&guest);
    destroy(&mut guest);
}

fn an_entry_not_used_yet_goes_out<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    // Used or not: without a table for it, nothing happens.
    set_pte(&mut guest, 0x2000, 0x5000, 0xa067);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    fault(&mut guest, 0x5000, 0);
    set_pte(&mut guest, 0x2000, 0x5000, 0xa007);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    // A device's page goes out too, however used.
    fault(&mut guest, 0x5000, 0);
    let device = u64::from(PAGES) << 12;
    set_pte(&mut guest, 0x2000, 0x5000, device | 0x67);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    assert_eq!(guest.dead, Dead::Alive);
    check_references(&guest);
    destroy(&mut guest);
}

fn a_kernel_entry_goes_into_all_tables<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    for (slot, gpgdir) in [(1, 0x2000), (2, 0x6000), (3, 0x7000)] {
        map(&host, gpgdir, KERNEL + 0x5000, 0x9003, 3);
        map(&host, gpgdir, 0x5000, 0x9007, 10);
        host.draw.set(slot);
        hypercall(&mut guest, &[4, gpgdir]);
        assert_eq!(guest.cpus[0].cpu_pgd, slot);
        fault(&mut guest, KERNEL + 0x5000, 2);
        fault(&mut guest, 0x5000, 2);
    }
    assert_eq!(host.held(host.guest_frame(9)), 6);
    // The table named does not matter.
    set_pte(&mut guest, 0xdead_b000, KERNEL + 0x5000, 0xa063);
    set_pte(&mut guest, 0x6000, 0x5000, 0xb067);
    assert_eq!(host.held(host.guest_frame(9)), 2);
    assert_eq!(host.held(host.guest_frame(10)), 3);
    assert_eq!(host.held(host.guest_frame(11)), 1);
    assert_ne!(shadow(&guest, 2, 0x5000), shadow(&guest, 1, 0x5000));
    check_references(&guest);
    destroy(&mut guest);
}

fn unknown_tables_are_left_alone<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    let before = shadow(&guest, 1, 0x5000);
    host.take_calls();
    set_pte(&mut guest, 0x3000, 0x5000, 0xa067);
    hypercall(&mut guest, &[15, 0x3000, 0]);
    assert_eq!(host.take_calls().len(), 2);
    assert_eq!(shadow(&guest, 1, 0x5000), before);
    destroy(&mut guest);
}

fn a_top_level_entry_goes<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    guest.map_switcher_in_guest().unwrap();
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    let tables = host.allocated();
    hypercall(&mut guest, &[15, 0x2000, 0]);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    assert_eq!(host.allocated(), tables - if M::PAE { 2 } else { 1 });
    assert_eq!(guest.pgdirs[1].last_host_cpu, -1);
    // The Switcher's comes back at once, as far as it is the same for all CPUs.
    let last = M::pgd_index(Gva(SWITCHER));
    guest.map_switcher_in_guest().unwrap();
    hypercall(&mut guest, &[15, 0x2000, last]);
    assert_ne!(shadow(&guest, 1, SWITCHER), 0);
    assert_eq!(shadow(&guest, 1, SWITCHER + 0x1000), 0);
    guest.map_switcher_in_guest().unwrap();
    check_references(&guest);
    destroy(&mut guest);
}

/// An entry marked as used but absent takes a reference that nobody gives back.
fn a_leaked_reference<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    set_pte(&mut guest, 0x2000, 0x5000, 0xa066);
    assert_eq!(
        shadow(&guest, 1, 0x5000),
        u64::from(host.guest_frame(10)) << 12 | 0x66
    );
    guest.free_guest_pagetable().unwrap();
    assert_eq!(host.references(), 1);
    assert_eq!(host.allocated(), 0);
}

fn flushes<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    map(&host, 0x2000, KERNEL - 0x1000, 0x9007, 10);
    map(&host, 0x2000, KERNEL, 0x9003, 6);
    for vaddr in [0x5000, KERNEL - 0x1000, KERNEL] {
        fault(&mut guest, vaddr, 0);
    }
    hypercall(&mut guest, &[5, 0]);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    assert_eq!(shadow(&guest, 1, KERNEL - 0x1000), 0);
    assert_ne!(shadow(&guest, 1, KERNEL), 0);
    check_references(&guest);
    hypercall(&mut guest, &[5, 1]);
    assert_eq!(shadow(&guest, 1, KERNEL), 0);
    assert_ne!(shadow(&guest, 1, SWITCHER), 0);
    assert_eq!(host.references(), 1);
    assert!(!guest.pgdirs[0].switcher_mapped);
    assert!(guest.pgdirs[1].switcher_mapped);
    destroy(&mut guest);
}

/// Entries are released from the lowest index up, each table after what is in it.
fn everything_goes_in_order<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let pages = [0_u32, 1, 15, 16, 17, 31, 40, 511];
    for (i, page) in (20..).zip(pages) {
        map(&host, 0x2000, page << 12, i << 12 | 7, 3);
        fault(&mut guest, page << 12, 0);
    }
    host.take_calls();
    hypercall(&mut guest, &[5, 0]);
    let mut calls = host.take_calls();
    calls.remove(0);
    let puts: Vec<Call> = (20..28)
        .map(|page| Call::PutPage(host.guest_frame(page)))
        .collect();
    assert_eq!(calls[..8], puts[..]);
    assert!(matches!(calls[8], Call::FreePage(_)));
    if M::PAE {
        assert!(matches!(calls[9], Call::SetPmd(_, 0)));
        assert!(matches!(calls[10], Call::FreePage(_)));
        assert!(matches!(calls[11], Call::SetPgd(_, 0)));
        assert_eq!(calls.len(), 12);
    } else {
        // The top-level entry is cleared without a word.
        assert_eq!(calls.len(), 9);
    }
    destroy(&mut guest);
}

fn a_middle_entry<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, KERNEL, 0x9003, 6);
    fault(&mut guest, KERNEL, 0);
    hypercall(&mut guest, &[13, 0x6000, 0]);
    if M::PAE {
        assert_eq!(shadow(&guest, 1, KERNEL), 0);
        assert_eq!(guest.dead, Dead::Alive);
    } else {
        assert_eq!(host.messages(), ["Bad hypercall 13\n"]);
    }
    guest.guest_set_pmd(Gpa(0), 0).unwrap();
    assert_eq!(shadow(&guest, 1, KERNEL), 0);
    destroy(&mut guest);
}

fn many_tables<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    for (i, gpgdir) in (0x10..0x20).enumerate() {
        host.draw.set(i as u32 * 7);
        hypercall(&mut guest, &[4, gpgdir << 12]);
        assert_eq!(guest.cpus[0].cpu_pgd, i as u32 * 7 % 4);
        assert_eq!(guest.pgdirs[i * 7 % 4].gpgdir, gpgdir << 12);
        guest.map_switcher_in_guest().unwrap();
    }
    // One that is known is not drawn again.
    host.take_calls();
    hypercall(&mut guest, &[4, 0x1e000]);
    assert_eq!(host.take_calls().len(), 1);
    check_references(&guest);
    destroy(&mut guest);
}

fn a_failing_top_level_steals_the_current_one<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    host.draw.set(2);
    host.fail_alloc.set(1);
    hypercall(&mut guest, &[4, 0x6000]);
    assert_eq!(guest.cpus[0].cpu_pgd, 1);
    assert_eq!(guest.pgdirs[1].gpgdir, 0x6000);
    assert_eq!(guest.pgdirs[2].pgdir, 0);
    assert_eq!(shadow(&guest, 1, 0x5000), 0);
    assert_eq!(guest.dead, Dead::Alive);
    destroy(&mut guest);
}
