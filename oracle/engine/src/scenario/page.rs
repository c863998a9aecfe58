// SPDX-License-Identifier: GPL-2.0-or-later
//! How the host maps the guest's pages: page records, and their ranges.

use super::{Machine, RecordError, fit};

/// How the launcher's process maps a guest page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mapping {
    /// Not mapped: every pin fails.
    Absent = 0,
    /// Mapped read-only: a pin for writing fails.
    ReadOnly = 1,
    /// Mapped writable.
    Writable = 2,
    /// Private: a pin for writing first gives the page a frame of its own.
    CopyOnWrite = 3,
}

/// How the host maps some guest pages, where that is not "writable, each on its own frame".
///
/// Records apply in order: for a page that several name, the last one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageRecord {
    /// The first guest page.
    pub first: u32,
    /// How many, at least 1; all of them are backed ([`Machine::backed`]).
    pub count: u32,
    /// How they are mapped.
    pub mapping: Mapping,
    /// If set, all of them lie on the frame that this (backed) guest page starts with when no
    /// record names it, whatever a record says of that page.
    pub shared: Option<u32>,
}

impl PageRecord {
    /// Moves every field into its range on this (valid) machine; a valid record stays as it is.
    #[must_use]
    pub const fn reduce(self, machine: &Machine) -> PageRecord {
        let last = machine.backed().saturating_sub(1);
        let first = fit(self.first, 0, last);
        let shared = match self.shared {
            Some(page) => Some(fit(page, 0, last)),
            None => None,
        };
        PageRecord {
            first,
            count: fit(self.count, 1, last - first + 1),
            mapping: self.mapping,
            shared,
        }
    }

    /// Whether the record is valid on this (valid) machine.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn check(&self, machine: &Machine) -> Result<(), RecordError> {
        let right = self.reduce(machine);
        let expected = "a guest page that has memory (below pages and 16384)";
        let field = if right.first != self.first {
            "first page"
        } else if right.count != self.count {
            "page count"
        } else if right.shared != self.shared {
            "shared page"
        } else {
            return Ok(());
        };
        Err(RecordError { field, expected })
    }
}
