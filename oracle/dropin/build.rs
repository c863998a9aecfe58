// SPDX-License-Identifier: GPL-2.0-or-later
//! Compiles the reference's shim around the drop-in in the original's place, and around each spoiled copy of it.

// Shared with the reference, which uses more of them.
#[allow(dead_code)]
#[path = "../../c-reference/build/compile.rs"]
mod compile;
#[allow(dead_code)]
#[path = "../../c-reference/build/mod.rs"]
mod parts;
#[path = "src/table.rs"]
mod table;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;

use compile::Options;
use table::{BUGS, Bug};

/// The name of the drop-in that is not spoiled; its symbols begin so.
const SOUND: &str = "dropin";

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
    let shim = here.join("../../c-reference/shim");
    let dropin = here.join("../../rust-impl/dropin");
    for name in compile::VARIABLES {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/table.rs");
    for folder in [&shim, &dropin, &here.join("../../c-reference/build")] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let found = env::var("DEP_LGUEST_PAGE_TABLES_REFERENCE").unwrap_or_default();
    if found.is_empty() || found == "none" {
        return skip(
            "built without the original, and so without its shim",
            &out_dir,
        );
    }
    let options = Options::from_env()?;
    if options.llp64 {
        return skip(
            "this build of the original calls by the Windows convention",
            &out_dir,
        );
    }
    let mut objects = Vec::new();
    let (mut entries, mut rows, mut modules) = (String::new(), String::new(), String::new());
    for name in [SOUND].into_iter().chain(BUGS.iter().map(|bug| bug.name)) {
        for (pae, mode) in [(false, "nopae"), (true, "pae")] {
            let file = out_dir.join("shim").join(format!("{name}_{mode}.c"));
            write(
                &file,
                wrapper(&read(&shim.join(format!("{mode}.c")))?, name, mode)?,
            )?;
            let made = options
                .build_mode(&shim, Path::new("none"))?
                .include(&dropin)
                .file(&file)
                .try_compile_intermediates()
                .map_err(|e| format!("the shim around {name} does not compile: {e}"))?;
            objects.extend(made);
            // A formatted String takes whatever is written to it.
            let _ = writeln!(entries, "fn {name}_{mode}_call(world: *mut c_void);");
            let _ = writeln!(rows, "({name:?}, {pae}, {name}_{mode}_call),");
        }
    }
    for bug in BUGS {
        let root = spoil(bug, &dropin.join("src"), &out_dir)?;
        let name = bug.name;
        let _ = writeln!(modules, "#[allow(warnings, clippy::all)]");
        let _ = writeln!(modules, "#[path = {root:?}]\npub mod {name};");
    }
    cc::Build::new()
        .objects(objects)
        .try_compile("lguest_dropin_c")
        .map_err(|e| format!("cannot make a library of the shim: {e}"))?;
    list(&entries, &rows, &modules, &out_dir)
}

fn skip(why: &str, out_dir: &Path) -> Result<(), String> {
    println!("cargo::warning=the drop-in is not linked: {why}");
    println!("cargo::rustc-cfg=no_dropin");
    list("", "", "", out_dir)
}

fn list(entries: &str, rows: &str, modules: &str, out_dir: &Path) -> Result<(), String> {
    let text = format!(
        "unsafe extern \"C\" {{\n{entries}}}\n\
         /// By name and whether it has three levels.\n\
         static ENTRIES: &[(&str, bool, Entry)] = &[\n{rows}];\n"
    );
    write(&out_dir.join("entries.rs"), text)?;
    write(&out_dir.join("spoiled.rs"), modules)
}

/// The shim's file of a mode with the table of primitives where the original was, its names behind `name`.
fn wrapper(of_mode: &str, name: &str, mode: &str) -> Result<String, String> {
    let named = of_mode.replace(&format!("{mode}_"), &format!("{name}_{mode}_"));
    let text = edit(
        &named,
        "#include LG_ORIGINAL",
        &format!(
            "#include <linux/mm.h>\n#include <linux/gfp.h>\n#include <linux/random.h>\n\
             #include <linux/percpu.h>\n#include <asm/uaccess.h>\n\
             #define LGD_PRIMITIVES {name}_{mode}_primitives\n\
             #define LGD_PTE_MASK lg_here()->shared->pte_mask\n\
             #define LGD_POLICY 0\n\
             /* A wild table crashes here, as it would in the original. */\n\
             #define LGD_TABLE(pa) ((void)*(volatile char *)__va(pa), __va(pa))\n\
             #include \"table.h\""
        ),
    )?;
    // The constants of neighbours.h are the original's own.
    edit(
        &text,
        "#include \"neighbours.h\"",
        "#include \"format.h\"\n#include \"entries.h\"",
    )
}

/// A copy of the drop-in with a bug in it, as a module: its root.
fn spoil(bug: &Bug, source: &Path, out_dir: &Path) -> Result<PathBuf, String> {
    let name = bug.name;
    let folder = out_dir.join("spoiled").join(name);
    let mut applied = false;
    for entry in fs::read_dir(source).map_err(|e| format!("{}: {e}", source.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        let file = path.file_name().unwrap_or_default();
        let mut text = read(&path)?;
        if file == bug.file {
            text = edit(&text, bug.from, bug.to).map_err(|e| format!("{name}: {e}"))?;
            applied = true;
        }
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("#!["))
            .map(|line| {
                line.replace("crate::", &format!("crate::spoiled::{name}::"))
                    .replace("\"dropin_", &format!("\"{name}_"))
                    + "\n"
            })
            .collect();
        write(&folder.join(file), text)?;
    }
    if !applied {
        return Err(format!("{name}: the drop-in has no file {}", bug.file));
    }
    Ok(folder.join("lib.rs"))
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

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}; this program is run by cargo"))
}
