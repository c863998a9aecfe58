// SPDX-License-Identifier: GPL-2.0-or-later
//! With the feature `planted`, compiles copies of the original with something planted in each, beside the real one and
//! entered through the same door; without it, nothing.

// Both are shared with others, who use more of them.
#[allow(dead_code)]
#[path = "../c-reference/build/compile.rs"]
mod compile;
#[allow(dead_code)]
#[path = "../c-reference/build/mod.rs"]
mod parts;
#[path = "planted/table.rs"]
mod table;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use compile::Options;
use parts::cover::Cover;
use parts::derive::derive;
use table::{By, COPIES, Copy, hidden};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_PLANTED").is_none() {
        return;
    }
    if let Err(why) = run() {
        for line in why.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let variable = |name: &str| env::var(name).map_err(|e| format!("{name}: {e}"));
    let reference = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("../c-reference");
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    for name in compile::VARIABLES.iter().chain(&["CC"]) {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for path in ["shim", "build"] {
        println!("cargo::rerun-if-changed={}", reference.join(path).display());
    }
    println!("cargo::rerun-if-changed=planted");
    let found = variable("DEP_LGUEST_PAGE_TABLES_REFERENCE")?;
    println!("cargo::rerun-if-changed={found}");
    let original = fs::read(&found).map_err(|e| format!("{found}: {e}"))?;

    let default = Options::from_env()?;
    let shim = reference.join("shim");
    let (mut objects, mut entries, mut rows) = (Vec::new(), String::new(), String::new());
    let mut counted = false;
    for copy in &COPIES {
        let options = match copy.by {
            By::Default => Some(default.clone()),
            By::Clang => clang().map(|clang| default.by(&clang, Cover::LibFuzzer)),
            By::Gcc => {
                // Flags for all compilers may be clang's alone.
                let flags = env::var("CFLAGS").unwrap_or_default();
                let fit = !flags.contains("-fsanitize=fuzzer") && runs("gcc");
                let gcc = fit.then_some("gcc");
                gcc.map(|gcc| default.by(gcc, Cover::TracePc { compare: true }))
            }
            By::Blind => Some(default.blind()),
        };
        let Some(options) = options else {
            println!(
                "cargo::warning=without {}: no {:?} here",
                copy.name, copy.by
            );
            continue;
        };
        counted |= options.counted();
        let source = out_dir.join(copy.name).join("source/page_tables.c");
        write(&source, &derive(&edited(&original, copy)?).bytes)?;
        let mut calls = String::new();
        for mode in ["nopae", "pae"] {
            let prefix = format!("planted_{}_{mode}_", copy.name);
            let wrapper = fs::read_to_string(shim.join(format!("{mode}.c")));
            let wrapper = wrapper.map_err(|e| format!("shim/{mode}.c: {e}"))?;
            let file = out_dir
                .join(copy.name)
                .join(format!("{}_{mode}.c", copy.name));
            write(
                &file,
                wrapper.replace(&format!("{mode}_"), &prefix).as_bytes(),
            )?;
            let made = options
                .build_mode(&shim, &source)?
                .cargo_warnings(false)
                .file(&file)
                .try_compile_intermediates()
                .map_err(|e| format!("{}: does not compile: {e}", copy.name))?;
            objects.extend(made);
            // A String takes whatever is written to it.
            let _ = writeln!(entries, "fn {prefix}call(world: *mut c_void);");
            let _ = write!(calls, ", {prefix}call");
        }
        let _ = writeln!(rows, "({:?}{calls}),", copy.name);
    }
    if counted && !default.counted() {
        objects.extend(default.counter(&shim)?);
    }
    cc::Build::new()
        .objects(objects)
        .try_compile("lguest_planted")
        .map_err(|e| format!("cannot make a library of the copies: {e}"))?;
    let text = format!(
        "unsafe extern \"C\" {{\n{entries}}}\n\
         /// By name, for two levels and for three.\n\
         static ENTRIES: &[(&str, Entry, Entry)] = &[\n{rows}];\n"
    );
    write(&out_dir.join("planted.rs"), text.as_bytes())
}

/// The original with a copy's edit.
fn edited(original: &[u8], copy: &Copy) -> Result<Vec<u8>, String> {
    let (line, column) = copy.place;
    let lines = original.split_inclusive(|byte| *byte == b'\n');
    let begin = lines.take(line - 1).map(<[u8]>::len).sum::<usize>() + column - 1;
    let end = begin + copy.token.len();
    if original.get(begin..end) != Some(copy.token.as_bytes()) {
        return Err(format!(
            "{}: line {line}, column {column}: there is no {:?}; the copies are of the pinned original",
            copy.name, copy.token
        ));
    }
    let to = if copy.to.is_empty() {
        hidden()
    } else {
        copy.to.to_owned()
    };
    Ok([&original[..begin], to.as_bytes(), &original[end..]].concat())
}

/// A clang that runs.
fn clang() -> Option<String> {
    let named = env::var("CC").ok().filter(|name| name.contains("clang"));
    let names = named.into_iter().chain(compile::CLANGS.map(str::to_owned));
    { names }.find(|name| runs(name))
}

fn runs(compiler: &str) -> bool {
    let out = Command::new(compiler).arg("--version").output();
    out.is_ok_and(|out| out.status.success())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let make = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)
    };
    make().map_err(|e: std::io::Error| format!("cannot write {}: {e}", path.display()))
}
