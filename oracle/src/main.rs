// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff`: the command line of the rig.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lguest_oracle::cmd::main().code())
}
