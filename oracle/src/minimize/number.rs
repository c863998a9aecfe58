// SPDX-License-Identifier: GPL-2.0-or-later
//! The numbers of a scenario, and how one shrinks.

use lguest_engine::scenario::step::ACCESS_WRITE;
use lguest_engine::{Event, PageRecord, Step, Verb};

use super::Search;
use crate::text::forms::{Arg, form};

/// What a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// An address, a table's entry, or flags: from 0x1000 on a page, and twelve bits that go with it.
    Address,
    /// A count, an index or a seed.
    Count,
}

/// The values that a number is tried at, in this order: 0; 1; without its low twelve bits; halved; without each of
/// its bits, the highest first.
///
/// Of an address from 0x1000 on the number of the page is halved, and the low twelve bits are left alone. Each value
/// has fewer bits than the number, or as many and is less.
pub fn shrinks(value: u64, sort: Sort) -> impl Iterator<Item = u64> {
    let half = match sort {
        Sort::Address if value >= 0x1000 => (value >> 13) << 12 | value & 0xfff,
        _ => value >> 1,
    };
    let bits = (0..64).rev().map(move |bit| value & !(1 << bit));
    [0, 1, value & !0xfff, half]
        .into_iter()
        .chain(bits)
        .filter(move |smaller| *smaller < value)
}

/// A place in a step where a number stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// An argument, from 0.
    Arg(usize),
    /// Which allocation fails.
    FailAlloc,
    /// Which pin fails.
    FailPin,
    /// Which copy fails.
    FailCopy,
    /// The slot that is drawn.
    Draw,
    /// The kernel call before which an event happens.
    DuringCall,
    /// The address or the page of that event.
    EventAt,
    /// The value that the event writes.
    EventValue,
}

impl Place {
    /// All of them, whether a step has them or not.
    pub const ALL: [Place; 12] = [
        Place::Arg(0),
        Place::Arg(1),
        Place::Arg(2),
        Place::Arg(3),
        Place::Arg(4),
        Place::FailAlloc,
        Place::FailPin,
        Place::FailCopy,
        Place::Draw,
        Place::DuringCall,
        Place::EventAt,
        Place::EventValue,
    ];

    /// The number there; 0 if the step has none, or what stands there is no number.
    pub fn read(self, step: &Step) -> u64 {
        let during = step.quals.during;
        match self {
            Place::Arg(i) => match (step.verb, i) {
                (Verb::Hypercall | Verb::Async, 0) | (Verb::Write | Verb::DeviceWrite, 3) => 0,
                _ => step.args.get(i).copied().unwrap_or(0).into(),
            },
            Place::FailAlloc => step.quals.fail_alloc.into(),
            Place::FailPin => step.quals.fail_pin.into(),
            Place::FailCopy => step.quals.fail_copy.into(),
            Place::Draw => step.quals.draw.unwrap_or(0).into(),
            Place::DuringCall => during.map_or(0, |during| during.call.into()),
            Place::EventAt => during.map_or(0, |during| match during.event {
                Event::Write { gpa: at, .. }
                | Event::Unmap(at)
                | Event::Protect(at)
                | Event::Unprotect(at)
                | Event::Share(at) => at.into(),
            }),
            Place::EventValue => match during.map(|during| during.event) {
                Some(Event::Write { value, .. }) => value,
                _ => 0,
            },
        }
    }

    /// What the number there is: of hypercalls, what the text form writes as a count is one.
    pub fn sort(self, step: &Step) -> Sort {
        let counts = match self {
            Place::Arg(i) => match step.verb {
                Verb::Hypercall | Verb::Async => form(step.args[0])
                    .and_then(|form| form.get(i.wrapping_sub(1)))
                    .is_some_and(|arg| matches!(arg, Arg::Count(_))),
                Verb::Run | Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => true,
                Verb::Map => i == 4,
                _ => false,
            },
            Place::EventAt => !matches!(
                step.quals.during.map(|during| during.event),
                Some(Event::Write { .. })
            ),
            Place::EventValue => false,
            _ => true,
        };
        if counts { Sort::Count } else { Sort::Address }
    }

    /// Puts a number there, which is at most the one before.
    ///
    /// A write that becomes a read has no value any more, and no qualifier is at 0.
    pub fn write(self, step: &mut Step, value: u64) {
        let (word, byte) = (value as u32, value as u8);
        let quals = &mut step.quals;
        match self {
            Place::Arg(i) => {
                if let Some(arg) = step.args.get_mut(i) {
                    *arg = word;
                }
                if step.verb == Verb::Access && step.args[1] & ACCESS_WRITE == 0 {
                    step.args[2] = 0;
                }
            }
            Place::FailAlloc => quals.fail_alloc = byte,
            Place::FailPin => quals.fail_pin = byte,
            Place::FailCopy => quals.fail_copy = byte,
            Place::Draw => quals.draw = quals.draw.map(|_| byte),
            Place::DuringCall => {
                quals.during = quals.during.filter(|_| byte != 0);
                if let Some(during) = &mut quals.during {
                    during.call = byte;
                }
            }
            Place::EventAt => {
                if let Some(during) = &mut quals.during {
                    match &mut during.event {
                        Event::Write { gpa: at, .. }
                        | Event::Unmap(at)
                        | Event::Protect(at)
                        | Event::Unprotect(at)
                        | Event::Share(at) => *at = word,
                    }
                }
            }
            Place::EventValue => {
                if let Some(during) = &mut quals.during
                    && let Event::Write { value: old, .. } = &mut during.event
                {
                    *old = value;
                }
            }
        }
    }
}

/// The numbers of a page record: how each is read, and changed.
type OfPage = (fn(&PageRecord) -> u32, fn(&mut PageRecord, u32));

/// All of them.
pub const OF_PAGE: [OfPage; 3] = [
    (|page| page.first, |page, value| page.first = value),
    (|page| page.count, |page, value| page.count = value),
    (
        |page| page.shared.unwrap_or(0),
        |page, value| page.shared = page.shared.map(|_| value),
    ),
];

/// Shrinks each number of steps and page records as far as it goes alone.
pub fn reduce(search: &mut Search<'_>) {
    let mut at = search.best().steps.len();
    while at > 0 && !search.over() {
        at = (at - 1).min(search.best().steps.len().saturating_sub(1));
        for place in Place::ALL {
            let Some(step) = search.best().steps.get(at) else {
                break;
            };
            down(
                search,
                place.sort(step),
                |search| search.best().steps.get(at).map_or(0, |s| place.read(s)),
                |search, value| {
                    search.try_change(|candidate| {
                        if let Some(step) = candidate.steps.get_mut(at) {
                            place.write(step, value);
                        }
                    })
                },
            );
        }
    }
    for at in 0..search.best().pages.len() {
        for (read, write) in OF_PAGE {
            down(
                search,
                Sort::Count,
                |search| search.best().pages.get(at).map_or(0, |p| read(p).into()),
                |search, value| {
                    search.try_change(|candidate| {
                        if let Some(page) = candidate.pages.get_mut(at) {
                            write(page, value as u32);
                        }
                    })
                },
            );
        }
    }
}

/// Goes down from one value to a smaller one until none is taken.
pub fn down<'a>(
    search: &mut Search<'a>,
    sort: Sort,
    read: impl Fn(&Search<'a>) -> u64,
    write: impl Fn(&mut Search<'a>, u64) -> bool,
) {
    loop {
        let value = read(search);
        if search.over() || !shrinks(value, sort).any(|smaller| write(search, smaller)) {
            return;
        }
    }
}
