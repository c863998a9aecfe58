// SPDX-License-Identifier: GPL-2.0-or-later
//! Every scenario of the corpora, in every mode that it is for, as a test of its own.

use std::path::Path;
use std::process::ExitCode;

use lguest_oracle::load::{find, load};
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::text;
use lguest_oracle::verify::verify;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let missing = lguest_c_reference::reference().is_none();
    if missing {
        eprintln!("corpora: skipped, this program was built without the original");
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
            let scenario = scenario.clone();
            let trial = Trial::test(format!("{name} [{}]", mode_name(*mode)), move || {
                let verdict = verify(&Hosts::new()?, &scenario, *mode);
                if verdict.passed() {
                    Ok(())
                } else {
                    Err(Failed::from(verdict.to_string()))
                }
            });
            trials.push(trial.with_ignored_flag(missing));
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
    libtest_mimic::run(&arguments, trials).exit_code()
}
