// SPDX-License-Identifier: GPL-2.0-or-later
//! New steps, and changes to one.

use lguest_engine::scenario::HYPERCALLS;
use lguest_engine::{During, Event, Quals, Step, Verb};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::forms::{Arg, form};

use super::Number;
use super::dice::Dice;
use super::number::{boundary, entry, page, table, top, vaddr};

/// Where a fresh guest keeps its `lguest_data`: any page near its start.
fn data_page(scenario: &ScenarioBuf, dice: &mut Dice) -> u32 {
    dice.below(scenario.machine.backed().min(8)) << 12
}

/// The start of a guest, which may stop short of any of its parts.
pub fn begin(scenario: &mut ScenarioBuf, dice: &mut Dice) {
    let data = data_page(scenario, dice);
    let gpgdir = dice.below(scenario.machine.backed().min(16)) << 12;
    let steps = [
        Step::new(Verb::BootData, [data, 0xc000_0000, 0, 0, 0]),
        Step::new(Verb::Hypercall, [1, data, 0, 0, 0]),
        Step::new(Verb::Hypercall, [4, gpgdir, 0, 0, 0]),
    ];
    scenario.steps.extend(&steps[..1 + dice.below(3) as usize]);
}

/// One new step, or a few that belong together.
pub fn fresh(scenario: &ScenarioBuf, at: usize, dice: &mut Dice) -> Vec<Step> {
    let call = |args| Step::new(Verb::Hypercall, args);
    let top = top(scenario, dice);
    let v = vaddr(scenario, dice);
    let (low, high) = entry(scenario, dice);
    let mut step = match dice.below(26) {
        0..2 => Step::new(Verb::DemandPage, [v, dice.below(8), 0, 0, 0]),
        2..5 => Step::new(Verb::Access, [v, dice.below(4), dice.bits() as u32, 0, 0]),
        5..8 => {
            // The guest maps a page, and then uses it.
            let map = Step::new(Verb::Map, [top, v, low, high, page(scenario, dice)]);
            let then = match dice.below(4) {
                0 => call([14, top, v, low, high]),
                1 => Step::new(Verb::DemandPage, [v, dice.below(8), 0, 0, 0]),
                2 => Step::new(Verb::Access, [v, dice.below(4), 1, 0, 0]),
                _ => return vec![map],
            };
            return vec![map, then];
        }
        8..11 => call([14, top, v, low, high]),
        11 => {
            let index = match dice.below(3) {
                0 => v >> 22,
                1 => v >> 30,
                _ => dice.pick(&[0, 3, 4, 5, 767, 768, 1022, 1023, 1024, 1025]),
            };
            call([15, top, index, 0, 0])
        }
        12 => call([13, table(scenario, dice), v >> 21 & 511, 0, 0]),
        13 => call([4, top, 0, 0, 0]),
        14 => call([5, dice.below(2), 0, 0, 0]),
        15 => {
            let segment = dice.pick(&[0x69, 0x61, 1, 0, 2, 3]);
            let stack = call([
                7,
                segment,
                v.wrapping_add(0x1000),
                dice.pick(&[0, 1, 2, 3, 64]),
                0,
            ]);
            return vec![
                Step::new(Verb::Map, [top, v, low | 0x63, 0, page(scenario, dice)]),
                stack,
            ];
        }
        16 => Step::new(
            Verb::Run,
            [dice.below(scenario.machine.cpus.into()), 0, 0, 0, 0],
        ),
        17 => Step::new(
            dice.pick(&[Verb::GuestPa, Verb::TryGuestPa]),
            [v, 0, 0, 0, 0],
        ),
        18 => write(scenario, dice),
        19 => {
            let verbs = [Verb::Unmap, Verb::Protect, Verb::Unprotect, Verb::Share];
            Step::new(dice.pick(&verbs), [page(scenario, dice), 0, 0, 0, 0])
        }
        20 | 21 => {
            let mut step = scenario.steps[at];
            let number = dice.pick(&[4, 5, 7, 13, 14, 15, 2, 0]);
            if step.verb != Verb::Hypercall {
                step = call([number, top, v, low, high]);
            }
            step.verb = Verb::Async;
            return vec![step, call([0, 0, 0, 0, 0])];
        }
        22 => call([
            dice.pick(&HYPERCALLS).0,
            boundary(scenario, dice),
            v,
            low,
            high,
        ]),
        23 => {
            let data = data_page(scenario, dice);
            let kernel = dice.pick(&[
                0xc000_0000,
                0xc000_0000,
                0,
                0x8000_0000,
                v,
                scenario.machine.switcher,
            ]);
            return vec![
                Step::new(Verb::BootData, [data, kernel, 0, 0, 0]),
                call([1, data, 0, 0, 0]),
            ];
        }
        24 => call([dice.bits() as u32 % 32, top, v, low, high]),
        _ if dice.one_in(4) => Step::new(Verb::Destroy, [0; 5]),
        _ => call([2, data_page(scenario, dice), dice.below(4), 0, 0]),
    };
    if dice.one_in(12) {
        step.quals = qualifiers(step.quals, scenario, dice);
    }
    vec![step]
}

