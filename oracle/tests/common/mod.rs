// SPDX-License-Identifier: GPL-2.0-or-later
//! Strategies for scenarios: raw values around every limit, and valid ones that come of them.
// Each test binary uses a part of this.
#![allow(dead_code)]

use lguest_engine::scenario::HYPERCALLS;
use lguest_engine::scenario::recorded::LETTERS;
use lguest_engine::{
    During, Event, Expect, Machine, Mapping, PageRecord, PagingMode, Quals, Reuse, Step, Verb,
};
use lguest_oracle::scenario_buf::ScenarioBuf;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers that are small, near a limit of some field, or anything.
pub fn number() -> impl Strategy<Value = u32> {
    const LIMITS: &[u32] = &[
        0,
        1,
        3,
        4,
        8,
        31,
        32,
        33,
        63,
        64,
        65,
        255,
        256,
        2047,
        2048,
        2049,
        0xfff,
        0x1000,
        0x3fff,
        0x4000,
        0x4001,
        0x10_0000,
        0x1000_0000,
        0xbfff_f000,
        0xc000_0000,
        0xffee_e000,
        0xffef_6000,
        0xffff_f000,
        u32::MAX - 64,
        u32::MAX - 4,
        u32::MAX - 1,
        u32::MAX,
    ];
    prop_oneof![3 => Just(0), 3 => 0..16u32, 4 => select(LIMITS), 2 => any::<u32>()]
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        3 => Just(Expect::Agree),
        2 => "[A-Za-z0-9_]{1,15}".prop_map(|id| Expect::finding(&id).expect("a good id")),
        1 => any::<[u8; 15]>().prop_map(Expect::Finding),
    ]
}

prop_compose! {
    fn changed_machine()(
        mode in select(&[PagingMode::NoPae, PagingMode::Pae, PagingMode::Both]),
        (pages, device_pages, switcher, mem_base) in (number(), number(), number(), number()),
        cpus in prop_oneof![0..40u8, any::<u8>()],
        (nx, global) in any::<(bool, bool)>(),
        tsc_khz in number(),
        reuse in select(&[Reuse::Lowest, Reuse::Fifo, Reuse::Seeded]),
        tables in prop_oneof![0..4u16, 2040..2060u16, any::<u16>()],
        (seed, first_slot) in (any::<u64>(), proptest::option::weighted(0.3, 0..6u8)),
        fail_start in prop_oneof![0..4u8, any::<u8>()],
        guest in prop_oneof![9 => Just(0), 1 => any::<u8>()],
        expect in expect(),
        keep in any::<u16>(),
    ) -> Machine {
        // Many fields out of range at once would hide each other.
        let d = Machine::DEFAULT;
        let pick = |bit: u16| keep >> bit & 1 == 0;
        Machine {
            mode,
            pages: if pick(0) { pages } else { d.pages },
            device_pages: if pick(1) { device_pages } else { d.device_pages },
            cpus: if pick(2) { cpus } else { d.cpus },
            switcher: if pick(3) { switcher } else { d.switcher },
            mem_base: if pick(4) { mem_base } else { d.mem_base },
            nx,
            global,
            tsc_khz: if pick(5) { tsc_khz } else { d.tsc_khz },
            reuse,
            tables: if pick(6) { tables } else { d.tables },
            seed: if pick(7) { seed } else { d.seed },
            first_slot,
            fail_start,
            guest: if pick(8) { guest } else { d.guest },
            expect: if pick(9) { expect } else { d.expect },
        }
    }
}

/// A machine that need not be valid.
pub fn raw_machine() -> impl Strategy<Value = Machine> {
    prop_oneof![1 => Just(Machine::DEFAULT), 9 => changed_machine()]
}

/// A valid machine.
pub fn machine() -> impl Strategy<Value = Machine> {
    raw_machine().prop_map(Machine::reduce)
}

