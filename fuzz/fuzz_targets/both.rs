// SPDX-License-Identifier: GPL-2.0-or-later
//! One scenario in both paging modes, on both sides.
#![no_main]

mod hooks;

hooks::scenarios!(lguest_engine::PagingMode::Both);
