// SPDX-License-Identifier: GPL-2.0-or-later
//! Every scenario of the corpora, in every mode that it is for, as tests of its own: original and port agree, and
//! both do what is recorded. Without the original the port alone is held to the recordings.

use std::path::Path;
use std::process::ExitCode;

use lguest_oracle::load::{find, load};
use lguest_oracle::recording::{hold, of_original, of_port, orphans};
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::text;
use lguest_oracle::verify::verify;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let reference = lguest_c_reference::reference();
    let missing = reference.is_none();
    if missing {
        eprintln!("corpora: built without the original; the port is held to its recordings");
    }
    let unpinned = !missing && reference.is_none_or(|reference| !reference.pinned);
    if unpinned {
        eprintln!(
            "corpora: the reference is not the pinned original, and is not held to its recordings"
        );
    }
    let mut trials = Vec::new();
    for file in find(&corpora).expect("the corpora can be read") {
        let name = file
            .strip_prefix(&corpora)
            .unwrap_or(&file)
            .display()
            .to_string();
        let scenario = match load(&file) {
            Ok(scenario) => scenario,
            Err(error) => {
                trials.push(Trial::test(name, move || {
                    Err(Failed::from(error.to_string()))
                }));
                continue;
            }
        };
        for mode in modes(scenario.machine.mode) {
            let in_mode = format!("{name} [{}]", mode_name(*mode));
            let given = scenario.clone();
            let trial = Trial::test(in_mode.clone(), move || {
                let verdict = verify(&Hosts::new()?, &given, *mode);
                if verdict.passed() {
                    Ok(())
                } else {
                    Err(Failed::from(verdict.to_string()))
                }
            });
            trials.push(trial.with_ignored_flag(missing));
            let (given, of) = (scenario.clone(), file.clone());
            trials.push(Trial::test(
                format!("{in_mode} port as recorded"),
                move || {
                    let found = of_port(&Hosts::new()?, &given, *mode);
                    hold(&of, &given, *mode, "port", &found)
                        .map_err(|fault| fault.to_string().into())
                },
            ));
            let (given, of) = (scenario.clone(), file.clone());
            let trial = Trial::test(format!("{in_mode} original as recorded"), move || {
                let found = of_original(&Hosts::new()?, &given, *mode).ok_or("no original")?;
                hold(&of, &given, *mode, "original", &found)
                    .map_err(|fault| fault.to_string().into())
            });
            trials.push(trial.with_ignored_flag(missing || unpinned));
        }
        trials.push(Trial::test(format!("{name} is canonical"), move || {
            let text = std::fs::read_to_string(&file)?;
            let canonical = text::format(&text).map_err(|error| error.to_string())?;
            if text == canonical {
                Ok(())
            } else {
                Err(Failed::from("run: cargo run --release -- fmt corpora"))
            }
        }));
    }
    trials.push(Trial::test(
        "no recording without its scenario",
        move || {
            let orphans = orphans(&[corpora]).map_err(|error| error.to_string())?;
            match &orphans[..] {
                [] => Ok(()),
                [first, ..] => Err(Failed::from(format!("{}: no scenario", first.display()))),
            }
        },
    ));
    libtest_mimic::run(&arguments, trials).exit_code()
}
