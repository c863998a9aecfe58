// SPDX-License-Identifier: GPL-2.0-or-later
//! Each function of the original has one of the same name here.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The original, from the environment or beside the workspace.
fn original() -> Option<PathBuf> {
    if let Some(path) = env::var_os("LGUEST_PAGE_TABLES_C") {
        return Some(PathBuf::from(path));
    }
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(1)
        .map(|root| root.join("../shared/upstream/linux-4.4/drivers/lguest/page_tables.c"))
        .find(|path| path.is_file())
}

/// The names of the functions that are defined in `source`: what stands before the first
/// bracket of a line that begins with a type and whose statement ends in a body.
fn defined(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    let lines: Vec<&str> = source.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let Some((head, _)) = line.split_once('(') else {
            continue;
        };
        let body = lines[i..]
            .iter()
            .find(|line| line.ends_with(';') || line.starts_with('{'));
        let begins = line.starts_with(|c: char| c.is_ascii_alphabetic());
        if !begins || !head.contains(' ') || !body.is_some_and(|line| line.starts_with('{')) {
            continue;
        }
        let name = head.rsplit([' ', '*', '\t']).next().unwrap_or_default();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_port_has_each_function() {
    let Some(path) = original() else {
        println!("skipped: no page_tables.c beside the workspace, nor in LGUEST_PAGE_TABLES_C");
        return;
    };
    let source = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let names = defined(&source);
    assert!(
        names.len() >= 30,
        "only {} functions found in {}",
        names.len(),
        path.display()
    );

    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let port: String = fs::read_dir(src)
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !port.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "the port lacks {missing:?}");
    println!("{} functions of {}", names.len(), path.display());
}

#[test]
fn extraction() {
    let source = "int one(void)\n{\n}\nstatic pte_t *two(int a,\n\t\tint b)\n{\n\tthree(a);\n}\n\
                  int four(void);\n#define five(x) x\n";
    assert_eq!(defined(source), ["one", "two"]);
}
