// SPDX-License-Identifier: GPL-2.0-or-later
//! The machine of a scenario, and how its launcher maps the guest's pages.

use lguest_engine::{Machine, Mapping, PageRecord, PagingMode, Reuse};

use super::profile::Profile;
use super::rng::Rng;

const PAGE: u32 = 4096;
/// Where the Switcher must end, at the latest.
const TOP: u32 = 0xffff_f000;

/// Draws a machine; the page records go to `records`.
pub(super) fn draw(
    rng: &mut Rng,
    profile: Profile,
    mode: PagingMode,
    records: &mut Vec<PageRecord>,
) -> Machine {
    let hostile = profile == Profile::Chaos;
    let pages = pages(rng, hostile);
    let cpus = match rng.below(40) {
        0..20 => 1,
        20..38 => rng.range(2, 4),
        38 => rng.range(5, 31),
        _ => 32,
    };
    let reuse = rng.pick(&[Reuse::Lowest, Reuse::Lowest, Reuse::Fifo, Reuse::Seeded]);
    let tables = match reuse {
        // So few that sometimes there is no guest at all.
        _ if hostile && rng.one_in(24) => rng.range(1, 24),
        Reuse::Lowest if rng.percent(90) => 2048,
        _ => rng.pick(&[96, 128, 128]),
    };
    let mut machine = Machine {
        mode,
        pages,
        device_pages: if rng.percent(60) { 4 } else { rng.below(17) },
        cpus: cpus as u8,
        nx: rng.percent(75),
        global: rng.percent(75),
        tsc_khz: if rng.percent(60) {
            1_000_000
        } else {
            rng.word()
        },
        reuse,
        tables: tables as u16,
        seed: rng.bits(),
        ..Machine::DEFAULT
    };
    machine.switcher = switcher(rng, &machine, hostile);
    let most = 0xc000_0000 - machine.backed() * PAGE;
    machine.mem_base = match rng.below(10) {
        0..6 => Machine::DEFAULT.mem_base,
        6 => PAGE,
        7 => most,
        _ => rng.range(1, most / PAGE) * PAGE,
    };
    records.clear();
    if profile == Profile::Boot || rng.percent(60) {
        tail_records(rng, &machine, records);
    } else if hostile {
        wild_records(rng, &machine, records);
    }
    machine.reduce()
}

fn pages(rng: &mut Rng, hostile: bool) -> u32 {
    match rng.below(128) {
        0..12 => rng.range(32, 63),
        12..100 => rng.range(64, 256),
        100..118 => rng.range(257, 512),
        // Limits whose product with the page size is near 2^32, or wraps.
        118 if hostile => rng.pick(&[
            0xf_ffff,
            0x10_0000,
            0x10_0001,
            0x10_0040,
            0x20_0000,
            u32::MAX - 16,
        ]),
        119 if hostile => rng.range(8, 31),
        _ => rng.range(513, 1024),
    }
}

/// Where the Switcher lies: often across two slots of some level, or just at the start of one.
fn switcher(rng: &mut Rng, machine: &Machine, hostile: bool) -> u32 {
    let total = machine.switcher_pages();
    let highest = TOP - total * PAGE;
    let across = rng.range(1, total - 1) * PAGE;
    let at = match rng.below(20) {
        0..8 => Machine::DEFAULT.switcher,
        8 => highest,
        9 => 0xffc0_0000,
        10 => 0xffe0_0000,
        11 | 12 => 0xffc0_0000 - across,
        13 | 14 => 0xffe0_0000 - across,
        15 => 0xff80_0000 - across,
        16 if hostile => 0xc000_0000 - across,
        17 if hostile => rng.pick(&[0x4000_0000, 0x8000_0000, 0xc000_0000]),
        18 if hostile => rng.range(0x400, TOP / PAGE) * PAGE,
        _ => rng.range(0xf_e000, TOP / PAGE) * PAGE,
    };
    at.min(highest)
}

/// Read-only, copy-on-write, shared and missing pages in the last third of memory.
fn tail_records(rng: &mut Rng, machine: &Machine, records: &mut Vec<PageRecord>) {
    let backed = machine.backed();
    let from = backed - backed / 3;
    for _ in 0..rng.below(5) {
        let first = rng.range(from, backed - 1);
        let count = rng.range(1, 12).min(backed - first);
        let (mapping, shared) = match rng.below(6) {
            0 => (Mapping::Absent, None),
            1 | 2 => (Mapping::ReadOnly, None),
            3 => (Mapping::ReadOnly, Some(first)),
            4 => (Mapping::CopyOnWrite, Some(first)),
            _ => (Mapping::CopyOnWrite, None),
        };
        records.push(PageRecord {
            first,
            count,
            mapping,
            shared,
        });
    }
}

/// Any mapping of any page.
fn wild_records(rng: &mut Rng, machine: &Machine, records: &mut Vec<PageRecord>) {
    let backed = machine.backed();
    for _ in 0..rng.below(6) {
        let first = rng.below(backed);
        let count = rng.range(1, 6).min(backed - first);
        let mapping = rng.pick(&[
            Mapping::Absent,
            Mapping::ReadOnly,
            Mapping::Writable,
            Mapping::CopyOnWrite,
        ]);
        let shared = rng.one_in(3).then(|| rng.below(backed));
        records.push(PageRecord {
            first,
            count,
            mapping,
            shared,
        });
    }
}
