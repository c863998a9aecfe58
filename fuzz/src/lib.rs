// SPDX-License-Identifier: GPL-2.0-or-later
//! What the fuzz targets have in common: they turn bytes into scenarios, run them on both sides, and mutate them as
//! scenarios. All of it is safe code without a fuzzer; `fuzz_targets/` has the hooks.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod dictionary;
pub mod input;
pub mod keep;
pub mod mutate;
pub mod pair;
pub mod texts;
