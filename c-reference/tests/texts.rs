// SPDX-License-Identifier: GPL-2.0-or-later
//! Kill reasons, to the byte, and what becomes of a guest that has one.

mod common;

use common::{DATA, Host, MEM_BASE, MODES, PAGE, PAGES, SWITCHER, call};
use lguest_c_reference::{CallKind, PagingMode};

const ENOMEM: i32 = -12;
const ERESTART: i32 = -85;

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn every_conversion() {
    for mode in MODES {
        for (args, expected) in [
            ([0, 0, 0, 0], "0x0 0 0 0 0 0   (null) text%"),
            (
                [0xdead_beef, u32::MAX, u32::MAX, 0x1234],
                "0xdeadbeef deadbeef 4294967295 4294967295 -1 -1 00001234 text%",
            ),
            (
                [0x10, 10, 0x8000_0000, 0xf000_0000],
                "0x10 10 10 10 -2147483648 -2147483648 f0000000 text%",
            ),
        ] {
            let host = Host::new();
            let guest = host.guest(mode);
            assert_eq!(guest.kill_with_every_format(args), Ok(()));
            assert_eq!(host.reason(), expected);
            assert_eq!(guest.dead(), 1);
        }
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_reasons_around_the_page_tables() {
    for mode in MODES {
        let before_init = |args: &[u32; 5], expected: &str| {
            let host = Host::new();
            let guest = host.guest(mode);
            assert_eq!(guest.init_guest_pagetable(), Ok(0));
            assert_eq!(guest.do_hypercalls(args), Ok(()));
            assert_eq!((guest.dead(), &*host.reason()), (1, expected));
            assert_eq!(guest.lguest_data(), 0);
        };
        before_init(&[call::SET_PTE, 0, 0, 0, 0], "hypercall 14 before INIT");
        before_init(&[u32::MAX, 0, 0, 0, 0], "hypercall -1 before INIT");
        before_init(
            &[call::INIT, PAGES * PAGE, 0, 0, 0],
            "bad guest page   (null)",
        );
        before_init(
            &[call::INIT, 0xffff_ff00, 0, 0, 0],
            "bad guest page   (null)",
        );

        let killed = |args: &[u32; 5], dead: i32, expected: &str| {
            let host = Host::new();
            let guest = host.booted(mode);
            host.write(0x5000, &[b'x'; 200]);
            host.write(0x6000, b"broken\0more");
            assert_eq!(guest.do_hypercalls(args), Ok(()));
            assert_eq!((guest.dead(), &*host.reason()), (dead, expected));
        };
        killed(&[call::INIT, DATA, 0, 0, 0], 1, "already have lguest_data");
        killed(&[99, 1, 2, 3, 4], 1, "Bad hypercall 99\n");
        killed(&[3, 0, 0, 0, 0], 1, "Bad hypercall 3\n");
        killed(&[u32::MAX, 0, 0, 0, 0], 1, "Bad hypercall -1\n");
        killed(&[call::SHUTDOWN, 0x6000, 1, 0, 0], 1, "CRASH: broken");
        killed(
            &[call::SHUTDOWN, 0x5000, 1, 0, 0],
            1,
            &format!("CRASH: {}", "x".repeat(127)),
        );
        killed(
            &[call::SHUTDOWN, 0x6000, 2, 0, 0],
            ERESTART,
            "CRASH: broken",
        );
        let end = PAGES * PAGE;
        let text = format!("bad read address {:#x} len 128", end - 127);
        killed(&[call::SHUTDOWN, end - 127, 1, 0, 0], 1, &text);
        killed(
            &[call::SET_STACK, 0, 0x2000, 1, 0],
            1,
            "bad stack segment 0",
        );
        killed(
            &[call::SET_STACK, 0x8000_0003, 0x2000, 1, 0],
            1,
            "bad stack segment -2147483645",
        );
        killed(&[call::SET_STACK, 1, 0x2000, 3, 0], 1, "bad stack pages 3");
        killed(
            &[call::SET_STACK, 1, SWITCHER + 1, 1, 0],
            1,
            "bad stack page 0xffef6000",
        );
        killed(
            &[call::SET_PTE, 0, SWITCHER, 0, 0],
            1,
            "attempt to set pte into Switcher pages",
        );
        let (idx, top) = match mode {
            PagingMode::NoPae => (1025, "1025/1024"),
            PagingMode::Pae => (5, "5/4"),
        };
        killed(
            &[call::SET_PGD, 0, idx, 0, 0],
            1,
            &format!("Attempt to set pgd {top}"),
        );
        match mode {
            PagingMode::NoPae => killed(&[call::SET_PMD, 0, 0, 0, 0], 1, "Bad hypercall 13\n"),
            PagingMode::Pae => killed(&[call::SET_PMD, 0, 0, 0, 0], 0, ""),
        }
        for harmless in [0, 6, 8, 9, 10, 16, 18, 19] {
            killed(&[harmless, 1, 2, 3, 4], 0, "");
        }
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn guest_memory_has_an_end() {
    let host = Host::new();
    let guest = host.guest(PagingMode::NoPae);
    let end = PAGES * PAGE;
    host.write_u32(end - 4, 0x5ead_beef);
    assert_eq!(guest.lgread(end - 4), Ok(0x5ead_beef));
    assert_eq!(guest.lgwrite(end - 4, 7), Ok(()));
    assert_eq!((host.read_u32(end - 4), guest.dead()), (7, 0));
    host.shared.calls.set(0);
    assert_eq!(guest.lgread(end - 3), Ok(0));
    assert_eq!(
        host.reason(),
        format!("bad read address {:#x} len 4", end - 3)
    );
    // Out of bounds, the launcher's memory is not even looked at.
    assert_eq!(host.shared.calls.get(), 1);
    // The first reason is the last.
    assert_eq!(guest.lgwrite(u32::MAX, 7), Ok(()));
    assert_eq!(
        host.reason(),
        format!("bad read address {:#x} len 4", end - 3)
    );
    assert_eq!(host.shared.calls.get(), 1);
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn without_memory_for_a_reason() {
    let host = Host::new();
    let guest = host.guest(PagingMode::Pae);
    host.no_message.set(true);
    assert_eq!(guest.lgwrite(u32::MAX, 7), Ok(()));
    assert_eq!(guest.dead(), ENOMEM);
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_first_call_goes_on_after_each_failure() {
    for mode in MODES {
        let host = Host::new();
        let guest = host.guest(mode);
        assert_eq!(guest.init_guest_pagetable(), Ok(0));
        host.shared.trace.set(1);
        host.shared.calls.set(0);
        // A guest as large as the address space, of which little is there.
        guest.reset(lguest_c_reference::Config {
            pfn_limit: 0xf_ffff,
            device_limit: 0xf_ffff,
            mem_base: MEM_BASE,
            regs_page: 0,
        });
        let data = PAGES * PAGE;
        let crash = guest.do_hypercalls(&[call::INIT, data, 0, 0, 0]);
        // There is no pgdir for the Switcher to be mapped in.
        assert!(crash.is_err());
        let at = MEM_BASE + data;
        assert_eq!(guest.lguest_data(), at);
        assert_eq!(host.reason(), format!("bad guest page {at:08x}"));
        let calls: Vec<_> = host
            .log
            .borrow()
            .iter()
            .map(|&(kind, a, _)| (kind, a))
            .collect();
        let copy = |kind: CallKind, len: u64, offset: u32| {
            (kind as u32, len << 32 | u64::from(at + offset))
        };
        let text = format!("bad guest page {at:08x}").len() as u64;
        let expected = [
            copy(CallKind::CopyToUser, 4, 1372),
            (CallKind::Kasprintf as u32, 1 << 32 | text),
            copy(CallKind::CopyFromUser, 4, 1376),
            copy(CallKind::CopyToUser, 8, 12),
            copy(CallKind::CopyFromUser, 4, 1380),
        ];
        assert_eq!(calls, expected);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_ring_runs_before_the_call_and_wraps() {
    for mode in MODES {
        let host = Host::new();
        let guest = host.booted(mode);
        let slot = |n: u32, args: [u32; 5]| {
            host.write(DATA + 24 + n, &[0]);
            for (i, arg) in (0..).zip(args) {
                host.write_u32(DATA + 88 + 20 * n + 4 * i, arg);
            }
        };
        for n in 0..63 {
            slot(n, [10, 0, 0, 0, 0]);
        }
        assert_eq!(guest.do_async_hcalls(), Ok(()));
        assert_eq!(guest.next_hcall(), 63);
        slot(63, [99, 0, 0, 0, 0]);
        slot(0, [98, 0, 0, 0, 0]);
        assert_eq!(guest.do_hypercalls(&[97, 0, 0, 0, 0]), Ok(()));
        // Dead from the first on, it ran both.
        assert_eq!(host.reason(), "Bad hypercall 99\n");
        assert_eq!(guest.next_hcall(), 1);
        let status = &host.memory.borrow()[(DATA + 24) as usize..][..64];
        assert!(status.iter().all(|&s| s == 0xff));
    }
}
