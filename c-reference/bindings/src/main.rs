// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes the Rust form of `shim/world.h`, and for the drop-in that of the
//! guest's structures and its primitives for either width of a pointer; or
//! with `--check` compares them with those that are checked in. Exit code 0:
//! written, equal, or skipped for want of libclang (said on stdout); 1: one
//! differs; 2: one cannot be made.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, panic};

/// What is made: where to, of which headers, for which target, and the types
/// that are wanted if not all of the headers.
struct Kind {
    target: &'static str,
    headers: &'static [&'static str],
    triple: &'static str,
    types: &'static [&'static str],
    head: &'static str,
}

const DROPIN_HEADERS: &[&str] = &["../shim/world.h", "../../rust-impl/dropin/primitives.h"];
const DROPIN_TYPES: &[&str] = &["lguest", "lg_cpu", "pgdir", "lgd_primitives"];
const DROPIN_HEAD: &str = "// SPDX-License-Identifier: GPL-2.0-or-later
//! The C structures that the drop-in works on, made by bindgen from
//! `c-reference/shim/world.h` and `primitives.h`; the program in
//! `c-reference/bindings` makes it anew.

";

const KINDS: [Kind; 3] = [
    Kind {
        target: "../src/bindings.rs",
        headers: &["../shim/world.h"],
        triple: "x86_64-unknown-linux-gnu",
        types: &[],
        head: "// SPDX-License-Identifier: GPL-2.0-or-later
//! What the C and the Rust share, made by bindgen from `shim/world.h`; the
//! program in `bindings/` makes it anew.

",
    },
    Kind {
        target: "../../rust-impl/dropin/src/bindings64.rs",
        headers: DROPIN_HEADERS,
        triple: "x86_64-unknown-linux-gnu",
        types: DROPIN_TYPES,
        head: DROPIN_HEAD,
    },
    Kind {
        target: "../../rust-impl/dropin/src/bindings32.rs",
        headers: DROPIN_HEADERS,
        triple: "i686-unknown-linux-gnu",
        types: DROPIN_TYPES,
        head: DROPIN_HEAD,
    },
];

fn main() -> ExitCode {
    let check = match env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("{other}: expected --check or nothing");
            return ExitCode::from(2);
        }
    };
    if !libclang() {
        println!("skipped: no libclang found (LIBCLANG_PATH names its folder)");
        return ExitCode::SUCCESS;
    }
    let mut code = ExitCode::SUCCESS;
    for kind in &KINDS {
        match one(kind, check) {
            Ok(true) => {}
            Ok(false) => code = ExitCode::from(1),
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::from(2);
            }
        }
    }
    code
}

/// Writes or compares one; whether it is as it should be.
fn one(kind: &Kind, check: bool) -> Result<bool, String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.target);
    let made = generate(kind).map_err(|why| format!("{}: {why}", kind.headers[0]))?;
    if !check {
        fs::write(&target, made).map_err(|why| format!("{}: {why}", target.display()))?;
        println!("written: {}", target.display());
        return Ok(true);
    }
    if fs::read_to_string(&target).is_ok_and(|kept| kept == made) {
        println!("equal: {}", target.display());
        return Ok(true);
    }
    eprintln!(
        "{} is not what {} gives: run the program in bindings/ without --check",
        target.display(),
        kind.headers.join(" and ")
    );
    Ok(false)
}

/// bindgen panics where it finds no library; that is no failure here.
fn libclang() -> bool {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let found = panic::catch_unwind(bindgen::clang_version).is_ok();
    panic::set_hook(loud);
    found
}

fn generate(kind: &Kind) -> Result<String, bindgen::BindgenError> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = bindgen::RustTarget::stable(85, 0).expect("bindgen knows Rust 1.85");
    let triple = format!("--target={}", kind.triple);
    let mut builder = bindgen::Builder::default()
        // Freestanding: the C library's headers need not be there in that width.
        .clang_args(["-x", "c", "-std=gnu11", "-ffreestanding", &triple])
        .rust_target(target)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .use_core()
        .disable_header_comment()
        .allowlist_recursively(true)
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .derive_debug(false)
        .generate_comments(false)
        .formatter(bindgen::Formatter::Prettyplease);
    let mut text = String::new();
    for header in kind.headers {
        text += &format!("#include \"{}\"\n", here.join(header).display());
    }
    builder = builder.header_contents("wanted.h", &text);
    if kind.types.is_empty() {
        builder = builder.allowlist_file(".*/world\\.h");
    }
    for name in kind.types {
        builder = builder.allowlist_type(*name);
    }
    if !kind.types.is_empty() {
        builder = builder.allowlist_var("LGD_NO_PFN");
    }
    Ok(format!("{}{}", kind.head, builder.generate()?))
}
