// SPDX-License-Identifier: GPL-2.0-or-later
//! Alarms: bugs planted on purpose, to see that a campaign finds each of them.
//!
//! A rig that never rings may be right, or deaf. Here the port is copied once for each bug of
//! [`port_table`], the original once for each of [`c_table`], every copy is spoiled in one place,
//! and the tests let campaigns loose on them. One more copy of the port stays as it is: about
//! that one the rig must keep quiet.
#![warn(missing_docs)]

#[macro_use]
mod adapt;
pub mod c_table;
mod guest;
pub mod hunt;
pub mod port_table;
mod spoiled;
mod table;

#[doc(hidden)]
pub mod copies {
    //! The copies of the port, one module each; made by the build script.
    include!(concat!(env!("OUT_DIR"), "/copies.rs"));
}

pub use guest::{Guest, PlantedSide};
pub use spoiled::spoiled_original;
pub use table::{Modes, Place};
