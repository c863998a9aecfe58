// SPDX-License-Identifier: GPL-2.0-or-later
//! Numbers that mean something in this scenario: boundaries of its machine, tables and addresses in use.

use lguest_engine::{Step, Verb};
use lguest_oracle::scenario_buf::ScenarioBuf;

use super::dice::Dice;

/// A number at, or next to, a boundary of the scenario's machine.
pub fn boundary(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    let m = &scenario.machine;
    let edges = [
        0,
        0x1000,
        m.pages,
        m.pages << 12,
        m.device_limit(),
        m.device_limit() << 12,
        m.backed() << 12,
        m.switcher,
        m.switcher.wrapping_add(m.switcher_pages() << 12),
        m.switcher & 0xffc0_0000,
        m.switcher & 0xffe0_0000,
        m.mem_base,
        m.mem_base.wrapping_add(m.backed() << 12),
        0xc000_0000,
        0x8000_0000,
        1 << dice.below(32),
    ];
    let near = dice.pick(&[
        0,
        0,
        0,
        1,
        4,
        8,
        0x1000,
        u32::MAX,
        u32::MAX - 3,
        u32::MAX - 0xfff,
    ]);
    dice.pick(&edges).wrapping_add(near)
}

/// A page of the guest that has memory.
pub fn page(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    let backed = scenario.machine.backed();
    match dice.below(4) {
        0 => dice.below(backed),
        1 => backed.wrapping_sub(1 + dice.few() as u32) % backed.max(1),
        2 => dice.below(backed.min(16)),
        _ => (table(scenario, dice) >> 12) % backed.max(1),
    }
}

/// The guest-physical address of a page table that a step of the scenario names.
pub fn table(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    let named = find(scenario, dice, |step| match (step.verb, step.args) {
        (Verb::Hypercall | Verb::Async, [4 | 13 | 14 | 15, table, ..]) => Some(table),
        (Verb::Map, [table, _, _, _, tables]) => {
            Some(if tables != 0 { tables << 12 } else { table })
        }
        _ => None,
    });
    match named {
        Some(table) if !dice.one_in(8) => table,
        _ => dice.below(scenario.machine.backed().min(32)) << 12,
    }
}

/// The top level of a step of the scenario.
pub fn top(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    let named = find(scenario, dice, |step| match (step.verb, step.args) {
        (Verb::Hypercall | Verb::Async, [4 | 13 | 14 | 15, table, ..]) => Some(table),
        (Verb::Map, [table, ..]) => Some(table),
        _ => None,
    });
    match named {
        Some(table) if !dice.one_in(8) => table,
        _ => dice.below(scenario.machine.backed().min(16)) << 12,
    }
}

/// A guest-virtual address: one in use, the kernel's, a user's, the Switcher's.
pub fn vaddr(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    let used = find(scenario, dice, |step| match (step.verb, step.args) {
        (Verb::DemandPage | Verb::Access | Verb::GuestPa | Verb::TryGuestPa, [v, ..]) => Some(v),
        (Verb::Map, [_, v, ..]) => Some(v),
        (Verb::Hypercall | Verb::Async, [14, _, v, ..]) => Some(v),
        (Verb::Hypercall | Verb::Async, [7, _, esp, ..]) => Some(esp.wrapping_sub(1)),
        _ => None,
    });
    let page = dice.below(16) << 12;
    match (dice.below(8), used) {
        (0..4, Some(v)) => v,
        (0..6, _) => dice.pick(&[0, 0xc000_0000, 0x0040_0000, 0x0804_8000]) | page,
        (6, _) => boundary(scenario, dice),
        _ => dice.bits() as u32,
    }
}

/// An entry for a page: a frame of the guest, or a bad one, and flags.
pub fn entry(scenario: &ScenarioBuf, dice: &mut Dice) -> (u32, u32) {
    let frame = match dice.below(8) {
        0 => boundary(scenario, dice) & !0xfff,
        1 => boundary(scenario, dice) << 12,
        2 => table(scenario, dice) & !0xfff,
        _ => page(scenario, dice) << 12,
    };
    let flags = dice.pick(&[
        0x67, 0x67, 0x63, 0x27, 0x25, 0x65, 0x7, 0x5, 0x3, 0x1, 0, 0x66, 0xe7, 0x167, 0x1e3, 0x867,
        0x7f,
    ]);
    let high = match dice.below(12) {
        0 => 0x8000_0000,
        1 => 1 << dice.below(20),
        _ => 0,
    };
    (frame | flags, high)
}

fn find(scenario: &ScenarioBuf, dice: &mut Dice, of: impl Fn(&Step) -> Option<u32>) -> Option<u32> {
    let len = scenario.steps.len();
    if len == 0 {
        return None;
    }
    let from = dice.below(len as u32) as usize;
    let around = (0..from).rev().chain((from..len).rev());
    around.map(|at| &scenario.steps[at]).find_map(of)
}
