// SPDX-License-Identifier: GPL-2.0-or-later
//! Finds the original, derives the file that is compiled from it, compiles it
//! in both paging modes, and notes for the crate which one it was.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/mod.rs"]
mod parts;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;

use compile::{Compiled, Options, compile};
use parts::derive::derive;
use parts::find::{Found, Outcome, Search};
use parts::pin::Pin;

fn main() {
    if let Err(why) = run() {
        for line in why.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let crate_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let names = parts::find::VARIABLES.iter().chain(&compile::VARIABLES);
    // cc watches them, but not where the compiler is our choice because none was named.
    for name in names.chain(&parts::cover::COMPILERS) {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for path in ["build.rs", "build", "shim", "upstream.toml"] {
        println!("cargo::rerun-if-changed={path}");
    }

    let toml = crate_dir.join("upstream.toml");
    let pin = fs::read_to_string(&toml)
        .map_err(|e| e.to_string())
        .and_then(|text| Pin::parse(&text))
        .map_err(|e| format!("{}: {e}", toml.display()))?;
    // The profile's folder, which the builds of one profile share.
    let stamp = out_dir
        .ancestors()
        .nth(3)
        .unwrap_or(&out_dir)
        .join("lguest-fetch-failed");
    let search = Search {
        pin: &pin,
        crate_dir: &crate_dir,
        out_dir: &out_dir,
        stamp: &stamp,
        env: &|name| env::var(name).ok(),
    };
    match search.find()? {
        Outcome::Found(found) => present(&pin, &found, &crate_dir, &out_dir),
        Outcome::Absent(report) => absent(&report, &crate_dir, &out_dir),
    }
}

fn present(pin: &Pin, found: &Found, crate_dir: &Path, out_dir: &Path) -> Result<(), String> {
    watch_found(found, crate_dir);
    if !supported() {
        return absent(
            "the original can be compiled for Linux on x86-64 only",
            crate_dir,
            out_dir,
        );
    }
    let derived = derive(&found.bytes);
    if found.pinned && derived.replaced.len() != pin.literals {
        return Err(format!(
            "{}: {} long literals replaced, expected {} as upstream.toml says",
            found.path.display(),
            derived.replaced.len(),
            pin.literals
        ));
    }
    if !found.pinned {
        println!(
            "cargo::warning=the reference is not the pinned original: {} (SHA-256 {}), \
             {} long literals replaced",
            found.path.display(),
            found.sha256,
            derived.replaced.len()
        );
    }

    let options = Options::from_env()?;
    // In a folder of its own, where no header of a kernel tree is found first.
    let (name, bytes, replaced) = if options.llp64 {
        ("page_tables.original.c", &found.bytes, &[][..])
    } else {
        (
            "page_tables.derived.c",
            &derived.bytes,
            &derived.replaced[..],
        )
    };
    let source = out_dir.join("source").join(name);
    write(&source, bytes)?;
    let compiled = compile(&options, &crate_dir.join("shim"), &source)?;
    note(found, &options, &compiled, &source, replaced, out_dir)
}

fn supported() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_POINTER_WIDTH", "64")
}

fn absent(report: &str, crate_dir: &Path, out_dir: &Path) -> Result<(), String> {
    for line in report.lines() {
        println!("cargo::warning={line}");
    }
    println!("cargo::warning=BUILDING WITHOUT THE ORIGINAL: nothing will be compared with it.");
    println!(
        "cargo::rerun-if-changed={}",
        crate_dir.join("upstream").display()
    );
    println!("cargo::rustc-cfg=no_reference");
    println!("cargo::metadata=reference=none");
    write(&out_dir.join("reference.rs"), b"None")
}

/// A fetched file is younger than this run; it is given the age of the file
/// that pins it, or the next build would take it for changed.
fn watch_found(found: &Found, crate_dir: &Path) {
    println!("cargo::rerun-if-changed={}", found.path.display());
    println!("cargo::metadata=reference={}", found.path.display());
    if found.by.contains("://") {
        let age = fs::metadata(crate_dir.join("upstream.toml")).and_then(|meta| meta.modified());
        let file = fs::File::options().append(true).open(&found.path);
        if let (Ok(age), Ok(file)) = (age, file) {
            // Failing costs one more build, nothing else.
            let _ = file.set_modified(age);
        }
    }
}

/// Leaves the description that `reference()` gives.
fn note(
    found: &Found,
    options: &Options,
    compiled: &Compiled,
    source: &Path,
    replaced: &[(usize, usize)],
    out_dir: &Path,
) -> Result<(), String> {
    let text = format!(
        "Some(Reference {{ path: {:?}, found_by: {:?}, sha256: {:?}, pinned: {:?}, \
         compiled_file: {:?}, variant: {:?}, compiler: {:?}, options: {:?}, replaced: &{:?} }})",
        found.path.display().to_string(),
        found.by,
        found.sha256,
        found.pinned,
        source.display().to_string(),
        if options.llp64 { "llp64" } else { "derived" },
        compiled.compiler,
        compiled.options,
        replaced
    );
    write(&out_dir.join("reference.rs"), text.as_bytes())
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

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}; this program is run by cargo"))
}
