// SPDX-License-Identifier: GPL-2.0-or-later
//! The second half of `oracle/coverage`, which exports and calls it: prints the table and fails where coverage does.
//!
//! Arguments: the folder with `nopae.json`, `nopae.lcov`, `pae.json`, `pae.lcov` and `port.lcov`, the list of arms that
//! no sequence takes, the file of figures, and `--write` to bring that up to date.

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
            eprintln!("coverage: expected FOLDER LIST FIGURES [--write]");
            return ExitCode::from(2);
        }
    };
    let write = args.get(3).is_some_and(|arg| arg == "--write");
    match run(Path::new(folder), list, figures, write) {
        Ok(said) if said.is_empty() => ExitCode::SUCCESS,
        Ok(said) => {
            for line in said {
                println!("coverage: {line}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("coverage: {error}");
            ExitCode::from(2)
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn run(folder: &Path, list: &str, file: &str, write: bool) -> Result<Vec<String>, String> {
    let rows = gate::listed(&read(Path::new(list))?).map_err(|error| format!("{list}: {error}"))?;
    let mut figures = gate::Figures::new();
    let mut said = Vec::new();
    for mode in ["nopae", "pae"] {
        let json = read(&folder.join(format!("{mode}.json")))?;
        let json = serde_json::from_str(&json).map_err(|error| format!("{mode}.json: {error}"))?;
        let arms = profile::arms(&json, SOURCE, |name| fs::read_to_string(name).ok())?;
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
    if write {
        fs::write(file, gate::print(&figures)).map_err(|error| format!("{file}: {error}"))?;
    }
    let before =
        gate::parse(&read(Path::new(file))?).map_err(|error| format!("{file}: {error}"))?;
    said.extend(gate::fallen(&figures, &before));
    Ok(said)
}
