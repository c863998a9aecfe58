// SPDX-License-Identifier: GPL-2.0-or-later
//! The step in hand of a replay: what was recorded of it, and what each side did instead.

use std::collections::BTreeMap;
use std::fmt;

use lguest_engine::scenario::recorded::{CHECK, MORE, NONE, TEXT};
use lguest_engine::{Check, Recorded, Step};
use lguest_shadow::Fix;

use super::lanes::Lanes;
use super::{MESSAGE, Record};
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

/// The step in hand, and what was recorded of it.
pub(super) struct Hand {
    pub(super) step: Option<Step>,
    pub(super) at: u64,
    pub(super) recorded: Vec<(u64, Recorded)>,
    pub(super) crashed: bool,
    pub(super) reads: bool,
    pub(super) observed: Vec<Record>,
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

/// One of the fixes that acted makes `got` of what would be `due` without it.
///
/// C25 has a page for writing that was had for reading: the same page, and it is had. What fixes other than this and C18
/// ([`spares`]) change no recorded host has met; whatever they would change is a mismatch.
fn changes(acted: u32, due: &Recorded, got: &Recorded) -> bool {
    let pins = due.letter == b'f' && got.letter == b'f';
    let [page, writable, had, _] = due.words;
    acted & Fix::C25.bit() != 0
        && pins
        && (writable, had) == (0, 1)
        && got.words[1] != 0
        && (got.words[0], got.words[2]) == (page, had)
}

/// One of the fixes that acted does not do this any more, with nothing to follow in the step: C18 pins nothing of a stack
/// that was refused.
fn spares(acted: u32, due: &Recorded) -> bool {
    acted & Fix::C18.bit() != 0 && matches!(due.letter, b'P' | b'f' | b'd' | b'r' | b'w')
}

pub(super) fn text_of(recorded: &Recorded) -> String {
    let mut text = String::new();
    recorded::push(&mut text, recorded);
    text
}

impl Hand {
    /// Compares what each side did with what was recorded. `acted` has the fixes that acted in the step; the records that
    /// one of them changed are what comes back, and are not among the letters that agreed.
    pub(super) fn settle(
        &mut self,
        lanes: &mut dyn Lanes,
        letters: &mut BTreeMap<u8, u64>,
        acted: u32,
    ) -> Result<Vec<u64>, Mismatch> {
        let mut result = Ok(Vec::new());
        let told = !self.recorded.is_empty();
        lanes.each(&mut |side, observed| {
            observed.take(&mut self.observed);
            if told && result.is_ok() {
                result = self.agrees(acted).ok_or_else(|| self.mismatch(side));
            }
        });
        if let Ok(mended) = &result {
            let mut before = NONE;
            for (at, recorded) in &self.recorded {
                if mended.contains(at) {
                    continue;
                }
                // A message is one result, in however many pieces it stands.
                if recorded.letter != TEXT || before != TEXT {
                    *letters.entry(recorded.letter).or_default() += 1;
                }
                before = recorded.letter;
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
        self.numbered_results().map(|(_, recorded)| recorded)
    }

    /// Each with the number of its record.
    fn numbered_results(&self) -> impl Iterator<Item = (u64, Recorded)> {
        let results = self.recorded.iter().map(|(at, r)| (*at, masked(*r)));
        results.filter(|(_, r)| !matches!(r.letter, NONE | MORE | TEXT))
    }

    /// Whether what came is what was recorded, but for what a fix that acted has changed: the records of that.
    fn agrees(&self, acted: u32) -> Option<Vec<u64>> {
        let more = self.recorded.iter().any(|(_, r)| r.letter == MORE);
        let mut mended = Vec::new();
        let (mut got, mut due) = (self.results(), self.numbered_results());
        loop {
            match (due.next(), got.next()) {
                (Some((_, a)), Some(b)) if a == b => {}
                (Some((at, a)), Some(b)) if mended.is_empty() && changes(acted, &a, &b) => {
                    mended.push(at);
                }
                (Some((at, a)), None) if spares(acted, &a) => mended.push(at),
                (None, None) => break,
                (None, Some(_)) if more || self.crashed => break,
                (Some(_), None) if self.crashed => break,
                _ => return None,
            }
        }
        let due = self.message();
        let mut said = self.observed.iter().filter(|r| r.letter == MESSAGE);
        let same = match said.next() {
            Some(record) => record.text.as_bytes() == due || more && due.is_empty(),
            None => due.is_empty() || self.crashed,
        };
        same.then_some(mended)
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

    pub(super) fn step_text(&self) -> String {
        match &self.step {
            Some(step) => print::step_text(step),
            None => "init_guest_pagetable".into(),
        }
    }

    /// Compares one shadow of each side with a recorded check of it.
    pub(super) fn check(
        &self,
        lanes: &mut dyn Lanes,
        at: u64,
        due: Recorded,
    ) -> Result<(), Mismatch> {
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
