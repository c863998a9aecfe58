// SPDX-License-Identifier: GPL-2.0-or-later
//! Mutation of scenarios as scenarios: whole steps move, numbers jump to this machine's boundaries, qualifiers come
//! and go. What it makes is canonical and depends on the input, the seed and the fuzzer's own changes of numbers alone.

mod dice;
mod number;
mod step;

use lguest_engine::{Machine, Mapping, PageRecord, Reuse, Scenario, Step, Verb};
use lguest_oracle::fuzzed::{self, MAX_STEPS};
use lguest_oracle::scenario_buf::ScenarioBuf;

use dice::Dice;

/// Bytes without any step, with every page record that mutation makes.
const HEAD: usize = 80 + 16 * PAGES;
/// Page records that mutation makes, at most.
const PAGES: usize = 8;
/// Bytes of a step.
const STEP: usize = 48;

/// A change of a number that the fuzzer makes, in place: it knows what numbers the code compared.
pub type Number<'a> = dyn FnMut(&mut [u8]) + 'a;

/// Mutates the scenario that the first `size` bytes of `data` mean, in place; the new size, or nothing if the bytes had
/// better be mutated as bytes.
pub fn mutate(data: &mut [u8], size: usize, seed: u32, number: &mut Number<'_>) -> Option<usize> {
    let mut dice = Dice::new(seed.into());
    if data.len() < HEAD || dice.one_in(64) {
        return None;
    }
    let mut scenario = read(&data[..size.min(data.len())]);
    let room = MAX_STEPS.min((data.len() - HEAD) / STEP);
    for _ in 0..1 + dice.few() {
        once(&mut scenario, &mut dice, number);
    }
    Some(store(&mut scenario, room, data))
}

/// Splices two scenarios into `out`: a beginning of the first, and a part of the second. Nothing if there is no room.
pub fn cross(first: &[u8], second: &[u8], out: &mut [u8], seed: u32) -> Option<usize> {
    if out.len() < HEAD {
        return None;
    }
    let mut dice = Dice::new(seed.into());
    let (mut scenario, other) = (read(first), read(second));
    let room = MAX_STEPS.min((out.len() - HEAD) / STEP);
    splice(&mut scenario, &other, &mut dice);
    Some(store(&mut scenario, room, out))
}

fn read(bytes: &[u8]) -> ScenarioBuf {
    let mut scenario = ScenarioBuf::from(Scenario::total(bytes).truncated(MAX_STEPS));
    let mode = scenario.machine.mode;
    fuzzed::fit(&mut scenario, mode);
    scenario
}

/// Brings the scenario into its ranges and writes it.
fn store(scenario: &mut ScenarioBuf, room: usize, out: &mut [u8]) -> usize {
    scenario.machine = scenario.machine.reduce();
    let machine = scenario.machine;
    scenario.pages.truncate(PAGES);
    for page in &mut scenario.pages {
        *page = page.reduce(&machine);
    }
    for step in &mut scenario.steps {
        *step = step.reduce(&machine);
    }
    // Destruction is the end.
    let end = scenario.steps.iter().position(|s| s.verb == Verb::Destroy);
    scenario
        .steps
        .truncate(end.map_or(room, |at| room.min(at + 1)));
    let bytes = scenario.to_bytes();
    let len = bytes.len().min(out.len());
    out[..len].copy_from_slice(&bytes[..len]);
    len
}

/// One change.
fn once(scenario: &mut ScenarioBuf, dice: &mut Dice, number: &mut Number<'_>) {
    if scenario.steps.is_empty() {
        step::begin(scenario, dice);
        return;
    }
    let len = scenario.steps.len();
    let at = dice.below(len as u32) as usize;
    match dice.below(32) {
        0..8 => {
            let steps = step::fresh(scenario, at, dice);
            let at = at + usize::from(dice.one_in(2)).max(usize::from(len == at + 1));
            scenario.steps.splice(at..at, steps);
        }
        8..11 => {
            let end = (at + 1 + dice.few()).min(len);
            scenario.steps.drain(at..end);
        }
        11..13 => {
            let end = (at + 1 + dice.few()).min(len);
            let copy: Vec<Step> = scenario.steps[at..end].to_vec();
            let to = dice.below(len as u32 + 1) as usize;
            scenario.steps.splice(to..to, copy);
        }
        13..15 => scenario.steps.swap(at, dice.below(len as u32) as usize),
        15..20 => step::argument(scenario, at, dice),
        20 => step::by_fuzzer(&mut scenario.steps[at], dice, number),
        21..23 => step::flip(scenario, at, dice),
        23..25 => step::retarget(scenario, at, dice),
        25..29 => step::qualifier(scenario, at, dice),
        29 => pages(scenario, dice),
        30 => machine(&mut scenario.machine, dice),
        _ => {
            let other = scenario.clone();
            splice(scenario, &other, dice);
        }
    }
}

/// Puts a part of `other` behind, or into, a scenario.
fn splice(scenario: &mut ScenarioBuf, other: &ScenarioBuf, dice: &mut Dice) {
    let cut = |len: usize, dice: &mut Dice| dice.below(len as u32 + 1) as usize;
    let (a, b) = (cut(other.steps.len(), dice), cut(other.steps.len(), dice));
    let part = &other.steps[a.min(b)..a.max(b)];
    let to = cut(scenario.steps.len(), dice);
    let end = if dice.one_in(2) {
        scenario.steps.len()
    } else {
        to
    };
    scenario.steps.splice(to..end, part.iter().copied());
}

/// Adds, changes or drops a page record.
fn pages(scenario: &mut ScenarioBuf, dice: &mut Dice) {
    let page = |scenario: &ScenarioBuf, dice: &mut Dice| number::page(scenario, dice);
    if !scenario.pages.is_empty() && dice.one_in(3) {
        let at = dice.below(scenario.pages.len() as u32) as usize;
        scenario.pages.remove(at);
        return;
    }
    let mapping = dice.pick(&[
        Mapping::Absent,
        Mapping::ReadOnly,
        Mapping::Writable,
        Mapping::CopyOnWrite,
    ]);
    let record = PageRecord {
        first: page(scenario, dice),
        count: 1 + dice.few() as u32,
        mapping,
        shared: dice.one_in(4).then(|| page(scenario, dice)),
    };
    scenario.pages.push(record);
}

/// Changes one thing about the machine.
fn machine(machine: &mut Machine, dice: &mut Dice) {
    match dice.below(12) {
        0 => machine.pages = dice.pick(&[1, 2, 16, 64, 256, 0x4000, 0x10_0000, 0xffff_fff0]),
        1 => machine.device_pages = dice.pick(&[0, 1, 4, 0x1000]),
        2 => machine.cpus = dice.pick(&[1, 2, 4, 32]),
        3 => {
            machine.switcher = dice.pick(&[
                0xffef_6000,
                0xffc0_0000,
                0x1000,
                0xffbf_f000,
                0xbfff_f000,
                0xffff_c000,
            ]);
        }
        4 => machine.mem_base = dice.pick(&[0x1000, 0x1000_0000, 0x4000_0000]),
        5 => machine.nx = !machine.nx,
        6 => machine.global = !machine.global,
        7 => machine.reuse = dice.pick(&[Reuse::Lowest, Reuse::Fifo, Reuse::Seeded]),
        8 => machine.tables = dice.pick(&[1, 2, 3, 4, 5, 8, 12, 16, 64, 2048]),
        9 => machine.first_slot = dice.pick(&[None, Some(0), Some(1), Some(2), Some(3)]),
        10 => machine.fail_start = dice.below(10) as u8,
        _ => machine.seed = dice.bits(),
    }
}
