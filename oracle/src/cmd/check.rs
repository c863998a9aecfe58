// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff check`, the rig's main job: all corpora in both modes, then a short campaign, then a summary.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::{CheckArgs, campaign, reference, replay, summary, usage};
use crate::exit::Exit;

/// The corpora of this project: below the current folder, or else where it was built.
pub fn corpora() -> PathBuf {
    let here = Path::new("corpora");
    if here.is_dir() {
        here.into()
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora")
    }
}

/// Does it all.
pub fn check(args: &CheckArgs, interrupted: &AtomicBool) -> Exit {
    if !reference::announce() {
        return Exit::Nothing;
    }
    let corpora = args.corpora.clone().unwrap_or_else(corpora);
    let files = match replay::files(&[corpora]) {
        Ok(files) => files,
        Err(error) if error.is_empty_folder() => {
            eprintln!("lgdiff: {error}");
            return Exit::Nothing;
        }
        Err(error) => return usage(error),
    };
    let (mut exit, cases) = replay::run_files(&files, interrupted, true, None);
    if exit == Exit::Usage {
        return exit;
    }
    exit = replay::finish(exit, &cases, "corpora", args.junit.as_deref());
    let options = campaign::short(args.seconds, PathBuf::from("divergences"));
    match campaign::with_progress(&options, interrupted) {
        Ok(report) => {
            summary::print(&options, &report);
            exit = exit.and(campaign::exit_of(&report));
        }
        Err(error) => {
            return usage(format!(
                "{}: cannot be written to: {error}",
                options.folder.display()
            ));
        }
    }
    println!(
        "check: {}",
        if exit == Exit::Agree {
            "all agree"
        } else {
            "NOT all agree"
        }
    );
    exit
}