fn write(scenario: &ScenarioBuf, dice: &mut Dice) -> Step {
    let (low, high) = entry(scenario, dice);
    let at = table(scenario, dice) & !0xfff | dice.below(1024) << 2;
    let at = if dice.one_in(4) { at & !0xf } else { at };
    let verb = dice.pick(&[Verb::Write, Verb::Write, Verb::DeviceWrite]);
    Step::new(verb, [at, low, high, dice.pick(&[4, 8, 1]), 0])
}

/// One of a step's arguments that mean something there; of a call now and then any, its number too.
fn one_used(step: &Step, dice: &mut Dice) -> usize {
    let used = match step.verb {
        Verb::Run | Verb::GuestPa | Verb::TryGuestPa => 1,
        Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => 1,
        Verb::DemandPage | Verb::BootData => 2,
        Verb::Access => 3,
        Verb::Write | Verb::DeviceWrite => 4,
        Verb::Hypercall | Verb::Async if !dice.one_in(8) => {
            let words = |arg: &Arg| 1 + u32::from(*arg == Arg::Entry);
            let form = form(step.args[0]).filter(|form| !form.is_empty());
            let count = form.map_or(4, |form| form.iter().map(words).sum());
            return 1 + dice.below(count) as usize;
        }
        _ => 5,
    };
    dice.below(used) as usize
}

/// Moves one argument: to a boundary, to something in use, or by a little.
pub fn argument(scenario: &mut ScenarioBuf, at: usize, dice: &mut Dice) {
    let old = scenario.steps[at];
    let i = one_used(&old, dice);
    let now = old.args[i];
    let value = match dice.below(10) {
        0..3 => boundary(scenario, dice),
        3 => vaddr(scenario, dice),
        4 => entry(scenario, dice).0,
        5 => now.wrapping_add(1 + dice.few() as u32),
        6 => now.wrapping_sub(1 + dice.few() as u32),
        7 => now & 0xfff | page(scenario, dice) << 12,
        8 => now.wrapping_add(dice.pick(&[0x1000, 0x20_0000, 0x40_0000, 0x4000_0000])),
        _ => dice.bits() as u32,
    };
    scenario.steps[at].args[i] = value;
}

