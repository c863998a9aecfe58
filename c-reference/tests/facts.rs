// SPDX-License-Identifier: GPL-2.0-or-later
//! The shim's constants, against those of a 32-bit x86 kernel of v4.4 and of
//! its lguest, and the layouts and the hash that both languages know.

mod common;

use std::collections::BTreeMap;
use std::mem::size_of;

use common::{Host, MODES};
use lguest_c_reference::{CallKind, DATA_BASE, PagingMode, Shared, facts, mixed};

/// Name, value without PAE, value with PAE (`None`: there is no such thing).
const EXPECTED: &[(&str, Option<u64>, Option<u64>)] = &[
    ("PGDIR_SHIFT", Some(22), Some(30)),
    ("PTRS_PER_PGD", Some(1024), Some(4)),
    ("PMD_SHIFT", None, Some(21)),
    ("PTRS_PER_PMD", None, Some(512)),
    ("PTRS_PER_PTE", Some(1024), Some(512)),
    ("sizeof(pgd_t)", Some(4), Some(8)),
    ("sizeof(pmd_t)", Some(4), Some(8)),
    ("sizeof(pte_t)", Some(4), Some(8)),
    ("sizeof(phys_addr_t)", Some(4), Some(8)),
    ("sizeof(unsigned long)", Some(4), Some(4)),
    ("PAGE_SIZE", Some(4096), Some(4096)),
    ("PAGE_MASK", Some(0xffff_f000), Some(0xffff_f000)),
    ("PTE_PFN_MASK", Some(0xffff_f000), Some(0x0fff_ffff_f000)),
    ("PTE_FLAGS_MASK", Some(0xfff), Some(0xffff_f000_0000_0fff)),
    ("_PAGE_PRESENT", Some(0x1), Some(0x1)),
    ("_PAGE_RW", Some(0x2), Some(0x2)),
    ("_PAGE_USER", Some(0x4), Some(0x4)),
    ("_PAGE_PWT", Some(0x8), Some(0x8)),
    ("_PAGE_PCD", Some(0x10), Some(0x10)),
    ("_PAGE_ACCESSED", Some(0x20), Some(0x20)),
    ("_PAGE_DIRTY", Some(0x40), Some(0x40)),
    ("_PAGE_PSE", Some(0x80), Some(0x80)),
    ("_PAGE_GLOBAL", Some(0x100), Some(0x100)),
    ("_PAGE_NX", Some(0), Some(1 << 63)),
    ("_PAGE_TABLE", Some(0x67), Some(0x67)),
    ("CHECK_GPGD_MASK", Some(0x67), Some(0x1)),
    ("__PAGE_KERNEL_RX", Some(0x161), Some(0x161)),
    (
        "__PAGE_KERNEL & ~_PAGE_GLOBAL",
        Some(0x63),
        Some(1 << 63 | 0x63),
    ),
    (
        "__PAGE_KERNEL_RO & ~_PAGE_GLOBAL",
        Some(0x61),
        Some(1 << 63 | 0x61),
    ),
    ("LG_PGDIRS", Some(4), Some(4)),
    ("sizeof(struct lguest_pages)", Some(8192), Some(8192)),
    ("sizeof(struct lguest_data)", Some(1388), Some(1388)),
    ("offsetof(struct lguest_data, time)", Some(12), Some(12)),
    (
        "offsetof(struct lguest_data, hcall_status)",
        Some(24),
        Some(24),
    ),
    ("offsetof(struct lguest_data, hcalls)", Some(88), Some(88)),
    (
        "offsetof(struct lguest_data, reserve_mem)",
        Some(1368),
        Some(1368),
    ),
    (
        "offsetof(struct lguest_data, tsc_khz)",
        Some(1372),
        Some(1372),
    ),
    (
        "offsetof(struct lguest_data, noirq_iret)",
        Some(1376),
        Some(1376),
    ),
    (
        "offsetof(struct lguest_data, kernel_address)",
        Some(1380),
        Some(1380),
    ),
    (
        "offsetof(struct lguest_data, syscall_vec)",
        Some(1384),
        Some(1384),
    ),
    ("sizeof(struct hcall_args)", Some(20), Some(20)),
    ("LHCALL_RING_SIZE", Some(64), Some(64)),
    ("LHCALL_FLUSH_ASYNC", Some(0), Some(0)),
    ("LHCALL_LGUEST_INIT", Some(1), Some(1)),
    ("LHCALL_SHUTDOWN", Some(2), Some(2)),
    ("LHCALL_NEW_PGTABLE", Some(4), Some(4)),
    ("LHCALL_FLUSH_TLB", Some(5), Some(5)),
    ("LHCALL_LOAD_IDT_ENTRY", Some(6), Some(6)),
    ("LHCALL_SET_STACK", Some(7), Some(7)),
    ("LHCALL_TS", Some(8), Some(8)),
    ("LHCALL_SET_CLOCKEVENT", Some(9), Some(9)),
    ("LHCALL_HALT", Some(10), Some(10)),
    ("LHCALL_SET_PMD", Some(13), Some(13)),
    ("LHCALL_SET_PTE", Some(14), Some(14)),
    ("LHCALL_SET_PGD", Some(15), Some(15)),
    ("LHCALL_LOAD_TLS", Some(16), Some(16)),
    ("LHCALL_LOAD_GDT_ENTRY", Some(18), Some(18)),
    ("LHCALL_SEND_INTERRUPTS", Some(19), Some(19)),
    ("LGUEST_SHUTDOWN_RESTART", Some(2), Some(2)),
    ("ENOMEM", Some(12), Some(12)),
    ("ERESTART", Some(85), Some(85)),
];

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn constants_are_the_kernels() {
    for mode in MODES {
        let mut facts: BTreeMap<_, _> = facts(mode)
            .into_iter()
            .map(|fact| (fact.name, fact.value))
            .collect();
        for &(name, nopae, pae) in EXPECTED {
            let expected = if mode == PagingMode::Pae { pae } else { nopae };
            assert_eq!(facts.remove(name), expected, "{mode:?}: {name}");
        }
        // What is left are layouts, and no constant went unchecked.
        let unchecked = |name: &&str| !name.contains("struct lg") && !name.contains("struct pgdir");
        let left: Vec<_> = facts.into_keys().filter(unchecked).collect();
        assert!(left.is_empty(), "{mode:?}: {left:?}");
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn layouts_do_not_depend_on_the_mode() {
    let layouts = |mode| {
        let shared = |name: &str| name.contains("struct lg_") || name.contains("struct pgdir");
        let mut facts = facts(mode);
        facts.retain(|fact| shared(fact.name));
        facts
    };
    let nopae = layouts(PagingMode::NoPae);
    assert_eq!(nopae, layouts(PagingMode::Pae));
    let shared = nopae
        .iter()
        .find(|fact| fact.name == "sizeof(struct lg_shared)");
    assert_eq!(
        shared.expect("in the table").value,
        size_of::<Shared>() as u64
    );
}

/// The C's own share of the hash, done over by the Rust's function.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn both_languages_mix_alike() {
    for mode in MODES {
        let host = Host::new();
        let guest = host.guest(mode);
        assert_eq!(guest.init_guest_pagetable(), Ok(0));
        let shared = &host.shared;
        shared.trace.set(1);
        shared.hash.set(0x0123_4567_89ab_cdef);
        shared.calls.set(0);
        // The second get_page is the second kernel call: it calls for events.
        shared.during.set(2);
        assert_eq!(guest.map_switcher_in_guest(), Ok(()));
        assert_eq!(
            guest.guest_set_pgd(
                0,
                0xffef_6000
                    >> if guest.mode() == PagingMode::Pae {
                        30
                    } else {
                        22
                    }
            ),
            Ok(())
        );
        assert_eq!(host.events.get(), 1);

        let kinds = [CallKind::SetPte, CallKind::SetPmd, CallKind::SetPgd].map(|k| k as u32);
        let (mut hash, mut calls, mut stores) = (0x0123_4567_89ab_cdef, 0, 0);
        for &(kind, a, b) in host.log.borrow().iter() {
            hash = mixed(hash, u64::from(kind) << 56 | a);
            if kinds.contains(&kind) {
                hash = mixed(hash, b);
                stores += 1;
            } else {
                calls += 1;
            }
        }
        assert_eq!(hash, shared.hash.get(), "{mode:?}");
        assert_eq!(calls, shared.calls.get());
        assert!(stores >= 4, "{stores}");
        let log = host.log.borrow();
        let regs = (CallKind::GetPage as u32, u64::from(DATA_BASE), 0);
        assert_eq!(log.iter().filter(|&&call| call == regs).count(), 1);
    }
}
