// SPDX-License-Identifier: GPL-2.0-or-later
//! Sections (vi) and (vii): a guest's beginning, its runs on CPUs, its end.
#![allow(clippy::arithmetic_side_effects)] // a sum that overflows fails the test

mod world;
use lguest_shadow::{Dead, lguest_data};
use world::*;

both_modes!(
    the_first_tables,
    no_memory_at_first,
    the_first_call,
    the_first_call_goes_on_after_failures,
    the_switcher_follows_the_cpu,
    a_switcher_across_tables,
    masked_protections,
    leaving_linear_mode,
    the_ring,
    a_whole_life,
);

fn the_first_tables<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    host.draw.set(6);
    let mut guest = linear_guest(&host);
    assert_eq!(guest.cpus[0].cpu_pgd, 2);
    assert!(guest.cpus[0].linear_pages);
    let pgdir = guest.pgdirs[2];
    assert!(pgdir.switcher_mapped && pgdir.last_host_cpu == -1 && pgdir.gpgdir == 0);
    let calls = host.take_calls();
    assert_eq!(calls[0], Call::Random(6));
    assert_eq!(calls[1], Call::GetZeroedPage(0x2000));
    assert_eq!(calls[2], Call::GetZeroedPage(0x4000));
    let flags = if M::PAE { 1 } else { 0x67 };
    let top = 0x2000 + M::pgd_index(lguest_shadow::Gva(SWITCHER)) * if M::PAE { 8 } else { 4 };
    assert_eq!(calls[3], Call::SetPgd(top, 0x4000 | flags));
    let text = u64::from(DATA + 1) << 12 | 0x161;
    assert_eq!(shadow(&guest, 2, SWITCHER), text);
    assert_eq!(calls.len(), if M::PAE { 8 } else { 6 });
    destroy(&mut guest);
}

fn no_memory_at_first<M: TestMode>() {
    for nth in 1..=(if M::PAE { 3 } else { 2 }) {
        let host = TestHost::<M>::new(1);
        let mut guest = new_guest(&host);
        host.fail_alloc.set(nth);
        assert_eq!(guest.init_guest_pagetable(), Ok(lguest_shadow::ENOMEM));
        assert_eq!(guest.cpus[0].linear_pages, nth > 1);
        // The top level stays behind.
        assert_eq!(host.allocated(), usize::from(nth > 1));
        assert_eq!(host.messages().len(), usize::from(nth > 1));
        destroy(&mut guest);
    }
}

fn the_first_call<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = initialised_guest(&host);
    assert_eq!(guest.dead, Dead::Alive);
    assert_eq!(guest.lguest_data, MEM_BASE + GUEST_DATA);
    assert_eq!(guest.kernel_address, KERNEL);
    let at = |offset| MEM_BASE + GUEST_DATA + offset;
    let calls = host.take_calls();
    let first = calls
        .iter()
        .position(|call| matches!(call, Call::ToUser(..)))
        .unwrap();
    let tsc = 1_000_000_u32.to_le_bytes().to_vec();
    let time = vec![0, 0x10, 0, 0, 0, 0, 0, 0];
    let reserve = SWITCHER.wrapping_neg().to_le_bytes().to_vec();
    assert_eq!(
        calls[first..first + 5],
        [
            Call::ToUser(at(lguest_data::TSC_KHZ), tsc, true),
            Call::FromUser(at(lguest_data::NOIRQ_IRET), 4, true),
            Call::ToUser(at(lguest_data::TIME), time, true),
            Call::FromUser(at(lguest_data::KERNEL_ADDRESS), 4, true),
            Call::ToUser(at(lguest_data::RESERVE_MEM), reserve, true),
        ]
    );
    // Then everything was thrown away and the Switcher mapped again.
    assert!(matches!(calls[first + 5], Call::PutPage(_)));
    check_references(&guest);
    destroy(&mut guest);
}

