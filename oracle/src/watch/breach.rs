// SPDX-License-Identifier: GPL-2.0-or-later
//! Breaches: what an oracle says when its sentence does not hold, with no address in what it says.

use lguest_engine::PagingMode;

use crate::class::{Class, Kind};
use crate::rig::mode_name;

/// The oracles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Oracle {
    /// Entries name frames that were pinned for them, with no right beyond the pin's.
    Justified,
    /// References held are entries that are present.
    References,
    /// The guest runs with the Switcher mapped, and no more of it than it needs.
    Switcher,
    /// Entries give translations that the guest told.
    Told,
    /// The guest reads what was last written.
    Memory,
    /// No entry has a bit that it must not have.
    Bits,
    /// The host goes on. This one needs no watch: a crash ends the scenario.
    Crash,
}

impl Oracle {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Justified,
        Self::References,
        Self::Switcher,
        Self::Told,
        Self::Memory,
        Self::Bits,
        Self::Crash,
    ];

    /// Its word in classes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::References => "references",
            Self::Switcher => "switcher",
            Self::Told => "told",
            Self::Memory => "memory",
            Self::Bits => "bits",
            Self::Crash => "crash",
        }
    }

    /// The sort of trouble that it tells of, and what of it goes into the class.
    pub fn observable(self, what: &str) -> (Kind, String) {
        match self {
            Self::Crash => (Kind::HostBug, what.to_owned()),
            oracle => (Kind::Breach, format!("{}: {what}", oracle.name())),
        }
    }
}

/// A sentence that did not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Whose sentence.
    pub oracle: Oracle,
    /// The verb of the step, or of the call in its ring, at which it ceased to hold.
    pub verb: &'static str,
    /// What was seen.
    pub what: &'static str,
    /// Number of the step, from 0; none for `init_guest_pagetable`.
    pub step: Option<usize>,
    /// The address or frame concerned, for people.
    pub at: u32,
}

impl Breach {
    /// Its class.
    pub fn class(&self, mode: PagingMode) -> Class {
        let (kind, observable) = self.oracle.observable(self.what);
        Class {
            mode: mode_name(mode),
            kind,
            verb: self.verb,
            observable,
        }
    }

    /// Its class and where it was told, a thing a line.
    pub fn text(&self, mode: PagingMode) -> String {
        let class = self.class(mode);
        let step = match self.step {
            Some(step) => format!("step {}", step + 1),
            None => "the start".into(),
        };
        format!("class {} {class}\n{step}, at {:#x}\n", class.id(), self.at)
    }

    /// The same fault, seen elsewhere or later.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.oracle, self.verb, self.what) == (other.oracle, other.verb, other.what)
    }
}
