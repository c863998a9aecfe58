// SPDX-License-Identifier: GPL-2.0-or-later
//! What would crash a host comes back as a value: the known defects of the
//! original, each kind of crash, on many threads, again and again, nested.

mod common;

use std::cell::Cell;
use std::thread;

use common::{GUEST_FRAME, Host, KERNEL, MODES, PAGE, SWITCHER, TABLES, call};
use lguest_c_reference::{Callbacks, Crash, CrashKind, DATA_BASE, Original, PagingMode};

const TOP: u32 = 0x8000;
const OTHER: u32 = 0xc000;

fn crash(kind: CrashKind, pfn: u32) -> Result<(), Crash> {
    Err(Crash::new(kind, pfn))
}

/// The slot of the top level that the Switcher begins in.
fn switcher_slot(mode: PagingMode) -> u32 {
    match mode {
        PagingMode::NoPae => SWITCHER >> 22,
        PagingMode::Pae => SWITCHER >> 30,
    }
}

/// C1: the entry behind the top level is taken for one of it.
fn set_pgd_behind_the_end(host: &Host, mode: PagingMode) {
    let guest = host.booted(mode);
    match mode {
        PagingMode::NoPae => {
            let pfn = guest.pgdir(0).pgdir >> 12;
            let done = guest.do_hypercalls(&[call::SET_PGD, 0, 1024, 0, 0]);
            assert_eq!(done, crash(CrashKind::OutsidePage, pfn));
        }
        // There the page goes on, with zeros.
        PagingMode::Pae => {
            assert_eq!(guest.do_hypercalls(&[call::SET_PGD, 0, 4, 0, 0]), Ok(()));
            assert_eq!(guest.dead(), 0);
        }
    }
}

/// C2: a reference is given back twice.
fn put_twice(host: &Host, mode: PagingMode) {
    let guest = host.booted(mode);
    host.map(mode, TOP, 0x5000, 0xa067);
    assert_eq!(
        guest.do_hypercalls(&[call::NEW_PGTABLE, TOP, 0, 0, 0]),
        Ok(())
    );
    assert_eq!(guest.demand_page(0x5000, 6), Ok((true, 0)));
    let bad = common::PAGES + common::DEVICE_PAGES;
    let args = [call::SET_PTE, TOP, 0x5000, bad << 12 | 0x67, 0];
    assert_eq!(guest.do_hypercalls(&args), Ok(()));
    assert_eq!(host.reason(), "bad page table entry");
    let pfn = GUEST_FRAME + 10;
    assert_eq!(
        guest.free_guest_pagetable(),
        crash(CrashKind::PutNotHeld, pfn)
    );
}

/// C3: the Switcher is believed mapped where it is not.
fn forgotten_switcher(host: &Host, mode: PagingMode) {
    let guest = host.booted(mode);
    for (draw, top) in [(0, TOP), (1, OTHER)] {
        host.draw.set(draw);
        assert_eq!(
            guest.do_hypercalls(&[call::NEW_PGTABLE, top, 0, 0, 0]),
            Ok(())
        );
    }
    let slot = switcher_slot(mode);
    assert_eq!(
        guest.do_hypercalls(&[call::SET_PGD, TOP, slot, 0, 0]),
        Ok(())
    );
    assert_eq!(
        guest.do_hypercalls(&[call::NEW_PGTABLE, TOP, 0, 0, 0]),
        Ok(())
    );
    assert_eq!((guest.dead(), guest.cpu_pgd()), (0, 0));
    assert_eq!(
        guest.map_switcher_in_guest(),
        crash(CrashKind::NullEntry, 0)
    );
}

