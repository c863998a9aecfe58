// SPDX-License-Identifier: GPL-2.0-or-later
//! The text form: any bytes are read or refused, and what is read stays the same however often it is printed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| lguest_fuzz::texts::check(data));
