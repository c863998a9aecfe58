// SPDX-License-Identifier: GPL-2.0-or-later
//! Each way in which the original crashes its host, and the calls made before it does.
#![allow(clippy::arithmetic_side_effects)] // a sum that overflows fails the test

mod world;
use lguest_shadow::{BugKind, Gva, HostBug, PIN_LIMIT};
use world::*;

both_modes!(
    set_pgd_behind_the_table,
    a_page_released_twice,
    a_switcher_that_went_away,
    too_many_stack_pages,
    pins_of_one_step_add_up,
    running_without_a_switcher,
    no_tables_at_all,
    a_top_level_that_is_none,
);

#[test]
fn packing() {
    for kind in BugKind::ALL {
        for pfn in [0, 1, 0xfffff, !0] {
            let bug = HostBug::new(kind, pfn);
            assert_eq!((bug.kind(), bug.pfn()), (kind, pfn));
        }
    }
    assert_eq!(BugKind::PutNotHeld.name(), "put_not_held");
    assert_eq!(size_of::<Result<(), HostBug>>(), 8);
}

fn kind<T>(result: Result<T, HostBug>) -> Option<BugKind> {
    result.err().map(HostBug::kind)
}

/// C1.
fn set_pgd_behind_the_table<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let result = try_hypercall(&mut guest, &[15, 0x2000, M::PTRS_PER_PGD]);
    if M::PAE {
        assert_eq!(result, Ok(()));
        destroy(&mut guest);
    } else {
        let pfn = guest.pgdirs[1].pgdir >> 12;
        assert_eq!(result, Err(HostBug::new(BugKind::OutsidePage, pfn)));
        // Before any kernel call but the ring's.
        assert_eq!(host.take_calls().len(), 1);
    }
}

/// C2.
fn a_page_released_twice<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    map(&host, 0x2000, 0x5000, 0x9007, 3);
    fault(&mut guest, 0x5000, 0);
    let before = shadow(&guest, 1, 0x5000);
    set_pte(&mut guest, 0x2000, 0x5000, 0x90a7);
    assert_eq!(shadow(&guest, 1, 0x5000), before);
    let bug = HostBug::new(BugKind::PutNotHeld, host.guest_frame(9));
    assert_eq!(guest.free_guest_pagetable(), Err(bug));
}

/// C3.
fn a_switcher_that_went_away<M: TestMode>() {
    let host = TestHost::<M>::new(2);
    let mut guest = running_guest(&host);
    host.draw.set(2);
    hypercall(&mut guest, &[4, 0x6000]);
    hypercall(&mut guest, &[15, 0x2000, M::pgd_index(Gva(SWITCHER))]);
    hypercall(&mut guest, &[4, 0x2000]);
    assert!(guest.pgdirs[1].switcher_mapped);
    host.take_calls();
    assert_eq!(guest.map_switcher_in_guest(), Err(HostBug::NULL_ENTRY));
    assert_eq!(host.take_calls(), []);
}

/// C18.
fn too_many_stack_pages<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    host.take_calls();
    let result = try_hypercall(&mut guest, &[7, 1, 0xc000_0000, 0xffff_ffff]);
    assert_eq!(result, Err(HostBug::LOCKUP));
    assert_eq!(guest.stack_pages, !0);
    assert_eq!(host.messages(), ["bad stack pages 4294967295"]);
    // The ring, the message, and a look at the guest's tables for each page before.
    assert_eq!(host.take_calls().len(), 2 + PIN_LIMIT as usize);

    let mut guest = running_guest(&host);
    let result = try_hypercall(&mut guest, &[7, 1, 0xc000_0000, PIN_LIMIT]);
    assert_eq!(result, Ok(()));
}

fn pins_of_one_step_add_up<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    hypercall(&mut guest, &[7, 1, 0xc000_0000, 33]);
    // Each step counts for itself.
    hypercall(&mut guest, &[5, 1]);
    hypercall(&mut guest, &[5, 1]);
    // But a ring entry and the direct call are one step.
    write(&host, GUEST_DATA + 24, &[0]);
    write(&host, GUEST_DATA + 88, &[5, 0, 0, 0, 1]);
    assert_eq!(
        kind(try_hypercall(&mut guest, &[5, 1])),
        Some(BugKind::Lockup)
    );
}

fn running_without_a_switcher<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    guest.pgdirs[1].switcher_mapped = false;
    assert_eq!(guest.map_switcher_in_guest(), Err(HostBug::BUG_ON));
}

/// A launcher that goes on after the first allocation failed.
fn no_tables_at_all<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = new_guest(&host);
    host.fail_alloc.set(1);
    guest.init_guest_pagetable().unwrap();
    guest.cpus[0].linear_pages = true;
    let mut iomem = 0;
    let result = guest.demand_page(Gva(0x5000), 0, &mut iomem);
    assert_eq!(result, Err(HostBug::NULL_ENTRY));
    // Nothing to flush, so nothing is touched.
    assert_eq!(guest.guest_pagetable_flush_user(), Ok(()));
    guest.kernel_address = KERNEL;
    let result = guest.guest_pagetable_flush_user();
    assert_eq!(result, Err(HostBug::NULL_ENTRY));
}

fn a_top_level_that_is_none<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    guest.pgdirs[1].pgdir = 0x9_9000;
    let result = guest.pin_page(Gva(0x5000));
    assert_eq!(result, Err(HostBug::new(BugKind::WildPage, 0x99)));
}
