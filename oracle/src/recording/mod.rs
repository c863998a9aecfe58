// SPDX-License-Identifier: GPL-2.0-or-later
//! Recordings: what the original was seen to do in a scenario, kept beside it as text.
//!
//! `NAME.scn` has its recording in `NAME.rec`. Its first lines tell the format, the SHA-256 of the original, and the
//! digest of the scenario (FNV-1a with 64 bits over its binary form), so that one that was edited since is told:
//!
//! ```text
//! lguest recording 1
//! original <SHA-256 in 64 hex digits>
//! scenario <16 hex digits>
//! mode nopae
//! ```
//!
//! and then, for each mode that the scenario is for, two-level first, the lines of
//! [`lguest_engine::record`], a step each.

mod file;
mod judge;
mod take;

pub use file::{Broken, EXTENSION, Recording, orphans, orphans_told, place, read, scenario_digest};
pub use judge::{Fault, hold};
pub use take::{Moment, lines, lines_seen, of_original, of_port};
