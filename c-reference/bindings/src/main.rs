// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes the Rust form of `shim/world.h`, or with `--check` compares it with
//! the one that is checked in. Exit code 0: written, equal, or skipped for
//! want of libclang (said on stdout); 1: they differ; 2: it cannot be made.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, panic};

const HEAD: &str = "// SPDX-License-Identifier: GPL-2.0-or-later
//! What the C and the Rust share, made by bindgen from `shim/world.h`; the
//! program in `bindings/` makes it anew.

";

fn main() -> ExitCode {
    let check = match env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("{other}: expected --check or nothing");
            return ExitCode::from(2);
        }
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = here.join("../shim/world.h");
    let target = here.join("../src/bindings.rs");

    if !libclang() {
        println!("skipped: no libclang found (LIBCLANG_PATH names its folder)");
        return ExitCode::SUCCESS;
    }
    let made = match generate(&header) {
        Ok(made) => made,
        Err(why) => {
            eprintln!("{}: {why}", header.display());
            return ExitCode::from(2);
        }
    };
    if !check {
        if let Err(why) = fs::write(&target, made) {
            eprintln!("{}: {why}", target.display());
            return ExitCode::from(2);
        }
        println!("written: {}", target.display());
        return ExitCode::SUCCESS;
    }
    match fs::read_to_string(&target) {
        Ok(kept) if kept == made => {
            println!("equal: {}", target.display());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!(
                "{} is not what shim/world.h gives: run the program in bindings/ without --check",
                target.display()
            );
            ExitCode::from(1)
        }
    }
}

/// bindgen panics where it finds no library; that is no failure here.
fn libclang() -> bool {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let found = panic::catch_unwind(bindgen::clang_version).is_ok();
    panic::set_hook(loud);
    found
}

fn generate(header: &Path) -> Result<String, bindgen::BindgenError> {
    let target = bindgen::RustTarget::stable(85, 0).expect("bindgen knows Rust 1.85");
    let bindings = bindgen::Builder::default()
        .header(header.to_string_lossy())
        .clang_args(["-x", "c", "-std=gnu11", "--target=x86_64-unknown-linux-gnu"])
        .rust_target(target)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .disable_header_comment()
        .allowlist_file(".*/world\\.h")
        .allowlist_recursively(true)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_debug(false)
        .generate_comments(false)
        .formatter(bindgen::Formatter::Prettyplease)
        .generate()?;
    Ok(format!("{HEAD}{bindings}"))
}