/// C18: a stack of four thousand million pages.
fn endless_stack(host: &Host, mode: PagingMode) {
    let guest = host.booted(mode);
    let esp = KERNEL + PAGE;
    let done = guest.do_hypercalls(&[call::SET_STACK, 1, esp, u32::MAX, 0]);
    assert_eq!(done, crash(CrashKind::Lockup, 0));
    assert_eq!(host.reason(), "bad stack pages 4294967295");
    assert_eq!(host.shared.pins.get(), 64);
    assert_eq!((guest.esp1(), guest.stack_pages()), (esp, u32::MAX));
    // The count is one call's.
    assert_eq!(guest.guest_set_stack(1, esp, 64), Ok(()));
    assert_eq!(
        guest.guest_set_stack(1, esp, 65),
        crash(CrashKind::Lockup, 0)
    );
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_known_defects() {
    for mode in MODES {
        set_pgd_behind_the_end(&Host::new(), mode);
        put_twice(&Host::new(), mode);
        forgotten_switcher(&Host::new(), mode);
        endless_stack(&Host::new(), mode);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn each_kind() {
    for mode in MODES {
        let host = Host::new();
        let guest = host.guest(mode);
        // Nothing is there yet.
        assert_eq!(guest.map_switcher_in_guest(), crash(CrashKind::BugOn, 0));
        let null = crash(CrashKind::NullEntry, 0);
        assert_eq!(guest.pin_page(0x5000), null);
        assert_eq!(guest.pin_page(SWITCHER - 1), null);

        let guest = host.booted(mode);
        let top = guest.pgdir(0).pgdir >> 12;
        let plant = |pfn: u32| match mode {
            PagingMode::NoPae => {
                host.arena.words(top).expect("a table")[0].set(pfn << 12 | 1);
            }
            PagingMode::Pae => {
                host.arena.longs(top).expect("a table")[0].set(u64::from(pfn) << 12 | 1);
            }
        };
        // A frame that is no table, for each reason why.
        for (pfn, kind, frame) in [
            (0xffffe, CrashKind::WildPage, 0xffffe),
            (DATA_BASE, CrashKind::WildPage, DATA_BASE),
            (0, CrashKind::WildPage, 0),
            (1, CrashKind::WildPage, 1),
            (2 * TABLES, CrashKind::WildPage, 2 * TABLES),
            (2 * TABLES + 1, CrashKind::OutsidePage, 2 * TABLES),
            (2 * TABLES + 2, CrashKind::WildPage, 2 * TABLES + 2),
            (2 * TABLES + 3, CrashKind::WildPage, 2 * TABLES + 3),
        ] {
            plant(pfn);
            let done = guest.demand_page(0x5000, 0);
            assert_eq!(done, Err(Crash::new(kind, frame)), "{pfn:#x}");
        }
        // A table, but nobody's.
        assert!(host.arena.commit(100));
        plant(100);
        let done = guest.do_hypercalls(&[call::FLUSH_TLB, 1, 0, 0, 0]);
        assert_eq!(done, crash(CrashKind::BadFree, 100));
        // The guest can be told to start again.
        plant(0);
        let host = Host::new();
        host.booted(mode);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn on_eight_threads_a_thousand_times() {
    let all = [
        set_pgd_behind_the_end,
        put_twice,
        forgotten_switcher,
        endless_stack,
    ];
    thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || {
                for mode in MODES {
                    // Address space is not made anew each time.
                    let host = Host::new();
                    let guest = host.guest(mode);
                    let null = crash(CrashKind::NullEntry, 0);
                    for _ in 0..1000 {
                        assert_eq!(guest.pin_page(0x5000), null);
                        let bug = guest.map_switcher_in_guest();
                        assert_eq!(bug, crash(CrashKind::BugOn, 0));
                    }
                    for n in 0..20 {
                        all[(i + n) % all.len()](&Host::new(), mode);
                    }
                }
            });
        }
    });
}

/// A host whose draw is another guest's crash.
struct Nesting<'h> {
    inner: &'h Host,
    guest: &'h Original<'h, Host>,
    crashes: Cell<u32>,
}

impl Callbacks for Nesting<'_> {
    fn prandom_u32(&self) -> u32 {
        let done = self.guest.pin_page(0x5000);
        assert_eq!(done, crash(CrashKind::NullEntry, 0));
        self.crashes.set(self.crashes.get() + 1);
        0
    }
    fn get_zeroed_page(&self) -> u32 {
        self.inner.get_zeroed_page()
    }
    fn free_page(&self, pa: u32) -> Result<(), Crash> {
        self.inner.free_page(pa)
    }
    fn get_user_pages_fast(&self, addr: u32, write: u32) -> u32 {
        self.inner.get_user_pages_fast(addr, write)
    }
    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.inner.copy_from_user(to, from)
    }
    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.inner.copy_to_user(to, from)
    }
    fn kasprintf(&self, text: &[u8]) -> bool {
        self.inner.kasprintf(text)
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn within_another_guests_callback() {
    for mode in MODES {
        let (outer, inner) = (Host::new(), Host::new());
        let guest = inner.guest(mode);
        let nesting = Nesting {
            inner: &outer,
            guest: &guest,
            crashes: Cell::new(0),
        };
        let shared = &outer.shared;
        let over = Original::new(mode, &nesting, shared, &outer.arena).expect("as before");
        assert_eq!(over.init_guest_pagetable(), Ok(0));
        assert_eq!(nesting.crashes.get(), 1);
        // The outer one is behind its own door still: its top levels are gone
        // but remembered, and what a free frame holds is followed.
        assert_eq!(over.free_guest_pagetable(), Ok(()));
        assert_eq!(over.pin_page(0), crash(CrashKind::WildPage, 0xffffe));
    }
}