fn the_first_call_goes_on_after_failures<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = linear_guest(&host);
    host.take_calls();
    hypercall(&mut guest, &[1, PAGES * 4096 - 1387]);
    assert_eq!(host.messages(), ["bad guest page   (null)"]);
    assert_eq!(guest.lguest_data, 0);
    let copies: Vec<Call> = host
        .take_calls()
        .into_iter()
        .filter(|call| matches!(call, Call::ToUser(..) | Call::FromUser(..)))
        .collect();
    assert_eq!(copies.len(), 3, "{copies:?}");
    assert_eq!(copies[0], Call::FromUser(1376, 4, false));
    assert_eq!(copies[2], Call::FromUser(1380, 4, false));
    destroy(&mut guest);
}

fn the_switcher_follows_the_cpu<M: TestMode>() {
    let host = TestHost::<M>::new(3);
    let mut guest = running_guest(&host);
    let nx = if M::PAE { 1 << 63 } else { 0 };
    for cpu in [0, 2, 2, 1, 0] {
        host.cpu.set(cpu);
        guest.map_switcher_in_guest().unwrap();
        assert_eq!(guest.pgdirs[1].last_host_cpu, cpu as i32);
        for other in 0..3 {
            let base = SWITCHER + 0x1000 + other * 0x2000;
            let (first, second) = (shadow(&guest, 1, base), shadow(&guest, 1, base + 0x1000));
            if other == cpu {
                assert_eq!(first, u64::from(DATA) << 12 | 0x63 | nx);
                assert_eq!(second, u64::from(DATA + 3 + 2 * cpu) << 12 | 0x61 | nx);
            } else {
                assert_eq!((first, second), (0, 0));
            }
        }
        check_references(&guest);
    }
    // On the same CPU nothing at all is asked of the host.
    host.take_calls();
    guest.map_switcher_in_guest().unwrap();
    assert_eq!(host.take_calls(), []);
    destroy(&mut guest);
}

/// The Switcher begins in one table and ends in the next.
fn a_switcher_across_tables<M: TestMode>() {
    for before in 1..8 {
        let host = TestHost::<M>::new(4);
        host.switcher.set(0xffc0_0000 - before * 0x1000);
        let mut guest = linear_guest(&host);
        assert_eq!(host.allocated(), if M::PAE { 4 } else { 3 });
        for cpu in 0..4 {
            host.cpu.set(cpu);
            guest.map_switcher_in_guest().unwrap();
            check_references(&guest);
        }
        destroy(&mut guest);

        // The second table is missing.
        let host = TestHost::<M>::new(4);
        host.switcher.set(0xffc0_0000 - before * 0x1000);
        let mut guest = new_guest(&host);
        host.fail_alloc.set(if M::PAE { 4 } else { 3 });
        assert_eq!(guest.init_guest_pagetable(), Ok(lguest_shadow::ENOMEM));
        destroy(&mut guest);
    }
}

fn masked_protections<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    host.mask.set(!(1 << 63 | 0x100));
    let mut guest = running_guest(&host);
    guest.map_switcher_in_guest().unwrap();
    assert_eq!(shadow(&guest, 1, SWITCHER) & !0xffff_ffff_f000, 0x61);
    assert_eq!(
        shadow(&guest, 1, SWITCHER + 0x1000),
        u64::from(DATA) << 12 | 0x63
    );
    destroy(&mut guest);
}

/// If the first tables of its own go into the slot of linear mode, the stack is not pinned.
fn leaving_linear_mode<M: TestMode>() {
    for (draw, pinned) in [(0, false), (1, true)] {
        let host = TestHost::<M>::new(1);
        let mut guest = initialised_guest(&host);
        hypercall(&mut guest, &[7, 1, 0x7000, 1]);
        map(&host, 0x2000, 0x6000, 0x9003, 3);
        host.draw.set(draw);
        hypercall(&mut guest, &[4, 0x2000]);
        assert!(!guest.cpus[0].linear_pages);
        assert_eq!(shadow(&guest, draw as usize, 0x6000) != 0, pinned);
        assert_eq!(guest.dead, Dead::Alive);
        check_references(&guest);
        destroy(&mut guest);
    }
}

