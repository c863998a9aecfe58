// SPDX-License-Identifier: GPL-2.0-or-later
//! Holds recorded sides to what was recorded of a real host, step by step.

use std::collections::BTreeMap;

use lguest_engine::scenario::recorded::{CHECK, MORE, NONE};
use lguest_engine::{Check, Machine, Outcome, PageRecord, Recorded, Step, Verb};

use super::hand::{Failure, Hand};
use super::lanes::Lanes;
use super::{Item, Record, TraceError};
use crate::drive::{Counts, End};
use crate::watch::Breach;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What it did; the results that were verified are counted once for each side.
    pub counts: Counts,
    /// Those results by letter.
    pub letters: BTreeMap<u8, u64>,
    /// Where a port with fixes did otherwise than was recorded, in the one result that its fix changes: the record, and
    /// the bits of the fixes that acted in its step.
    pub departures: Vec<(u64, u32)>,
    /// What the oracles told,
    pub breaches: Vec<Breach>,
    /// and in which record each.
    pub told_at: Vec<u64>,
    /// How it ended.
    pub end: Result<End, Failure>,
}

/// The check in a record of a trace.
///
/// # Errors
/// A number is out of range.
pub fn check_of(record: &Record) -> Result<Recorded, String> {
    let n = &record.n;
    let check = Check {
        slot: n[0] as u8,
        gpgdir: record.at(1),
        switcher_mapped: n[2] != 0,
        last_host_cpu: n[3] as i8,
        pgds: n[4] as u16,
        ptes: record.at(5),
        hash: record.at(6),
    };
    let fits = n[0] < 4
        && n[2] < 2
        && i64::from(check.last_host_cpu) == n[3] as i64
        && (-1..32).contains(&check.last_host_cpu)
        && n[4] <= 1024;
    let words = check.pack();
    fits.then_some(Recorded {
        letter: CHECK,
        words,
    })
    .ok_or_else(|| "a check with a number out of range".into())
}

/// Replays steps on all sides, and holds them to what was recorded.
///
/// `reads` says that reads of guest tables are among what was recorded.
///
/// # Errors
/// The steps themselves are broken off by an error.
pub fn replay(
    lanes: &mut dyn Lanes,
    machine: &Machine,
    pages: &[PageRecord],
    items: &mut dyn Iterator<Item = Result<Item, TraceError>>,
    reads: bool,
) -> Result<Replayed, TraceError> {
    let mut done = Replayed {
        counts: Counts::default(),
        letters: BTreeMap::new(),
        departures: Vec::new(),
        breaches: Vec::new(),
        told_at: Vec::new(),
        end: Ok(End::Lived),
    };
    let end = go(lanes, machine, pages, items, reads, &mut done)?;
    for (letter, count) in &done.letters {
        match letter {
            // These say that there was nothing, or more.
            &NONE | &MORE => {}
            b'r' => done.counts.reads = *count,
            _ => done.counts.verified += count,
        }
    }
    done.breaches = lanes.breaches().to_vec();
    // What is told of the end has no record of its own.
    let last = done.told_at.last().copied().unwrap_or(1);
    done.told_at.resize(done.breaches.len(), last);
    done.end = end;
    Ok(done)
}

fn go(
    lanes: &mut dyn Lanes,
    machine: &Machine,
    pages: &[PageRecord],
    items: &mut dyn Iterator<Item = Result<Item, TraceError>>,
    reads: bool,
    done: &mut Replayed,
) -> Result<Result<End, Failure>, TraceError> {
    let mut hand = Hand {
        step: None,
        at: 1,
        recorded: Vec::new(),
        crashed: false,
        reads,
        observed: Vec::new(),
    };
    let differ = |lanes: &dyn Lanes, at, difference| {
        Ok(Err(Failure::Differ(at, lanes.describe(&difference))))
    };
    let begun = match lanes.start(machine, pages) {
        Ok(begun) => begun,
        Err(difference) => return differ(lanes, 1, difference),
    };
    let mut end = match begun {
        Ok(0) => End::Lived,
        Ok(errno) => End::NoGuest(errno, lanes.left()),
        Err(bug) => End::Bug(bug),
    };
    hand.crashed = matches!(end, End::Bug(_));
    let mut killed = false;
    loop {
        let (at, step, last) = match items.next().transpose()? {
            Some(item) => (item.line, item.step, false),
            None => (hand.at, Step::new(Verb::Destroy, [0; 5]), true),
        };
        if step.verb == Verb::Expect {
            let due = Recorded::of(step.args);
            if due.letter != CHECK {
                hand.recorded.push((at, due));
            } else if let Err(mismatch) = hand.check(lanes, at, due) {
                return Ok(Err(Failure::Mismatch(mismatch)));
            } else {
                *done.letters.entry(CHECK).or_default() += 1;
            }
            continue;
        }
        let acted = lanes.acted();
        match hand.settle(lanes, &mut done.letters, acted) {
            Ok(mended) => done
                .departures
                .extend(mended.first().map(|at| (*at, acted))),
            Err(mismatch) => return Ok(Err(Failure::Mismatch(mismatch))),
        }
        if last && lanes.over() {
            break;
        }
        if hand.crashed {
            let what = format!(
                "the host crashed, and the trace goes on: {}",
                hand.step_text()
            );
            return Ok(Err(Failure::Differ(at, what)));
        }
        (hand.step, hand.at) = (Some(step), at);
        if step.verb == Verb::Destroy {
            killed = lanes.dead();
            if let Err(difference) = lanes.settle() {
                return differ(lanes, at, difference);
            }
        }
        if lanes.enters(&step) {
            done.counts.steps += 1;
        } else {
            done.counts.events += 1;
        }
        match lanes.step(&step) {
            Err(difference) => return differ(lanes, at, difference),
            Ok(Outcome::Bug(bug)) => {
                end = End::Bug(bug);
                hand.crashed = true;
            }
            Ok(Outcome::Stuck) => done.counts.stuck += 1,
            Ok(_) => {}
        }
        done.told_at.resize(lanes.breaches().len(), at);
        if last {
            break;
        }
    }
    if end == End::Lived {
        let left = lanes.left();
        end = if left != lguest_engine::Left::default() {
            End::Breach(left, lanes.orphaned())
        } else if killed {
            End::Killed
        } else {
            End::Lived
        };
    }
    Ok(Ok(end))
}
