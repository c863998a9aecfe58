// SPDX-License-Identifier: GPL-2.0-or-later
//! Holds recorded sides to what was recorded of a real host, step by step.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use lguest_engine::scenario::recorded::{CHECK, MORE, NONE, TEXT};
use lguest_engine::{Check, Machine, Outcome, PageRecord, Recorded, Step, Verb};

use super::lanes::Lanes;
use super::{Item, MESSAGE, Record, TraceError};
use crate::drive::{Counts, End};
use crate::text::{print, recorded};

/// Bits of an entry that a real processor sets by itself, and the simulated host has nobody to set.
const BY_PROCESSOR: u32 = 0x60;

/// The first thing that did not come as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Line of the trace, or number of the step, from 1.
    pub at: u64,
    /// The side that did otherwise.
    pub side: &'static str,
    /// The step.
    pub step: String,
    /// What was recorded of it, and what came, a line each.
    pub recorded: Vec<String>,
    /// What came.
    pub got: Vec<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            to,
            "record {}: the {} does otherwise than was recorded\nstep: {}",
            self.at, self.side, self.step
        )?;
        let lines = |lines: &[String]| lines.iter().fold(String::new(), |sum, l| sum + l + "\n");
        let (a, b) = (lines(&self.recorded), lines(&self.got));
        let diff = similar::TextDiff::from_lines(&a, &b);
        let shown = diff
            .unified_diff()
            .context_radius(8)
            .header("recorded", self.side)
            .to_string();
        to.write_str(&shown)
    }
}

/// Why a replay ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A side does otherwise than was recorded.
    Mismatch(Mismatch),
    /// The sides differ from each other, at this record.
    Differ(u64, String),
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mismatch(mismatch) => mismatch.fmt(to),
            Failure::Differ(at, how) => write!(to, "record {at}: the sides differ: {how}"),
        }
    }
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What it did; the results that were verified are counted once for each side.
    pub counts: Counts,
    /// Those results by letter.
    pub letters: BTreeMap<u8, u64>,
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

/// The step in hand and what was recorded of it.
struct Hand {
    step: Option<Step>,
    at: u64,
    recorded: Vec<(u64, Recorded)>,
    crashed: bool,
    reads: bool,
    observed: Vec<Record>,
}

/// A recorded result without what a real processor would have changed in it.
fn masked(mut recorded: Recorded) -> Recorded {
    match recorded.letter {
        b't' => recorded.words[2] &= !BY_PROCESSOR,
        b'q' => recorded.words[1] &= !BY_PROCESSOR,
        _ => {}
    }
    recorded
}

fn text_of(recorded: &Recorded) -> String {
    let mut text = String::new();
    recorded::push(&mut text, recorded);
    text
}

impl Hand {
    /// Compares what each side did with what was recorded.
    fn settle(
        &mut self,
        lanes: &mut dyn Lanes,
        letters: &mut BTreeMap<u8, u64>,
    ) -> Result<(), Mismatch> {
        let mut result = Ok(());
        let told = !self.recorded.is_empty();
        lanes.each(&mut |side, observed| {
            observed.take(&mut self.observed);
            if told && result.is_ok() && !self.agrees() {
                result = Err(self.mismatch(side));
            }
        });
        if result.is_ok() {
            for (_, recorded) in &self.recorded {
                *letters.entry(recorded.letter).or_default() += 1;
            }
        }
        self.recorded.clear();
        result
    }

    fn results(&self) -> impl Iterator<Item = Recorded> {
        let told = self.observed.iter().filter_map(Record::recorded);
        told.filter(|r| self.reads || r.letter != b'r').map(masked)
    }

    fn recorded_results(&self) -> impl Iterator<Item = Recorded> {
        let results = self.recorded.iter().map(|(_, r)| masked(*r));
        results.filter(|r| !matches!(r.letter, NONE | MORE | TEXT))
    }

    fn agrees(&self) -> bool {
        let more = self.recorded.iter().any(|(_, r)| r.letter == MORE);
        let (mut got, mut due) = (self.results(), self.recorded_results());
        loop {
            match (due.next(), got.next()) {
                (Some(a), Some(b)) if a == b => {}
                (None, None) => break,
                (None, Some(_)) if more || self.crashed => break,
                (Some(_), None) if self.crashed => break,
                _ => return false,
            }
        }
        let due = self.message();
        let mut said = self.observed.iter().filter(|r| r.letter == MESSAGE);
        match said.next() {
            Some(record) => record.text.as_bytes() == due || more && due.is_empty(),
            None => due.is_empty() || self.crashed,
        }
    }

    fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        for (_, recorded) in self.recorded.iter().filter(|(_, r)| r.letter == TEXT) {
            let (bytes, len) = recorded.text();
            message.extend_from_slice(&bytes[..len]);
        }
        message
    }

    fn mismatch(&self, side: &'static str) -> Mismatch {
        let said = |text: &str| format!("X {text}");
        let due: Vec<_> = self.recorded_results().map(|r| text_of(&r)).collect();
        let got: Vec<_> = self.results().map(|r| text_of(&r)).collect();
        let first = due.iter().zip(&got).take_while(|(a, b)| a == b).count();
        let at = self.recorded.get(first).map_or(self.at, |(at, _)| *at);
        let message = self.message();
        let message = (!message.is_empty()).then(|| said(&String::from_utf8_lossy(&message)));
        let told = self.observed.iter().filter(|r| r.letter == MESSAGE);
        Mismatch {
            at,
            side,
            step: self.step_text(),
            recorded: due.into_iter().chain(message).collect(),
            got: got.into_iter().chain(told.map(|r| said(&r.text))).collect(),
        }
    }

    fn step_text(&self) -> String {
        match &self.step {
            Some(step) => print::step_text(step),
            None => "init_guest_pagetable".into(),
        }
    }

    /// Compares one shadow of each side with a recorded check of it.
    fn check(&self, lanes: &mut dyn Lanes, at: u64, due: Recorded) -> Result<(), Mismatch> {
        let slot = Check::unpack(due.words).slot;
        let mut result = Ok(());
        lanes.each(&mut |side, observed| {
            let got = Recorded {
                letter: CHECK,
                words: observed.check(slot.into()).pack(),
            };
            if result.is_ok() && got != due {
                result = Err(Mismatch {
                    at,
                    side,
                    step: format!("up to {}", self.step_text()),
                    recorded: vec![text_of(&due)],
                    got: vec![text_of(&got)],
                });
            }
        });
        result
    }
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
        end: Ok(End::Lived),
    };
    let end = go(lanes, machine, pages, items, reads, &mut done)?;
    done.counts.verified = done.letters.values().sum();
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
        if let Err(mismatch) = hand.settle(lanes, &mut done.letters) {
            return Ok(Err(Failure::Mismatch(mismatch)));
        }
        if last && lanes.over() {
            break;
        }
        if hand.crashed {
            let mut what =
                String::from("the host crashed in the step before, and the trace goes on");
            let _ = write!(what, ": {}", hand.step_text());
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
