// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff check`, the rig's main job: all corpora in both modes, then a short campaign, then a summary.
//!
//! Without the original the corpora are held to their recordings.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::{CheckArgs, campaign, reference, replay, summary, usage};
use crate::exit::Exit;
use crate::recording;
use crate::rig::Subject;

/// The corpora of this project: below the current folder, or else where it was built.
fn corpora() -> PathBuf {
    let here = Path::new("corpora");
    if here.is_dir() {
        here.into()
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora")
    }
}

/// Does it all.
pub fn check(args: &CheckArgs, interrupted: &AtomicBool) -> Exit {
    let original = reference::announce_judge();
    let corpora = args.corpora.clone().unwrap_or_else(corpora);
    let corpora = [corpora];
    let files = match replay::files(&corpora) {
        Ok(files) => files,
        Err(error) if error.is_empty_folder() => {
            eprintln!("lgdiff: {error}");
            return Exit::Nothing;
        }
        Err(error) => return usage(error),
    };
    let (mut exit, cases) = replay::run_files(&files, interrupted, original, true);
    if exit == Exit::Usage {
        return exit;
    }
    exit = exit.and(recording::orphans_told(&corpora));
    exit = replay::finish(exit, &cases, "corpora", args.junit.as_deref());
    let mut options = campaign::short(args.seconds, PathBuf::from("divergences"));
    if !original {
        options.subject = Subject::Faithful;
        println!("campaign: the port alone, compared with nothing");
    }
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
        if exit != Exit::Agree {
            "NOT all agree"
        } else if original {
            "all agree"
        } else {
            "all agree with the recordings; there is no original"
        }
    );
    exit
}
