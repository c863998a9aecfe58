// SPDX-License-Identifier: GPL-2.0-or-later
//! The copies of the port: one module for each planted bug, and one that is left as it is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::port_table::{PORT, PortBug, UNHARMED};
use crate::table::Modes;
use crate::{edit, files, read, write};

/// Copies the port from `port` as often as the table says, and writes the modules' list and
/// their tests.
pub fn make(port: &Path, out_dir: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", port.display());
    let sources: Vec<(PathBuf, String)> = files(port)?
        .into_iter()
        .map(|path| read(&port.join(&path)).map(|text| (path, text)))
        .collect::<Result<_, _>>()?;

    let mut modules = String::new();
    let mut arms = String::new();
    let mut tests = String::new();
    let mut one = |name: &str, modes: Modes, bug: Option<&PortBug>| -> Result<(), String> {
        let folder = out_dir.join("port").join(name);
        let mut applied = bug.is_none();
        for (path, text) in &sources {
            let text = match bug {
                Some(bug) if path == Path::new(bug.file) => {
                    applied = true;
                    edit(text, bug.from, bug.to)
                        .map_err(|e| format!("planted bug {name}: {}: {e}", bug.file))?
                }
                _ => text.clone(),
            };
            write(&folder.join(path), rooted(&text, name))?;
        }
        if !applied {
            return Err(format!("planted bug {name}: the port has no such file"));
        }
        let root = folder.join("lib.rs");
        // A formatted String takes whatever is written to it.
        let _ = writeln!(modules, "#[allow(warnings, clippy::all)]");
        let _ = writeln!(modules, "#[path = {root:?}]\npub mod {name};");
        for (pae, mode) in [(false, "NoPae"), (true, "Pae")] {
            if modes.has(pae) {
                let _ = writeln!(modules, "adapt!({name}, {mode});");
                let _ = writeln!(
                    arms,
                    "({name:?}, {pae}) => Some(Box::new(\
                     {name}::Lguest::<{name}::{mode}, _, _>::new(\
                     host, {name}::Faithful, {name}::Config::default()))),"
                );
            }
        }
        Ok(())
    };
    one(UNHARMED, Modes::Both, None)?;
    for bug in PORT {
        one(bug.name, bug.modes, Some(bug))?;
        let _ = writeln!(
            tests,
            "#[test]\nfn {0}() {{ rings({0:?}, Modes::{1:?}); }}",
            bug.name, bug.modes
        );
    }
    let text = format!(
        "{modules}\n\
         /// A new guest of a copy, if there is one of that name for that mode.\n\
         pub fn guest<'h>(name: &str, host: &'h lguest_oracle::sim::SimHost, pae: bool)\n\
         -> Option<Box<dyn crate::Guest + 'h>> {{\n\
         match (name, pae) {{ {arms} _ => None }}\n}}\n"
    );
    write(&out_dir.join("copies.rs"), text)?;
    write(&out_dir.join("port_tests.rs"), tests)
}

/// The same file as part of a module instead of a crate.
fn rooted(text: &str, name: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with("#!["))
        .map(|line| line.replace("crate::", &format!("crate::copies::{name}::")) + "\n")
        .collect()
}