/// Has the fuzzer change one argument, or two that lie together as an entry does.
pub fn by_fuzzer(step: &mut Step, dice: &mut Dice, number: &mut Number<'_>) {
    let i = one_used(step, dice);
    let both = i < 4 && dice.one_in(2);
    let mut bytes = [0; 8];
    let (low, high) = bytes.split_at_mut(4);
    low.copy_from_slice(&step.args[i].to_le_bytes());
    if both {
        high.copy_from_slice(&step.args[i + 1].to_le_bytes());
        number(&mut bytes);
    } else {
        number(low);
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    step.args[i] = u32::from_le_bytes([a, b, c, d]);
    if both {
        step.args[i + 1] = u32::from_le_bytes([e, f, g, h]);
    }
}

/// Flips one bit of an entry's flags, an error code, or any argument.
pub fn flip(scenario: &mut ScenarioBuf, at: usize, dice: &mut Dice) {
    let step = &mut scenario.steps[at];
    let i = match step.verb {
        Verb::DemandPage | Verb::Access | Verb::Write | Verb::DeviceWrite => 1,
        Verb::Map => 2,
        Verb::Hypercall if step.args[0] == 14 => 3,
        _ => one_used(step, dice),
    };
    let bit = match step.verb {
        Verb::DemandPage => dice.below(3),
        Verb::Access => dice.below(2),
        _ if dice.one_in(8) => dice.below(32),
        _ => dice.below(12),
    };
    step.args[i] ^= 1 << bit;
}

/// Points a step at a page table that another step uses.
pub fn retarget(scenario: &mut ScenarioBuf, at: usize, dice: &mut Dice) {
    let target = table(scenario, dice);
    let step = &mut scenario.steps[at];
    match step.verb {
        Verb::Write | Verb::DeviceWrite => step.args[0] = step.args[0] & 0xfff | target & !0xfff,
        Verb::Map => {
            if dice.one_in(2) {
                step.args[0] = target;
            } else {
                step.args[4] = target >> 12;
            }
        }
        Verb::Hypercall | Verb::Async => step.args[1] = target,
        Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => step.args[0] = target >> 12,
        // The table as the page that an address names, as in linear mode.
        _ => step.args[0] = target,
    }
}

/// Adds a qualifier, changes one, or drops them.
pub fn qualifier(scenario: &mut ScenarioBuf, at: usize, dice: &mut Dice) {
    let old = scenario.steps[at].quals;
    scenario.steps[at].quals = if !old.is_none() && dice.one_in(3) {
        Quals::NONE
    } else {
        qualifiers(old, scenario, dice)
    };
}

fn qualifiers(old: Quals, scenario: &ScenarioBuf, dice: &mut Dice) -> Quals {
    let mut quals = old;
    let n = 1 + dice.few() as u8;
    match dice.below(6) {
        0 => quals.fail_alloc = n,
        1 => quals.fail_pin = n,
        2 => quals.fail_copy = n,
        3 => quals.fail_message = !quals.fail_message,
        4 => quals.draw = Some(dice.below(4) as u8),
        _ => {
            let page = page(scenario, dice);
            let step = write(scenario, dice);
            let event = match dice.below(6) {
                0 => Event::Unmap(page),
                1 => Event::Protect(page),
                2 => Event::Unprotect(page),
                3 => Event::Share(page),
                _ => Event::Write {
                    gpa: step.args[0],
                    value: step.value(),
                    width: step.args[3] as u8,
                },
            };
            quals.during = Some(During { call: n, event });
        }
    }
    quals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arguments that are chosen of a step, each in how many of 8000 choices.
    fn chosen(verb: Verb, number: u32) -> [u32; 5] {
        let step = Step::new(verb, [number, 0, 0, 0, 0]);
        let mut dice = Dice::new(1);
        let mut counts = [0; 5];
        for _ in 0..8000 {
            counts[one_used(&step, &mut dice)] += 1;
        }
        counts
    }

    #[test]
    fn of_other_steps_the_arguments_that_mean_something_are_chosen() {
        // As the words at each verb have it.
        let verbs = [
            (Verb::Run, 1),
            (Verb::GuestPa, 1),
            (Verb::Unmap, 1),
            (Verb::Share, 1),
            (Verb::BootData, 2),
            (Verb::DemandPage, 2),
            (Verb::Access, 3),
            (Verb::Write, 4),
            (Verb::DeviceWrite, 4),
            (Verb::Map, 5),
        ];
        for (verb, used) in verbs {
            let counts = chosen(verb, 0);
            let all: Vec<usize> = (0..5).filter(|i| counts[*i] > 0).collect();
            assert_eq!(all, Vec::from_iter(0..used), "{verb:?}");
        }
    }

    #[test]
    fn of_calls_mostly_those_that_the_call_takes() {
        for (number, used) in [(1, 1), (4, 1), (5, 1), (7, 3), (13, 2), (14, 4), (15, 2)] {
            for verb in [Verb::Hypercall, Verb::Async] {
                let counts = chosen(verb, number);
                let taken: u32 = counts[1..=used].iter().sum();
                assert!(taken > 6500, "{number}: {counts:?}");
                // And now and then its number, or one that it must not look at.
                assert!(
                    counts.iter().all(|count| *count > 100),
                    "{number}: {counts:?}"
                );
            }
        }
        // Of a call that takes nothing, or that there is not, any.
        for number in [0, 3, 99] {
            let counts = chosen(Verb::Hypercall, number);
            assert!(
                counts.iter().all(|count| *count > 100),
                "{number}: {counts:?}"
            );
        }
    }
}
