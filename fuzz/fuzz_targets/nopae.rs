// SPDX-License-Identifier: GPL-2.0-or-later
//! A scenario with two-level paging, on both sides.
#![no_main]

mod hooks;

hooks::scenarios!(lguest_engine::PagingMode::NoPae);
