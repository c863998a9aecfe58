// SPDX-License-Identifier: GPL-2.0-or-later
//! Runs a target's inputs without libFuzzer: `replay MODE FOLDER...` runs each file as the target of that mode would;
//! `replay MODE FOLDER --write OUT` writes what each means as a scenario that `lgdiff` reads.
//!
//! `../../benches/rates.rs` holds it against the targets. In a fuzzer's build it is instrumented as they are, and
//! libFuzzer is there for what the instrumentation calls, but does not run.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;
use lguest_fuzz::pair;
use lguest_oracle::fuzzed;
use lguest_oracle::load::BINARY_EXTENSION;
#[cfg(fuzzing)]
use libfuzzer_sys as _;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mode = match arguments.next().as_deref() {
        Some("nopae") => PagingMode::NoPae,
        Some("pae") => PagingMode::Pae,
        Some("both") => PagingMode::Both,
        _ => return Err("usage: replay nopae|pae|both FOLDER... [--write OUT]".into()),
    };
    let (mut folders, mut out) = (Vec::new(), None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => {
                out = Some(PathBuf::from(
                    arguments.next().ok_or("--write needs a folder")?,
                ))
            }
            _ => folders.push(PathBuf::from(argument)),
        }
    }
    let mut count = 0;
    for folder in &folders {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let bytes = fs::read(&path)?;
            match &out {
                Some(out) => write(&path, &bytes, mode, out)?,
                None => pair::check(&bytes, mode, &mut |_| {}),
            }
            count += 1;
        }
    }
    println!("{count} inputs");
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: PagingMode, out: &Path) -> Result<(), Box<dyn Error>> {
    let name = path.file_name().ok_or("a file without a name")?;
    let scenario = fuzzed::read(bytes, mode);
    fs::write(
        out.join(name).with_extension(BINARY_EXTENSION),
        scenario.to_bytes(),
    )?;
    Ok(())
}
