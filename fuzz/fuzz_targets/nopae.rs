// SPDX-License-Identifier: GPL-2.0-or-later
//! A scenario with two-level paging, on both sides.
#![no_main]

mod hooks;

use lguest_engine::PagingMode;
use lguest_fuzz::pair::check;

hooks::scenarios!(|data| check(data, PagingMode::NoPae, &mut hooks::count));
