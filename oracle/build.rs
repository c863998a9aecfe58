// SPDX-License-Identifier: GPL-2.0-or-later
//! Tells the tests whether the original is built in: those that need it are counted as ignored where it is not.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(no_reference)");
    if std::env::var("DEP_LGUEST_PAGE_TABLES_REFERENCE").is_ok_and(|path| path == "none") {
        println!("cargo::rustc-cfg=no_reference");
    }
}
