// SPDX-License-Identifier: GPL-2.0-or-later
//! Makes the spoiled copies: of the port, as modules; of the original, as one small library.

// Both are shared with others, who use more of them.
#[allow(dead_code)]
#[path = "../../c-reference/build/compile.rs"]
mod compile;
#[allow(dead_code)]
#[path = "../../c-reference/build/mod.rs"]
mod parts;

#[path = "src/c_table.rs"]
mod c_table;
#[path = "build/copies.rs"]
mod copies;
#[path = "build/original.rs"]
mod original;
#[path = "src/port_table.rs"]
mod port_table;
#[allow(dead_code)]
#[path = "src/table.rs"]
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;

fn main() {
    if let Err(why) = run() {
        for line in why.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    for path in [
        "build.rs",
        "build",
        "src/table.rs",
        "src/port_table.rs",
        "src/c_table.rs",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    copies::make(&here.join("../../rust-impl/src"), &out_dir)?;
    original::make(&here.join("../../c-reference"), &out_dir)
}

/// Replaces the only occurrence of `from`.
fn edit(text: &str, from: &str, to: &str) -> Result<String, String> {
    match text.matches(from).count() {
        1 => Ok(text.replacen(from, to, 1)),
        n => Err(format!("{from:?} occurs {n} times, expected once")),
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    let make = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    };
    make().map_err(|e: std::io::Error| format!("cannot write {}: {e}", path.display()))
}

/// All files below `folder`, as paths from it, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(sub) = folders.pop() {
        let list = fs::read_dir(folder.join(&sub))
            .map_err(|e| format!("cannot list {}: {e}", folder.join(&sub).display()))?;
        for entry in list {
            let entry = entry.map_err(|e| e.to_string())?;
            let path = sub.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}; this program is run by cargo"))
}
