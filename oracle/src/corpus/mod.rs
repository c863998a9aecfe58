// SPDX-License-Identifier: GPL-2.0-or-later
//! Corpora that last: a scenario stays for what it alone shows, be it coverage or behaviour.
//!
//! What a scenario shows is a set of [`feature`]s. [`cover`] chooses few scenarios that show all that many do, [`goal`]
//! makes one small without losing its own, [`adopt`] brings a fuzzer's finds into a corpus that people read, with a
//! [`name`], and [`seeds`] makes inputs for the fuzz targets of a corpus and of the [`stretches`] of real boots.

pub mod adopt;
pub mod cover;
pub mod feature;
pub mod goal;
pub mod input;
mod line;
pub mod name;
pub mod seeds;
pub mod stretches;
