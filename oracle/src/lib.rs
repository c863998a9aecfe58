// SPDX-License-Identifier: GPL-2.0-or-later
//! The oracle: joins the original, its port and a simulated host, and tells every difference.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod behaviour;
pub mod campaign;
pub mod catalogue;
pub mod class;
pub mod cmd;
pub mod corpus;
pub mod drive;
pub mod exit;
pub mod findings;
pub mod fuzzed;
pub mod generate;
pub mod hardened;
pub mod harm;
pub mod heading;
pub mod load;
pub mod minimize;
pub mod mix;
pub mod original;
pub mod recording;
pub mod report;
pub mod rig;
pub mod scenario_buf;
pub mod sim;
pub mod tally;
pub mod text;
pub mod trace;
pub mod verify;
pub mod watch;
pub mod witness;
pub mod wrong;
