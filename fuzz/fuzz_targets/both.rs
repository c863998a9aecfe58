// SPDX-License-Identifier: GPL-2.0-or-later
//! One scenario in both paging modes, on both sides.
#![no_main]

mod hooks;

use lguest_engine::PagingMode;
use lguest_fuzz::pair::check;

hooks::scenarios!(|data| check(data, PagingMode::Both, &mut hooks::count));
