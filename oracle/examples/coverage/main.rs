// SPDX-License-Identifier: GPL-2.0-or-later
//! The second half of `oracle/coverage`, which exports and calls it: prints the table and fails where coverage does.
//!
//! Arguments: the folder with `nopae.json`, `nopae.lcov`, `pae.json`, `pae.lcov` and `port.lcov`, the list of arms that
//! no sequence takes, the file of figures, and `--write` to bring that up to date, or `--tell` to fail nothing.

mod gate;
mod profile;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use profile::Covered;

/// The name by which the original was compiled.
const SOURCE: &str = "/page_tables.derived.c";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (folder, list, figures) = match &args[..] {
        [folder, list, figures] | [folder, list, figures, _] => (folder, list, figures),
        _ => {
            eprintln!("coverage: expected FOLDER LIST FIGURES [--write | --tell]");
            return ExitCode::from(2);
        }
    };
    let what = match args.get(3).map(String::as_str) {
        Some("--write") => What::Write,
        Some("--tell") => What::Tell,
        _ => What::Judge,
    };
    match run(Path::new(folder), list, figures, what) {
        Ok(said) => {
            for line in &said {
                println!("coverage: {line}");
            }
            if said.is_empty() || what == What::Tell {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("coverage: {error}");
            ExitCode::from(2)
        }
    }
}

/// What is done with the figures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// They are held against those of before.
    Judge,
    /// They become those.
    Write,
    /// Neither: they are not the corpora's.
    Tell,
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn run(folder: &Path, list: &str, file: &str, what: What) -> Result<Vec<String>, String> {
    let rows = gate::listed(&read(Path::new(list))?).map_err(|error| format!("{list}: {error}"))?;
    let mut figures = gate::Figures::new();
    let mut said = Vec::new();
    for mode in ["nopae", "pae"] {
        let json = read(&folder.join(format!("{mode}.json")))?;
        let json = serde_json::from_str(&json).map_err(|error| format!("{mode}.json: {error}"))?;
        let arms = profile::arms(&json, SOURCE, |name| fs::read_to_string(name).ok())?;
        if what == What::Tell && arms.iter().all(|arm| arm.taken == 0) {
            // Inputs of the other mode's target.
            continue;
        }
        said.extend(gate::complaints(mode, &arms, &rows));
        let mut taken = Covered::default();
        arms.iter().for_each(|arm| taken.add(arm.taken != 0));
        let lines = profile::lcov(&read(&folder.join(format!("{mode}.lcov")))?)?;
        for (name, missed) in &lines.missed {
            said.push(format!(
                "{mode}: lines of {name} that were never run: {missed:?}"
            ));
        }
        figures.insert(format!("original {mode} arms"), taken);
        figures.insert(format!("original {mode} lines"), lines.lines);
    }
    let port = profile::lcov(&read(&folder.join("port.lcov"))?)?;
    figures.insert("port arms".into(), port.arms);
    figures.insert("port lines".into(), port.lines);
    for (name, missed) in &port.missed {
        let name = name.rsplit("rust-impl/src/").next().unwrap_or(name);
        println!("port: not run in {name}: {missed:?}");
    }
    print!("{}", gate::print(&figures));
    if what == What::Tell {
        return Ok(said);
    }
    if what == What::Write {
        fs::write(file, gate::print(&figures)).map_err(|error| format!("{file}: {error}"))?;
    }
    let before =
        gate::parse(&read(Path::new(file))?).map_err(|error| format!("{file}: {error}"))?;
    said.extend(gate::fallen(&figures, &before));
    Ok(said)
}
