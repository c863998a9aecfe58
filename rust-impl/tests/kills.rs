// SPDX-License-Identifier: GPL-2.0-or-later
//! Each text with which a guest is killed, by the guest that brings it about.
#![allow(clippy::arithmetic_side_effects)] // a sum that overflows fails the test

mod world;
use lguest_shadow::{Dead, Gpa, Gva};
use world::*;

both_modes!(
    of_faults,
    of_upper_levels,
    of_memory_accesses,
    of_updates,
    of_the_stack,
    of_the_first_call,
    of_the_dispatcher,
    of_the_ring,
    of_shutdown,
    only_the_first_counts,
    no_memory_for_the_reason,
);

/// Runs a guest in tables of its own into a death of this text.
fn dies<M: TestMode>(text: &str, act: impl FnOnce(&TestHost<M>, &mut Guest<'_, M>)) {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    act(&host, &mut guest);
    assert_eq!(host.messages(), [text]);
    assert_eq!(guest.dead, Dead::Message);
}

fn of_faults<M: TestMode>() {
    let faults_with = |text: &str, gpte: u64| {
        dies::<M>(text, |host, guest| {
            map(host, 0x2000, 0x5000, gpte, 3);
            assert_eq!(try_fault(guest, 0x5000, 0), (false, 0));
        });
    };
    let beyond = u64::from(PAGES + DEVICE_PAGES) << 12;
    faults_with("bad page table entry", beyond | 7);
    faults_with("bad page table entry", 0x9087);
    if M::PAE {
        faults_with("bad page table entry", 0x9007 | 1 << 43);
    }
    dies::<M>("failed to get page 9", |host, guest| {
        host.mappings.borrow_mut()[9] = Mapping::Absent;
        map(host, 0x2000, 0x5000, 0x9007, 3);
        fault(guest, 0x5000, 0);
    });
    dies::<M>("out of memory allocating pte page", |host, guest| {
        map(host, 0x2000, 0x5000, 0x9007, 3);
        host.fail_alloc.set(1);
        try_fault(guest, 0x5000, 0);
    });
    if M::PAE {
        dies::<M>("out of memory allocating pmd page", |host, guest| {
            map(host, 0x2000, 0x5000, 0x9007, 3);
            host.fail_alloc.set(2);
            try_fault(guest, 0x5000, 0);
        });
    }
}

fn of_upper_levels<M: TestMode>() {
    let text = "bad page directory entry";
    let mut bad = vec![u64::from(PAGES) << 12 | 1, 0x3081];
    if M::PAE {
        bad.extend([0x3003, 0x3021, 0x3001 | 1 << 63, 0x3001 | 1 << 32]);
    } else {
        bad.extend([0x3167, 0x3069]);
    }
    for gpgd in bad {
        dies::<M>(text, |host, guest| {
            write_entry(host, 0x2000, gpgd);
            assert_eq!(try_fault(guest, 0x5000, 0), (false, 0));
        });
    }
    if M::PAE {
        for gpmd in [u64::from(PAGES) << 12 | 1, 0x4081, 0x4067 | 1 << 63] {
            dies::<M>("bad page middle directory entry", |host, guest| {
                write_entry(host, 0x2000, 0x3001);
                write_entry(host, 0x3000, gpmd);
                assert_eq!(try_fault(guest, 0x5000, 0), (false, 0));
            });
        }
    }
}

fn of_memory_accesses<M: TestMode>() {
    let size = if M::PAE { 8 } else { 4 };
    dies::<M>(
        &format!("bad read address 0x40000 len {size}"),
        |_, guest| {
            hypercall(guest, &[4, PAGES * 4096]);
            assert_eq!(try_fault(guest, 0, 0), (false, 0));
        },
    );
    // No kernel call is made for an address out of range.
    dies::<M>(
        &format!("bad read address 0xfffffffe len {size}"),
        |host, guest| {
            hypercall(guest, &[4, 0xffff_fffe]);
            host.take_calls();
            assert_eq!(try_fault(guest, 0, 0), (false, 0));
            assert_eq!(host.calls.borrow().len(), 1);
        },
    );
    dies::<M>(
        &format!("bad read address 0x2000 len {size}"),
        |host, guest| {
            host.fail_copy.set(1);
            assert_eq!(try_fault(guest, 0, 0), (false, 0));
        },
    );
    let at = 0x5 * size;
    let table = if M::PAE { 0x4000 } else { 0x3000 };
    let text = format!("bad write address {:#x} len {size}", table + at);
    dies::<M>(&text, |host, guest| {
        map(host, 0x2000, 0x5000, 0x9007, 3);
        host.fail_copy.set(if M::PAE { 4 } else { 3 });
        assert_eq!(try_fault(guest, 0x5000, 0), (true, 0));
    });
    dies::<M>("Bad address 0x5678", |_, guest| {
        assert_eq!(guest.guest_pa(Gva(0x5678)), Ok(!0));
    });
    dies::<M>("bad write address 0xffffffff len 2", |_, guest| {
        guest.__lgwrite(Gpa(!0), &[1, 2]);
    });
    // The sum wraps to the very beginning and is caught for being smaller.
    dies::<M>("bad read address 0xffffffff len 1", |_, guest| {
        let mut byte = [7];
        guest.__lgread(&mut byte, Gpa(!0));
        assert_eq!(byte, [0]);
    });
}

fn of_updates<M: TestMode>() {
    dies::<M>("attempt to set pte into Switcher pages", |_, guest| {
        set_pte(guest, 0x2000, SWITCHER, 0x9067);
    });
    let limit = M::PTRS_PER_PGD;
    let text = format!("Attempt to set pgd {}/{limit}", limit + 1);
    dies::<M>(&text, |_, guest| {
        hypercall(guest, &[15, 0x2000, limit + 1]);
    });
    let text = format!("Attempt to set pgd 4294967295/{limit}");
    dies::<M>(&text, |_, guest| hypercall(guest, &[15, 0x2000, !0]));
    dies::<M>("bad page table entry", |host, guest| {
        map(host, 0x2000, 0x5000, 0x9007, 3);
        fault(guest, 0x5000, 0);
        set_pte(guest, 0x2000, 0x5000, 0x9000_0067);
    });
    // The text for a Switcher that cannot be mapped never comes through.
    let text = "out of memory allocating pte page";
    let switcher = M::pgd_index(Gva(SWITCHER));
    let fail = |act: &[u32]| {
        dies::<M>(text, |host, guest| {
            host.fail_alloc.set(1);
            hypercall(guest, act);
        });
    };
    fail(&[15, 0x2000, switcher]);
    fail(&[5, 1]);
    dies::<M>(text, |host, guest| {
        host.draw.set(2);
        host.fail_alloc.set(2);
        hypercall(guest, &[4, 0x6000]);
    });
}

fn of_the_stack<M: TestMode>() {
    dies::<M>("bad stack page 0x8000efff", |_, guest| {
        hypercall(guest, &[7, 1, 0x8000_f000, 1]);
    });
    dies::<M>("bad stack page 0xffffffff", |_, guest| {
        hypercall(guest, &[7, 1, 0, 1]);
    });
    for (seg, text) in [
        (0, "bad stack segment 0"),
        (0x6b, "bad stack segment 107"),
        (!0, "bad stack segment -1"),
    ] {
        dies::<M>(text, |_, guest| {
            hypercall(guest, &[7, seg, 0x8000, 0]);
            // Kept all the same.
            assert_eq!((guest.cpus[0].ss1, guest.cpus[0].esp1), (seg, 0x8000));
        });
    }
    dies::<M>("bad stack pages 3", |_, guest| {
        hypercall(guest, &[7, 1, 0x8000, 3]);
        assert_eq!(guest.stack_pages, 3);
    });
}

fn of_the_first_call<M: TestMode>() {
    let init = |text: &str, act: fn(&TestHost<M>), args: &[u32]| {
        let host = TestHost::<M>::new(1);
        let mut guest = linear_guest(&host);
        boot_data(&host, KERNEL);
        act(&host);
        hypercall(&mut guest, args);
        assert_eq!(host.messages(), [text]);
        destroy(&mut guest);
    };
    let nothing = |_: &TestHost<M>| {};
    init("hypercall 0 before INIT", nothing, &[0]);
    init("hypercall -1 before INIT", nothing, &[!0]);
    init("bad guest page   (null)", nothing, &[1, !0]);
    let here = "bad guest page 10001000";
    // The four that fail in turn: clock speed, no-interrupt address, kernel address, size.
    init(here, |host| host.fail_copy.set(1), &[1, GUEST_DATA]);
    init(here, |host| host.fail_copy.set(2), &[1, GUEST_DATA]);
    let time = "Writing timestamp";
    init(time, |host| host.fail_copy.set(3), &[1, GUEST_DATA]);
    init(here, |host| host.fail_copy.set(4), &[1, GUEST_DATA]);
    init(here, |host| host.fail_copy.set(5), &[1, GUEST_DATA]);
    let kernel = |host: &TestHost<M>| boot_data(host, SWITCHER);
    init("bad kernel address 0xffef6000", kernel, &[1, GUEST_DATA]);
}

fn of_the_dispatcher<M: TestMode>() {
    dies::<M>("already have lguest_data", |_, guest| {
        hypercall(guest, &[1, GUEST_DATA]);
    });
    for (number, text) in [(3, "3"), (11, "11"), (17, "17"), (20, "20"), (!0, "-1")] {
        dies::<M>(&format!("Bad hypercall {text}\n"), |_, guest| {
            hypercall(guest, &[number]);
        });
    }
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    for number in [0, 6, 8, 9, 10, 16, 18, 19] {
        hypercall(&mut guest, &[number, 1, 2, 3, 4]);
    }
    assert_eq!(guest.dead, Dead::Alive);
}

fn of_the_ring<M: TestMode>() {
    for (nth, text) in [
        (2, "Fetching async hypercalls"),
        (3, "Writing result for async hypercall"),
    ] {
        dies::<M>(text, |host, guest| {
            write(host, GUEST_DATA + 24, &[0]);
            host.fail_copy.set(nth);
            hypercall(guest, &[0]);
            assert_eq!(guest.cpus[0].next_hcall, 1);
        });
    }
}

fn of_shutdown<M: TestMode>() {
    dies::<M>("CRASH: out of coffee", |host, guest| {
        write(host, 0x5000, b"out of coffee\0and milk");
        hypercall(guest, &[2, 0x5000, 1]);
    });
    let long = "x".repeat(127);
    dies::<M>(&format!("CRASH: {long}"), |host, guest| {
        write(host, 0x5000, &[b'x'; 200]);
        hypercall(guest, &[2, 0x5000, 1]);
    });
    dies::<M>("bad read address 0x3ff81 len 128", |_, guest| {
        hypercall(guest, &[2, PAGES * 4096 - 127, 1]);
    });
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    hypercall(&mut guest, &[2, 0x5000, 2]);
    assert_eq!(host.messages(), ["CRASH: "]);
    assert_eq!(guest.dead, Dead::Errno(-85));
}

fn only_the_first_counts<M: TestMode>() {
    dies::<M>("Bad hypercall 99\n", |_, guest| {
        hypercall(guest, &[99]);
        hypercall(guest, &[98]);
        hypercall(guest, &[1]);
    });
}

fn no_memory_for_the_reason<M: TestMode>() {
    let host = TestHost::<M>::new(1);
    let mut guest = running_guest(&host);
    host.fail_message.set(true);
    hypercall(&mut guest, &[99]);
    hypercall(&mut guest, &[98]);
    assert_eq!(guest.dead, Dead::Errno(-12));
    assert_eq!(host.messages(), ["Bad hypercall 99\n"]);
}