prop_compose! {
    /// A page record that need not be valid.
    pub fn raw_page()(
        (first, count) in (number(), number()),
        mapping in select(&[
            Mapping::Absent,
            Mapping::ReadOnly,
            Mapping::Writable,
            Mapping::CopyOnWrite,
        ]),
        shared in proptest::option::of(number()),
    ) -> PageRecord {
        PageRecord { first, count, mapping, shared }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let width = prop_oneof![4 => select(&[1u8, 4, 8]), 1 => any::<u8>()];
    let value = prop_oneof![number().prop_map(u64::from), any::<u64>()];
    prop_oneof![
        (number(), value, width).prop_map(|(gpa, value, width)| Event::Write { gpa, value, width }),
        number().prop_map(Event::Unmap),
        number().prop_map(Event::Protect),
        number().prop_map(Event::Unprotect),
        number().prop_map(Event::Share),
    ]
}

fn quals() -> impl Strategy<Value = Quals> {
    let n = || prop_oneof![3 => Just(0), 1 => 1..4u8, 1 => any::<u8>()];
    let draw = proptest::option::weighted(0.3, 0..6u8);
    let during = (0..9u8, event()).prop_map(|(call, event)| During { call, event });
    let any = (
        n(),
        n(),
        n(),
        any::<bool>(),
        draw,
        proptest::option::weighted(0.4, during),
    );
    let some = any.prop_map(
        |(fail_alloc, fail_pin, fail_copy, fail_message, draw, during)| Quals {
            fail_alloc,
            fail_pin,
            fail_copy,
            fail_message,
            draw,
            during,
        },
    );
    prop_oneof![Just(Quals::NONE), some]
}

/// A step that need not be valid.
pub fn raw_step() -> impl Strategy<Value = Step> {
    let named = (select(&[Verb::Hypercall, Verb::Async]), select(&HYPERCALLS))
        .prop_map(|(verb, (number, _))| (verb, Some(number)));
    let verb = prop_oneof![select(&Verb::ALL).prop_map(|verb| (verb, None)), named];
    (verb, proptest::array::uniform5(number()), quals()).prop_map(
        |((verb, nr), mut args, quals)| {
            args[0] = nr.unwrap_or(args[0]);
            if verb == Verb::Expect && args[4] % 4 != 0 {
                // A letter that is one, most of the time.
                args[0] = LETTERS[args[0] as usize % LETTERS.len()].0.into();
            }
            Step { verb, args, quals }
        },
    )
}

/// A valid scenario.
pub fn scenario() -> impl Strategy<Value = ScenarioBuf> {
    (machine(), vec(raw_page(), 0..5), vec(raw_step(), 0..24)).prop_map(
        |(machine, pages, steps)| {
            let mut scenario = ScenarioBuf {
                machine,
                pages: pages.into_iter().map(|p| p.reduce(&machine)).collect(),
                steps: steps.into_iter().map(|s| s.reduce(&machine)).collect(),
            };
            if let Some(i) = scenario.steps.iter().position(|s| s.verb == Verb::Destroy) {
                scenario.steps.truncate(i + 1);
            }
            scenario
        },
    )
}

/// Bytes after some random edits: a byte replaced, a piece removed, doubled or inserted.
pub fn mutated(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edit = (
        0..5u8,
        any::<prop::sample::Index>(),
        any::<u8>(),
        0..60usize,
        vec(any::<u8>(), 1..9),
    );
    vec(edit, 1..4).prop_map(move |edits| {
        let mut b = bytes.clone();
        for (kind, index, byte, len, extra) in edits {
            let at = index.index(b.len() + 1);
            let end = (at + len).min(b.len());
            match kind {
                0 if at < b.len() => b[at] = byte,
                1 if at < b.len() => b[at] ^= 1 << (byte % 8),
                2 => drop(b.drain(at..end)),
                3 => b.extend_from_within(at..end),
                _ => drop(b.splice(at..at, extra)),
            }
        }
        b
    })
}
