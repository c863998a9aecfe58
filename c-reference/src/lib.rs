// SPDX-License-Identifier: GPL-2.0-or-later
//! The original lguest page-table code (C, Linux v4.4), in both paging modes,
//! as something that a test can call: its host is a [`Callbacks`], its tables
//! lie in an [`Arena`], its counters are a [`Shared`], and whatever it does
//! that would crash a host comes back as a [`Crash`].
//!
//! The file itself is not part of this repository; the build finds or fetches
//! it, and [`reference()`] says which one it was. Without it this crate still
//! builds, and [`Original::new`] gives `None`.
//!
//! Every function answers to the one of the same name in `page_tables.c`, or
//! in the parts of lguest around it that `shim/` stands in for.

mod arena;
#[allow(dead_code, missing_docs, non_camel_case_types, clippy::all)]
#[rustfmt::skip]
mod bindings;
mod callbacks;
pub mod cover;
mod crash;
mod door;
mod functions;
mod original;
mod reference;
mod shared;
mod state;

pub use arena::Arena;
pub use callbacks::{Callbacks, NO_PFN};
pub use crash::{Crash, CrashKind};
pub use door::{Fact, facts};
pub use original::{Config, Original, PagingMode};
pub use reference::{Reference, reference};
pub use shared::{CallKind, DATA_BASE, MAX_CPUS, MAX_STACK_PINS, Shared, mixed};
pub use state::Pgdir;