fn the_ring<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    let queue = |n: u32, args: [u32; 5]| {
        let at = GUEST_DATA + lguest_data::HCALLS + n * 20;
        for (i, word) in (0..).zip(args) {
            write(&host, at + i * 4, &word.to_le_bytes());
        }
        write(&host, GUEST_DATA + lguest_data::HCALL_STATUS + n, &[0]);
    };
    guest.cpus[0].next_hcall = 62;
    queue(62, [7, 1, 0x7000, 0, 0]);
    queue(63, [15, 0x9999_9000, 3, 0, 0]);
    queue(0, [7, 1, 0x8000, 0, 0]);
    queue(2, [7, 1, 0x9000, 0, 0]);
    host.take_calls();
    hypercall(&mut guest, &[0]);
    assert_eq!(guest.cpus[0].next_hcall, 1);
    assert_eq!(guest.cpus[0].esp1, 0x8000);
    let calls = host.take_calls();
    let status = MEM_BASE + GUEST_DATA + lguest_data::HCALL_STATUS;
    assert_eq!(calls.len(), 7);
    assert_eq!(calls[0], Call::FromUser(status, 64, true));
    assert_eq!(calls[6], Call::ToUser(status, vec![0xff], true));

    // A full ring goes round once, and goes on over the guest's dead body.
    for n in 0..64 {
        queue(n, [99, 0, 0, 0, 0]);
    }
    hypercall(&mut guest, &[7, 1, 0xa000, 0]);
    assert_eq!(guest.cpus[0].next_hcall, 1);
    assert_eq!(guest.cpus[0].esp1, 0xa000);
    assert_eq!(host.messages(), ["Bad hypercall 99\n"]);
    assert_eq!(host.take_calls().len(), 1 + 64 * 2 + 1);

    // A status that cannot be read is no reason to die; the direct call is done.
    host.fail_copy.set(1);
    hypercall(&mut guest, &[7, 1, 0xb000, 0]);
    assert_eq!(guest.cpus[0].esp1, 0xb000);
    destroy(&mut guest);
}

fn a_whole_life<M: TestMode>() {
    let host = TestHost::<M>::new(2);
    let mut guest = linear_guest(&host);
    for page in 0..PAGES {
        fault(&mut guest, page << 12, page % 2 * 2);
    }
    boot_data(&host, KERNEL);
    hypercall(&mut guest, &[1, GUEST_DATA]);
    for page in 0..8 {
        fault(&mut guest, page << 12, 2);
    }
    for (draw, gpgdir) in [(3, 0x20), (1, 0x21), (0, 0x22), (2, 0x23), (3, 0x24)] {
        let gpgdir = gpgdir << 12;
        map(&host, gpgdir, KERNEL + 0x6000, 0xf003, 0x28);
        host.draw.set(draw);
        hypercall(&mut guest, &[4, gpgdir]);
        hypercall(&mut guest, &[7, 0x69, KERNEL + 0x7000, 1]);
        for page in 0..200_u32 {
            let vaddr = page * 0x0040_1000 % 0x0400_0000;
            map(&host, gpgdir, vaddr, u64::from(page % 16) << 12 | 7, 0x30);
            fault(&mut guest, vaddr, if page % 3 == 0 { 6 } else { 4 });
            host.cpu.set(page % 2);
            guest.map_switcher_in_guest().unwrap();
        }
        check_references(&guest);
    }
    assert_eq!(guest.dead, Dead::Alive);
    hypercall(&mut guest, &[2, 0, 1]);
    assert_eq!(guest.dead, Dead::Message);
    destroy(&mut guest);
}
