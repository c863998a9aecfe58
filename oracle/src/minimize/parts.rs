// SPDX-License-Identifier: GPL-2.0-or-later
//! Drops qualifiers, events and page records.

use lguest_engine::{Machine, Quals, Verb};

use super::Search;

/// The great strokes, which often do: no qualifiers, no page records, no results of another host, the default machine.
pub fn everything_at_once(search: &mut Search<'_>) {
    search.try_change(|candidate| candidate.steps.retain(|step| step.verb != Verb::Expect));
    search.try_change(|candidate| {
        for step in &mut candidate.steps {
            step.quals = Quals::NONE;
        }
    });
    search.try_change(|candidate| candidate.pages.clear());
    search.try_change(|candidate| {
        candidate.machine = Machine {
            mode: candidate.machine.mode,
            expect: candidate.machine.expect,
            ..Machine::DEFAULT
        };
    });
}

/// Ways to take one qualifier from a step.
pub const WAYS: [fn(&mut Quals); 6] = [
    |quals| quals.during = None,
    |quals| quals.fail_alloc = 0,
    |quals| quals.fail_pin = 0,
    |quals| quals.fail_copy = 0,
    |quals| quals.fail_message = false,
    |quals| quals.draw = None,
];

/// Drops each qualifier and each page record that can go.
pub fn drop(search: &mut Search<'_>) {
    let mut at = search.best().steps.len();
    while at > 0 && !search.over() {
        at = (at - 1).min(search.best().steps.len().saturating_sub(1));
        let Some(step) = search.best().steps.get(at) else {
            return;
        };
        if step.quals.is_none() {
            continue;
        }
        for way in WAYS {
            search.try_change(|candidate| {
                if let Some(step) = candidate.steps.get_mut(at) {
                    way(&mut step.quals);
                }
            });
        }
    }
    let mut at = search.best().pages.len();
    while at > 0 && !search.over() {
        at -= 1;
        search.try_change(|candidate| {
            candidate.pages.remove(at);
        });
        search.try_change(|candidate| {
            if let Some(page) = candidate.pages.get_mut(at) {
                page.shared = None;
            }
        });
    }
}
