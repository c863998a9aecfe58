// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff findings`: lists the findings, checks that each still shows just as its heading says, on the original and
//! on the faithful port, and not on the hardened one; makes the table of them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{FindingsArgs, check, reference, usage};
use crate::catalogue::{read, table, verify};
use crate::exit::Exit;
use crate::heading::Heading;
use crate::rig::{Hosts, mode_name, modes};
use crate::witness::write_whole;

/// Lists and checks what the arguments say.
pub fn findings(args: &FindingsArgs, interrupted: &AtomicBool) -> Exit {
    let folder = args.corpora.clone().unwrap_or_else(check::corpora);
    let folder = folder.join("findings");
    let all = match read(&folder) {
        Ok(all) => all,
        Err(error) => return usage(error),
    };
    if all.is_empty() {
        return Exit::Nothing;
    }
    if !reference::announce() {
        return Exit::Nothing;
    }
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let mut exit = Exit::Agree;
    for finding in &all {
        let Heading { id, title, .. } = &finding.heading;
        for mode in modes(finding.scenario.machine.mode) {
            if interrupted.load(Ordering::Relaxed) {
                return exit.and(Exit::Interrupted);
            }
            let (said, of) = match verify(&hosts, finding, *mode) {
                Ok(()) => {
                    let said = match finding.heading.fix {
                        Some(_) => "shows as it should, and not on the hardened port",
                        None => "shows as it should, and the hardened port keeps it",
                    };
                    (said.into(), Exit::Agree)
                }
                Err((said, of)) => (said, of),
            };
            exit = exit.and(of);
            println!("{id} [{}] {title}: {said}", mode_name(*mode));
        }
    }
    exit.and(keep_table(
        &folder.join("README.md"),
        &table(&all),
        args.check,
    ))
}

/// Writes the table, or says whether it is as it should be.
fn keep_table(path: &Path, table: &str, check: bool) -> Exit {
    if std::fs::read(path).is_ok_and(|now| now == table.as_bytes()) {
        return Exit::Agree;
    }
    if check {
        println!("{}: not the table of these findings", path.display());
        return Exit::Differ;
    }
    match write_whole(path, table.as_bytes()) {
        Ok(()) => {
            println!("{}: written", path.display());
            Exit::Agree
        }
        Err(error) => usage(format!("{}: {error}", path.display())),
    }
}
