// SPDX-License-Identifier: GPL-2.0-or-later
//! What a scenario is: a machine, the host's mapping of its pages, steps, and what must come of it.
//!
//! Each type has three views that agree: a typed one ([`Machine`], [`PageRecord`], [`Step`]), a
//! fixed-size record (`encode`), and a reduction (`reduce`) that moves any value into the valid
//! range and leaves valid values alone. A value is valid if and only if its reduction is itself;
//! both readers of the binary form stand on that.

pub mod binary;
mod expect;
pub mod machine;
mod page;
mod quals;
mod record;
pub mod recorded;
pub mod step;

pub use binary::{BinaryError, Scenario};
pub use expect::Expect;
pub use machine::{
    MAX_BACKED, MAX_CPUS, MAX_TABLES, Machine, MachineError, PAGE_SIZE, PagingMode, Reuse,
};
pub use page::{Mapping, PageRecord};
pub use quals::{During, Event, Quals};
pub use record::encode_header;
pub use recorded::{Check, Recorded};
pub use step::{HYPERCALLS, Step, Verb, hypercall_name};

/// The most page records that a scenario may have.
pub const MAX_PAGE_RECORDS: usize = 256;
/// The most steps that a scenario may have.
pub const MAX_STEPS: usize = 4_000_000;

/// A page record or a step whose value is out of range for its machine, or not canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The part of the record that is wrong.
    pub field: &'static str,
    /// What would be right.
    pub expected: &'static str,
}

impl core::fmt::Display for RecordError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "bad {}; expected {}", self.field, self.expected)
    }
}

impl core::error::Error for RecordError {}

/// `v` if it lies in `lo..=hi`, else the value of that range that it falls on modulo its length.
const fn fit(v: u32, lo: u32, hi: u32) -> u32 {
    if v >= lo && v <= hi {
        v
    } else {
        // 1 + hi - lo would only wrap for the full range, where every value is in range.
        match v.checked_rem(hi.wrapping_sub(lo).wrapping_add(1)) {
            Some(rest) => lo + rest,
            None => lo,
        }
    }
}
