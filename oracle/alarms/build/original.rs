// SPDX-License-Identifier: GPL-2.0-or-later
//! The spoiled originals: each planted bug compiled under names of its own, beside the real one,
//! and entered through the same door.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::c_table::{C, CBug, Edit, UNHARMED};
use crate::compile::{self, Options};
use crate::parts::derive::derive;
use crate::parts::pin::Pin;
use crate::parts::symbols::{Allowed, Instrumented};
use crate::{edit, files, read, write};

/// All names that these compilations export begin so.
const PREFIX: &str = "alarm_";

/// Compiles the table's bugs if the pinned original is there, and writes the list of their
/// entries and their tests; without it, tests that say why they are skipped.
pub fn make(reference: &Path, out_dir: &Path) -> Result<(), String> {
    for name in compile::VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
    }
    for path in ["shim", "build", "upstream.toml"] {
        println!("cargo::rerun-if-changed={}", reference.join(path).display());
    }
    let found = env::var("DEP_LGUEST_PAGE_TABLES_REFERENCE").unwrap_or_default();
    if found.is_empty() || found == "none" {
        return skip("skipped: built without the original", out_dir);
    }
    println!("cargo::rerun-if-changed={found}");
    let bytes = fs::read(&found).map_err(|e| format!("cannot read {found}: {e}"))?;
    if !Pin::parse(&read(&reference.join("upstream.toml"))?)?.matches(&bytes) {
        return skip("skipped: the reference is not the pinned original", out_dir);
    }

    let options = Options::from_env()?;
    let mut objects = Vec::new();
    let mut entries = String::new();
    let mut rows = String::new();
    let mut tests = String::new();
    for bug in C.iter().chain([&UNHARMED]) {
        let folder = out_dir.join("original").join(bug.name);
        let (source, shim) = spoil(bug, &bytes, reference, options.llp64, &folder)
            .map_err(|e| format!("planted bug {}: {e}", bug.name))?;
        for (pae, mode) in [(false, "nopae"), (true, "pae")] {
            if !bug.modes.has(pae) {
                continue;
            }
            let call = format!("{PREFIX}{}_{mode}_call", bug.name);
            let wrapper = read(&shim.join(format!("{mode}.c")))?;
            let prefix = format!("{PREFIX}{}_{mode}_", bug.name);
            let file = folder.join(format!("{}_{mode}.c", bug.name));
            write(&file, wrapper.replace(&format!("{mode}_"), &prefix))?;
            let made = options
                .build_mode(&shim, &source)?
                .cargo_warnings(false)
                .file(&file)
                .try_compile_intermediates()
                .map_err(|e| format!("planted bug {}: does not compile: {e}", bug.name))?;
            let allowed = Allowed::mode(PREFIX, Instrumented::default());
            for object in &made {
                check(&allowed, object, &options)?;
            }
            objects.extend(made);
            // A formatted String takes whatever is written to it.
            let _ = writeln!(entries, "fn {call}(world: *mut c_void);");
            let _ = writeln!(rows, "({:?}, {pae}, {call}),", bug.name);
        }
        tests += &test(bug, "");
    }
    cc::Build::new()
        .objects(objects)
        .try_compile("lguest_alarms_c")
        .map_err(|e| format!("cannot make a library of the spoiled originals: {e}"))?;
    list(&entries, &rows, out_dir)?;
    write(&out_dir.join("c_tests.rs"), tests)
}

/// Nothing is compiled, and each test is there and says why it does not run.
fn skip(why: &str, out_dir: &Path) -> Result<(), String> {
    println!("cargo::warning=alarms for the original: {why}");
    let ignored = format!("#[ignore = {why:?}]");
    let tests: String = C
        .iter()
        .chain([&UNHARMED])
        .map(|bug| test(bug, &ignored))
        .collect();
    list("", "", out_dir)?;
    write(&out_dir.join("c_tests.rs"), tests)
}

/// The test of a bug, or of the copy without one.
fn test(bug: &CBug, attribute: &str) -> String {
    let (name, modes) = (bug.name, bug.modes);
    let call = match bug.edit {
        Edit::Nothing => format!("keeps_quiet({name:?})"),
        _ => format!("rings({name:?}, Modes::{modes:?})"),
    };
    format!("#[test]\n{attribute}\nfn {name}() {{ {call}; }}\n")
}

fn list(entries: &str, rows: &str, out_dir: &Path) -> Result<(), String> {
    let text = format!(
        "unsafe extern \"C\" {{\n{entries}}}\n\
         /// By name and whether it has three levels.\n\
         static ENTRIES: &[(&str, bool, Entry)] = &[\n{rows}];\n"
    );
    write(&out_dir.join("spoiled.rs"), text)
}

/// The file to compile and the folder of headers to compile it with, one of them spoiled.
fn spoil(
    bug: &CBug,
    original: &[u8],
    reference: &Path,
    as_it_is: bool,
    folder: &Path,
) -> Result<(std::path::PathBuf, std::path::PathBuf), String> {
    let mut bytes = original.to_vec();
    let mut shim = reference.join("shim");
    match bug.edit {
        Edit::Nothing => {}
        Edit::Original {
            line,
            column,
            token,
            to,
        } => {
            bytes = at(original, line, column, token, to)?;
        }
        Edit::Shim { file, from, to } => {
            let copy = folder.join("shim");
            for path in files(&shim)? {
                let mut text = read(&shim.join(&path))?;
                if path == Path::new(file) {
                    text = edit(&text, from, to).map_err(|e| format!("shim/{file}: {e}"))?;
                }
                write(&copy.join(path), text)?;
            }
            shim = copy;
        }
    }
    if !as_it_is {
        bytes = derive(&bytes).bytes;
    }
    let source = folder.join("source").join("page_tables.c");
    write(&source, bytes)?;
    Ok((source, shim))
}

/// Replaces the token that begins at a line and column, both from 1; a tab is one column.
fn at(text: &[u8], line: usize, column: usize, token: &str, to: &str) -> Result<Vec<u8>, String> {
    let place = || format!("line {line}, column {column}");
    let start: usize = text
        .split_inclusive(|byte| *byte == b'\n')
        .take(line - 1)
        .map(<[u8]>::len)
        .sum();
    let begin = start + column - 1;
    if !text
        .get(begin..)
        .is_some_and(|rest| rest.starts_with(token.as_bytes()))
    {
        return Err(format!("{}: there is no {token:?}", place()));
    }
    let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let end = begin + token.len();
    let inside = word(token.as_bytes().first()) && begin > 0 && word(text.get(begin - 1))
        || word(token.as_bytes().last()) && word(text.get(end));
    if inside {
        return Err(format!("{}: {token:?} is part of a longer word", place()));
    }
    Ok([&text[..begin], to.as_bytes(), &text[end..]].concat())
}

/// As for the real original, unless instrumentation adds names of its own.
fn check(allowed: &Allowed, object: &Path, options: &Options) -> Result<(), String> {
    let bytes = fs::read(object).map_err(|e| format!("cannot read {}: {e}", object.display()))?;
    let strays = allowed.strays(&bytes)?;
    if strays.is_empty() || options.instrumented() {
        return Ok(());
    }
    Err(format!("{}: {}", object.display(), strays.join(", ")))
}
