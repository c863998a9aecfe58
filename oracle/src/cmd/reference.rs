// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff reference`, and the line about the original that every run begins with.

use crate::exit::Exit;

/// Says which original is built in.
pub fn reference() -> Exit {
    match lguest_c_reference::reference() {
        Some(reference) => {
            println!("original  {}", reference.path);
            println!("found by  {}", reference.found_by);
            println!(
                "sha256    {} ({})",
                reference.sha256,
                pinned(reference.pinned)
            );
            println!(
                "compiled  {} ({} build, {})",
                reference.compiled_file, reference.variant, reference.options
            );
            println!("compiler  {}", reference.compiler);
            for (line, column) in reference.replaced {
                println!("narrowed  a literal at line {line}, column {column}");
            }
            Exit::Agree
        }
        None => Exit::Nothing,
    }
}

/// What is said when there is no original.
pub const MISSING: &str = "no original: this program was built without page_tables.c, so nothing can be compared with it. \
Put the file of Linux v4.4 where the README says, or let the build fetch it, and build again.";

/// Says on stderr which original runs; false if there is none, which `main` has said already.
pub fn announce() -> bool {
    match lguest_c_reference::reference() {
        Some(reference) => {
            eprintln!("original: {}", reference.path);
            eprintln!(
                "  sha256 {} ({})",
                reference.sha256,
                pinned(reference.pinned)
            );
            true
        }
        None => false,
    }
}

/// The same for commands that can go by recordings instead.
pub fn announce_judge() -> bool {
    let there = announce();
    if !there {
        eprintln!("lgdiff: scenarios are held to the recordings of the original beside them");
    }
    there
}

fn pinned(pinned: bool) -> &'static str {
    if pinned {
        "pinned"
    } else {
        "NOT the pinned file"
    }
}
