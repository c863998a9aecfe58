// SPDX-License-Identifier: GPL-2.0-or-later
//! Shows that the door works inside a libFuzzer program: every input runs
//! calls that it chooses and then crashes the original in three known ways,
//! and the fuzzer hears of none. With LGUEST_FAULT set the first input
//! is a fault of the program's own, which the fuzzer must report.

#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::{env, ptr};

use common::{DATA, Host, KERNEL, MODES, PAGE, SWITCHER, TABLES, call};
use lguest_c_reference::{Callbacks, Crash, CrashKind, Original, PagingMode};

thread_local! {
    /// Address space is reserved once.
    static HOST: &'static Host = Box::leak(Box::new(Host::new()));
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if env::var_os("LGUEST_FAULT").is_some() {
        // SAFETY: none; that is the point.
        unsafe { ptr::without_provenance::<u8>(64).read_volatile() };
    }
    for mode in MODES {
        HOST.with(|host| one(host, mode, data));
    }
});

fn one(host: &Host, mode: PagingMode, data: &[u8]) {
    *host.free.borrow_mut() = (1..=TABLES).map(|i| 2 * i).collect();
    host.shared.held().iter().for_each(|held| held.set(0));
    let guest = host.guest(mode);

    let crash = |kind, pfn| Err(Crash::new(kind, pfn));
    assert_eq!(guest.pin_page(0), crash(CrashKind::NullEntry, 0));
    assert_eq!(guest.map_switcher_in_guest(), crash(CrashKind::BugOn, 0));
    assert_eq!(guest.init_guest_pagetable(), Ok(0));
    if mode == PagingMode::NoPae {
        let pfn = guest.pgdir(0).pgdir >> 12;
        assert_eq!(
            guest.guest_set_pgd(0, 1024),
            crash(CrashKind::OutsidePage, pfn)
        );
    }

    host.write(DATA + 24, &[0xff; 64]);
    host.write_u32(DATA + 1380, KERNEL);
    if guest.do_hypercalls(&[call::INIT, DATA, 0, 0, 0]).is_err() {
        return;
    }
    for bytes in data.chunks(8) {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        // After a crash there is nothing to go on with.
        if step(host, &guest, padded).is_err() {
            return;
        }
    }
    // This may crash too: some references were given back twice.
    let _ = guest.free_guest_pagetable();
}

fn step<C: Callbacks>(host: &Host, guest: &Original<'_, C>, bytes: [u8; 8]) -> Result<(), Crash> {
    let [verb, a, b, c, d, e, f, _] = bytes.map(u32::from);
    let page = (a % 64) * PAGE;
    match verb % 6 {
        0 => guest
            .demand_page(a << 24 | b << 16 | c << 12, d & 7)
            .map(drop),
        1 => guest.map_switcher_in_guest(),
        2 => {
            host.write_u32(page | (b << 4 | c) & 0xffc, d << 12 | e);
            Ok(())
        }
        3 => guest.do_hypercalls(&[a % 20, b << 12, c << 24 | d << 12, e << 12 | f, 0]),
        4 => guest.do_hypercalls(&[call::SET_PGD, page, b << 2 | c & 3, 0, 0]),
        _ => guest.do_hypercalls(&[call::SET_PTE, page, SWITCHER - (b << 12), c << 12 | d, 0]),
    }
}
