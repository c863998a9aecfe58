// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff fmt` and `lgdiff convert`: the forms of scenario files.

use std::path::Path;

use super::{ConvertArgs, FmtArgs, usage};
use crate::exit::Exit;
use crate::load::{BINARY_EXTENSION, TEXT_EXTENSION, find, is_binary, load, load_total, read_text};
use crate::text;
use crate::witness::write_whole;

/// Brings files to the canonical form, or says which are not.
pub fn fmt(args: &FmtArgs) -> Exit {
    let mut exit = Exit::Agree;
    for path in &args.paths {
        let files = match find(path) {
            Ok(files) => files,
            Err(error) if error.is_empty_folder() => {
                eprintln!("lgdiff: {error}");
                exit = exit.and(Exit::Nothing);
                continue;
            }
            Err(error) => return usage(error),
        };
        for file in files.iter().filter(|file| !is_binary(file)) {
            match fmt_file(file, args.check) {
                Ok(true) => {}
                Ok(false) => {
                    println!("{}: not in the canonical form", file.display());
                    exit = exit.and(Exit::Differ);
                }
                Err(error) => exit = exit.and(usage(error)),
            }
        }
    }
    exit
}

/// Whether the file was, or now is, as it should be.
fn fmt_file(file: &Path, check: bool) -> Result<bool, String> {
    let before = read_text(file).map_err(|error| error.to_string())?;
    let after = text::format(&before).map_err(|error| format!("{}:{error}", file.display()))?;
    if before == after {
        return Ok(true);
    }
    if check {
        return Ok(false);
    }
    write_whole(file, after.as_bytes()).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(true)
}

/// Turns a scenario into its other form.
pub fn convert(args: &ConvertArgs) -> Exit {
    let scenario = match args.mode {
        Some(mode) => load_total(&args.file, mode.into()),
        None => load(&args.file),
    };
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(error) => return usage(error),
    };
    // A fuzzer's file has no ending of its own.
    let named = args.output.as_deref().unwrap_or(&args.file);
    let to_text = if args.total {
        args.output.is_none() || !is_binary(named)
    } else {
        is_binary(&args.file)
    };
    let extension = if to_text {
        TEXT_EXTENSION
    } else {
        BINARY_EXTENSION
    };
    let output = args
        .output
        .clone()
        .unwrap_or_else(|| args.file.with_extension(extension));
    let bytes = if to_text {
        text::print(&scenario).into_bytes()
    } else {
        scenario.to_bytes()
    };
    match write_whole(&output, &bytes) {
        Ok(()) => {
            println!("{}", output.display());
            Exit::Agree
        }
        Err(error) => usage(format!("{}: {error}", output.display())),
    }
}
