// SPDX-License-Identifier: GPL-2.0-or-later
//! The parts of the build script that stand on their own; tests include them.

pub mod cover;
pub mod derive;
pub mod fetch;
pub mod find;
pub mod pin;
pub mod symbols;
