// SPDX-License-Identifier: GPL-2.0-or-later
//! What single changes cannot reach: pairs of steps, simpler verbs, pages renamed wherever they occur.

use std::collections::BTreeSet;

use lguest_engine::scenario::step::{ACCESS_USER, ACCESS_WRITE, FAULT_USER, FAULT_WRITE};
use lguest_engine::{Event, Step, Verb};

use super::Search;
use super::number::{Sort, shrinks};
use crate::scenario_buf::ScenarioBuf;

/// Steps up to which pairs of them are tried.
const FEW: usize = 40;

/// Each of these, once; single changes have their turn after any that helps.
pub fn all(search: &mut Search<'_>) {
    verbs(search);
    pairs(search);
    rename(search);
}

/// Drops two steps that need each other.
fn pairs(search: &mut Search<'_>) {
    if search.best().steps.len() > FEW {
        return;
    }
    let mut last = search.best().steps.len();
    while last > 1 && !search.over() {
        last = (last - 1).min(search.best().steps.len().saturating_sub(1));
        for first in (0..last).rev() {
            let gone = search.try_change(|candidate| {
                if last < candidate.steps.len() {
                    candidate.steps.remove(last);
                    candidate.steps.remove(first);
                }
            });
            if gone {
                break;
            }
        }
    }
}

/// Puts simpler verbs in the place of others.
fn verbs(search: &mut Search<'_>) {
    for at in (0..search.best().steps.len()).rev() {
        let Some(step) = search.best().steps.get(at).copied() else {
            continue;
        };
        for simpler in simpler(&step).into_iter().flatten() {
            search.try_change(|candidate| {
                if let Some(step) = candidate.steps.get_mut(at) {
                    *step = simpler;
                }
            });
        }
    }
}

fn simpler(step: &Step) -> [Option<Step>; 2] {
    let [a, b, ..] = step.args;
    let fault = |more: u32| {
        let flag = |from: u32, to: u32| if b & from != 0 { to } else { 0 };
        let code = flag(ACCESS_WRITE, FAULT_WRITE) | flag(ACCESS_USER, FAULT_USER) | more;
        let args = [a, code, 0, 0, 0];
        Some(Step {
            verb: Verb::DemandPage,
            args,
            quals: step.quals,
        })
    };
    let verb = |verb| Some(Step { verb, ..*step });
    match step.verb {
        Verb::Access => [fault(0), fault(1)],
        Verb::Async => [verb(Verb::Hypercall), None],
        Verb::DeviceWrite => [verb(Verb::Write), None],
        _ => [None, None],
    }
}

/// Renames pages: a page of guest memory stands in addresses, entries and counts of tables alike.
fn rename(search: &mut Search<'_>) {
    for page in pages(search.best()) {
        let low = (1..page.min(16)).chain(shrinks(page.into(), Sort::Count).map(|to| to as u32));
        for to in low {
            if search.over() || search.try_change(|candidate| rename_page(candidate, page, to)) {
                break;
            }
        }
    }
}

/// All page numbers that occur, largest first.
fn pages(scenario: &ScenarioBuf) -> Vec<u32> {
    let mut pages = BTreeSet::new();
    let mut copy = scenario.clone();
    each_word(&mut copy, &mut |word| {
        pages.insert(*word >> 12);
    });
    each_page(&mut copy, &mut |page| {
        pages.insert(*page);
    });
    pages.remove(&0);
    pages.into_iter().rev().collect()
}

fn rename_page(scenario: &mut ScenarioBuf, from: u32, to: u32) {
    each_word(scenario, &mut |word| {
        if *word >> 12 == from {
            *word = to << 12 | *word & 0xfff;
        }
    });
    each_page(scenario, &mut |page| {
        if *page == from {
            *page = to;
        }
    });
}

/// Calls `change` with each word that may hold an address or an entry.
fn each_word(scenario: &mut ScenarioBuf, change: &mut dyn FnMut(&mut u32)) {
    for step in &mut scenario.steps {
        let words = match step.verb {
            Verb::Hypercall | Verb::Async => &mut step.args[1..],
            Verb::Run | Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => continue,
            Verb::Write | Verb::DeviceWrite => &mut step.args[..2],
            Verb::Map => &mut step.args[..3],
            _ => &mut step.args[..],
        };
        words.iter_mut().for_each(&mut *change);
        if let Some(during) = &mut step.quals.during
            && let Event::Write { gpa, value, .. } = &mut during.event
        {
            change(gpa);
            let mut low = *value as u32;
            change(&mut low);
            *value = *value >> 32 << 32 | u64::from(low);
        }
    }
}

/// Calls `change` with each bare number of a page.
fn each_page(scenario: &mut ScenarioBuf, change: &mut dyn FnMut(&mut u32)) {
    for record in &mut scenario.pages {
        change(&mut record.first);
        if let Some(page) = &mut record.shared {
            change(page);
        }
    }
    for step in &mut scenario.steps {
        match step.verb {
            Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => {
                change(&mut step.args[0]);
            }
            Verb::Map => change(&mut step.args[4]),
            _ => {}
        }
        if let Some(during) = &mut step.quals.during {
            match &mut during.event {
                Event::Unmap(page)
                | Event::Protect(page)
                | Event::Unprotect(page)
                | Event::Share(page) => change(page),
                Event::Write { .. } => {}
            }
        }
    }
}
