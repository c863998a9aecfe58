// SPDX-License-Identifier: GPL-2.0-or-later
//! The engine of the oracle: what a scenario is, and how one is run on a side and compared.
//!
//! Nothing here allocates or needs an operating system: the same engine runs in the test rig, in a
//! kernel module and on a bare machine.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod calls;
mod changes;
pub mod cpu;
pub mod digest;
pub mod draw;
pub mod observe;
mod outside;
pub mod pair;
pub mod port;
pub mod record;
pub mod run;
pub mod scenario;
pub mod side;

pub use scenario::{
    BinaryError, Check, During, Event, Expect, MAX_PAGE_RECORDS, MAX_STEPS, Machine, MachineError,
    Mapping, PageRecord, PagingMode, Quals, RecordError, Recorded, Reuse, Scenario, Step, Verb,
};

pub use calls::{Calls, KeepsCalls, KernelCall};
pub use pair::{Care, Difference, Left, Level, Pair, left};
pub use port::{PortHost, PortSide};
pub use record::Recorder;
pub use run::{Outcome, Runner};
pub use side::{BLOCK_WORDS, Demand, FrameName, FrameWords, Machinery, Side, SlotState, State};
