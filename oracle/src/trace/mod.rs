// SPDX-License-Identifier: GPL-2.0-or-later
//! Traces: what a real host logged while a real guest ran on the very same page_tables.c.
//!
//! A trace is read record by record ([`Reader`]), gathered into calls, and turned into the steps of a scenario
//! ([`Import`]), each followed by what was recorded of it. A replay ([`verify`]) records in the same terms what each
//! side does ([`traced`]), and holds the one against the other. Nothing of this is in the way of a campaign.

mod befall;
mod calls;
pub mod check;
pub mod export;
mod fault;
mod flow;
mod gather;
mod hand;
mod import;
pub mod lanes;
mod memory;
mod reader;
mod record;
pub mod traced;
mod translate;
pub mod verify;

pub use hand::{Failure, Mismatch};
pub use import::{Detail, Import, Item};
pub use reader::{Reader, TraceError};
pub use record::{MESSAGE, Record};
