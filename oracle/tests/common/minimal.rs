// SPDX-License-Identifier: GPL-2.0-or-later
//! Whether a scenario is 1-minimal: every single reduction of it is tried here, each spelled out anew.
// Each test binary uses a part of this.
#![allow(dead_code)]

use lguest_engine::{Event, Machine, Step, Verb};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::print;

/// Smaller values of a number.
fn smaller(value: u64, address: bool) -> Vec<u64> {
    let mut all = vec![0, 1, value / 4096 * 4096];
    if address && value > 0xfff {
        all.push(value / 8192 * 4096 + value % 4096);
    } else {
        all.push(value / 2);
    }
    for bit in 0..64 {
        if value >> bit & 1 == 1 {
            all.push(value ^ 1 << bit);
        }
    }
    all.retain(|candidate| *candidate < value);
    all
}

/// Which arguments of a step are numbers, and whether each is an address.
fn arguments(step: &Step) -> Vec<(usize, bool)> {
    match step.verb {
        Verb::Hypercall | Verb::Async => {
            // Each call's counts, as `text` documents their forms.
            let counts: &[usize] = match step.args[0] {
                5 | 6 | 8 | 9 | 18 => &[1],
                2 | 13 | 15 => &[2],
                7 => &[1, 3],
                _ => &[],
            };
            (1..5).map(|i| (i, !counts.contains(&i))).collect()
        }
        Verb::Write | Verb::DeviceWrite => vec![(0, true), (1, true), (2, true)],
        Verb::Run | Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => vec![(0, false)],
        Verb::Map => vec![(0, true), (1, true), (2, true), (3, true), (4, false)],
        _ => (0..5).map(|i| (i, true)).collect(),
    }
}

/// Every scenario that is one reduction away, valid or not.
pub fn reductions(from: &ScenarioBuf) -> Vec<ScenarioBuf> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut ScenarioBuf)| {
        let mut candidate = from.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for at in 0..from.steps.len() {
        add(&|s| {
            s.steps.remove(at);
        });
        let step = from.steps[at];
        let q = step.quals;
        if q.fail_alloc != 0 {
            add(&|s| s.steps[at].quals.fail_alloc = 0);
        }
        if q.fail_pin != 0 {
            add(&|s| s.steps[at].quals.fail_pin = 0);
        }
        if q.fail_copy != 0 {
            add(&|s| s.steps[at].quals.fail_copy = 0);
        }
        if q.fail_message {
            add(&|s| s.steps[at].quals.fail_message = false);
        }
        for n in smaller(q.fail_alloc.into(), false) {
            add(&|s| s.steps[at].quals.fail_alloc = n as u8);
        }
        for n in smaller(q.fail_pin.into(), false) {
            add(&|s| s.steps[at].quals.fail_pin = n as u8);
        }
        for n in smaller(q.fail_copy.into(), false) {
            add(&|s| s.steps[at].quals.fail_copy = n as u8);
        }
        if let Some(draw) = q.draw {
            add(&|s| s.steps[at].quals.draw = None);
            for n in smaller(draw.into(), false) {
                add(&|s| s.steps[at].quals.draw = Some(n as u8));
            }
        }
        if let Some(during) = q.during {
            add(&|s| s.steps[at].quals.during = None);
            let mut with = |change: &dyn Fn(&mut lguest_engine::During)| {
                let mut changed = during;
                change(&mut changed);
                add(&|s| s.steps[at].quals.during = Some(changed));
            };
            for n in smaller(during.call.into(), false) {
                with(&|during| during.call = n as u8);
            }
            match during.event {
                Event::Write { gpa, value, width } => {
                    for n in smaller(gpa.into(), true) {
                        with(&|during| {
                            let gpa = n as u32;
                            during.event = Event::Write { gpa, value, width };
                        });
                    }
                    for value in smaller(value, true) {
                        with(&|during| during.event = Event::Write { gpa, value, width });
                    }
                }
                Event::Unmap(page) => smaller(page.into(), false)
                    .iter()
                    .for_each(|n| with(&|during| during.event = Event::Unmap(*n as u32))),
                Event::Protect(page) => smaller(page.into(), false)
                    .iter()
                    .for_each(|n| with(&|during| during.event = Event::Protect(*n as u32))),
                Event::Unprotect(page) => smaller(page.into(), false)
                    .iter()
                    .for_each(|n| with(&|during| during.event = Event::Unprotect(*n as u32))),
                Event::Share(page) => smaller(page.into(), false)
                    .iter()
                    .for_each(|n| with(&|during| during.event = Event::Share(*n as u32))),
            }
        }
        for (i, address) in arguments(&step) {
            for n in smaller(step.args[i].into(), address) {
                add(&|s| {
                    let step = &mut s.steps[at];
                    step.args[i] = n as u32;
                    if step.verb == Verb::Access && step.args[1] % 2 == 0 {
                        step.args[2] = 0;
                    }
                });
            }
        }
    }
    for at in 0..from.pages.len() {
        let page = from.pages[at];
        add(&|s| {
            s.pages.remove(at);
        });
        for n in smaller(page.first.into(), false) {
            add(&|s| s.pages[at].first = n as u32);
        }
        for n in smaller(page.count.into(), false) {
            add(&|s| s.pages[at].count = n as u32);
        }
        if let Some(shared) = page.shared {
            add(&|s| s.pages[at].shared = None);
            for n in smaller(shared.into(), false) {
                add(&|s| s.pages[at].shared = Some(n as u32));
            }
        }
    }
    let (m, d) = (&from.machine, Machine::DEFAULT);
    macro_rules! field {
        ($field:ident) => {
            if m.$field != d.$field {
                add(&|s| s.machine.$field = d.$field);
            }
        };
        ($field:ident, $address:expr) => {
            field!($field);
            if m.$field != d.$field {
                for n in smaller(m.$field.into(), $address) {
                    add(&|s| s.machine.$field = n.try_into().expect("less than it was"));
                }
            }
        };
    }
    field!(pages, false);
    field!(device_pages, false);
    field!(cpus, false);
    field!(switcher, true);
    field!(mem_base, true);
    field!(nx);
    field!(global);
    field!(tsc_khz, false);
    field!(reuse);
    field!(tables, false);
    field!(seed, false);
    field!(fail_start, false);
    field!(first_slot);
    for n in smaller(m.first_slot.unwrap_or(0).into(), false) {
        add(&|s| s.machine.first_slot = Some(n as u8));
    }
    all
}

/// # Panics
/// One of the reductions is valid and still shows it.
pub fn assert_minimal(scenario: &ScenarioBuf, shows: &mut dyn FnMut(&ScenarioBuf) -> bool) {
    assert_eq!(scenario.check(), Ok(()));
    assert!(shows(scenario), "it shows nothing:\n{}", print(scenario));
    for candidate in reductions(scenario) {
        // What changes nothing is no reduction; what is not valid is no scenario.
        if candidate != *scenario && candidate.check().is_ok() {
            assert!(
                !shows(&candidate),
                "can be reduced:\n{}\nto:\n{}",
                print(scenario),
                print(&candidate)
            );
        }
    }
}
