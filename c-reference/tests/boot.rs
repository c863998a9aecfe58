// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's life on the original, in both paging modes: start without page
//! tables, first hypercall, its own page tables, a run on each CPU, the end.

mod common;

use common::{CPUS, DATA, GUEST_FRAME, Host, KERNEL, MEM_BASE, MODES, PAGE, PAGES, SWITCHER, call};
use lguest_c_reference::{DATA_BASE, PagingMode, Pgdir};

/// The shadow's last-level entry for an address, found as a processor would.
fn shadow(host: &Host, mode: PagingMode, pgdir: u32, vaddr: u32) -> Option<u64> {
    let arena = &host.arena;
    match mode {
        PagingMode::NoPae => {
            let pgd = arena.words(pgdir >> 12)?[(vaddr >> 22) as usize].get();
            let table = (pgd & 1 != 0).then(|| arena.words(pgd >> 12))??;
            Some(table[(vaddr >> 12 & 1023) as usize].get().into())
        }
        PagingMode::Pae => {
            let next = |entry: u64| (entry & 1 != 0).then(|| arena.longs((entry >> 12) as u32))?;
            let middle = next(arena.longs(pgdir >> 12)?[(vaddr >> 30) as usize].get())?;
            let last = next(middle[(vaddr >> 21 & 511) as usize].get())?;
            Some(last[(vaddr >> 12 & 511) as usize].get())
        }
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn starts_linear_with_the_switcher_mapped() {
    for mode in MODES {
        let host = Host::new();
        let guest = host.guest(mode);
        host.draw.set(2);
        assert_eq!(guest.init_guest_pagetable(), Ok(0));
        assert!(guest.linear_pages());
        assert_eq!(guest.cpu_pgd(), 2);
        let pgdir = guest.pgdir(2);
        let expected = Pgdir {
            gpgdir: 0,
            switcher_mapped: true,
            last_host_cpu: -1,
            pgdir: 2 << 12,
        };
        assert_eq!(pgdir, expected);
        assert_eq!(guest.pgdir(0), Pgdir::default());
        let text = u64::from(DATA_BASE + 1) << 12 | 0x161;
        assert_eq!(shadow(&host, mode, pgdir.pgdir, SWITCHER), Some(text));

        // Without tables of its own, address and guest-physical are the same.
        assert_eq!(guest.demand_page(0x5123, 0), Ok((true, 0)));
        let page = u64::from(GUEST_FRAME + 5) << 12;
        assert_eq!(shadow(&host, mode, pgdir.pgdir, 0x5123), Some(page | 0x21));
        assert_eq!(guest.demand_page(0x5123, 2), Ok((true, 0)));
        assert_eq!(shadow(&host, mode, pgdir.pgdir, 0x5123), Some(page | 0x63));
        assert_eq!(
            guest.demand_page(PAGES * PAGE + 4, 2),
            Ok((false, PAGES * PAGE + 4))
        );
        assert_eq!(guest.demand_page(SWITCHER, 0), Ok((false, 0)));
        assert_eq!(guest.guest_pa(0xdead_0000), Ok(0xdead_0000));
        assert_eq!(host.held_sum(), 2);

        assert_eq!(guest.free_guest_pagetable(), Ok(()));
        assert_eq!((host.held_sum(), host.tables_held()), (0, 0));
        assert_eq!(guest.dead(), 0);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn lives_from_the_first_call_to_the_end() {
    for mode in MODES {
        let host = Host::new();
        host.shared.tsc_khz.set(0x1234_5678);
        let guest = host.booted(mode);
        assert_eq!(guest.lguest_data(), MEM_BASE + DATA);
        assert_eq!(guest.kernel_address(), KERNEL);
        assert_eq!(host.read_u32(DATA + 1368), SWITCHER.wrapping_neg());
        assert_eq!(host.read_u32(DATA + 1372), 0x1234_5678);
        assert_eq!(
            (host.read_u32(DATA + 12), host.read_u32(DATA + 16)),
            (0x1000, 0)
        );

        // Page tables of its own, with its stack in them.
        let (top, stack) = (0x8000, KERNEL + 0x2000);
        host.map(mode, top, stack, 0xa067);
        assert_eq!(
            guest.do_hypercalls(&[call::SET_STACK, 0x69, stack + PAGE, 1, 0]),
            Ok(())
        );
        assert_eq!(
            (guest.ss1(), guest.esp1(), guest.stack_pages()),
            (0x69, stack + PAGE, 1)
        );
        // The stack is not mapped while addresses are guest-physical.
        assert_eq!(host.reason(), "bad page table entry");

        let host = Host::new();
        let guest = host.booted(mode);
        host.map(mode, top, stack, 0xa067);
        host.draw.set(1);
        assert_eq!(
            guest.do_hypercalls(&[call::NEW_PGTABLE, top, 0, 0, 0]),
            Ok(())
        );
        assert!(!guest.linear_pages());
        assert_eq!((guest.cpu_pgd(), guest.pgdir(1).gpgdir), (1, top));
        assert_eq!(
            guest.do_hypercalls(&[call::SET_STACK, 0x69, stack + PAGE, 1, 0]),
            Ok(())
        );
        assert_eq!((guest.dead(), host.reason()), (0, String::new()));
        let pgdir = guest.pgdir(1).pgdir;
        let frame = u64::from(GUEST_FRAME + 10) << 12;
        assert_eq!(shadow(&host, mode, pgdir, stack), Some(frame | 0x67));
        assert_eq!(guest.try_guest_pa(stack + 5), Ok((true, 0xa005)));
        assert_eq!(guest.try_guest_pa(0x5000), Ok((false, u32::MAX)));

        // It tells of a change: another page, read-only but accessed.
        let pte = 0xb025;
        assert_eq!(
            guest.do_hypercalls(&[call::SET_PTE, top, stack, pte, 0]),
            Ok(())
        );
        let frame = u64::from(GUEST_FRAME + 11) << 12;
        assert_eq!(shadow(&host, mode, pgdir, stack), Some(frame | 0x25));

        // It runs on one CPU, then on the other.
        let (regs, state) = (u64::from(DATA_BASE), u64::from(DATA_BASE + 3));
        // Non-executable where there is such a thing.
        let nx = u64::from(mode == PagingMode::Pae) << 63;
        for cpu in 0..CPUS {
            host.shared.cpu.set(cpu);
            assert_eq!(guest.map_switcher_in_guest(), Ok(()));
            assert_eq!(guest.pgdir(1).last_host_cpu, cpu as i32);
            let base = SWITCHER + PAGE + cpu * 2 * PAGE;
            let at = |vaddr| shadow(&host, mode, pgdir, vaddr).expect("mapped");
            assert_eq!(at(base), nx | regs << 12 | 0x63);
            assert_eq!(
                at(base + PAGE),
                nx | (state + 2 * u64::from(cpu)) << 12 | 0x61
            );
        }
        assert_eq!(shadow(&host, mode, pgdir, SWITCHER + PAGE), Some(0));

        // Flushes; then the end, with nothing left behind.
        assert_eq!(guest.do_hypercalls(&[call::FLUSH_TLB, 0, 0, 0, 0]), Ok(()));
        assert_eq!(guest.do_hypercalls(&[call::FLUSH_TLB, 1, 0, 0, 0]), Ok(()));
        assert_eq!(guest.dead(), 0);
        assert_eq!(guest.free_guest_pagetable(), Ok(()));
        assert_eq!((host.held_sum(), host.tables_held()), (0, 0));
    }
}
