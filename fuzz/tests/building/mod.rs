// SPDX-License-Identifier: GPL-2.0-or-later
//! Builds of the targets by cargo-fuzz, and edits of the original.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A build of all targets, made when one of them is first run.
pub struct Build {
    /// Names its folders.
    pub name: String,
    toolchain: &'static str,
    sanitizer: &'static str,
    environment: Vec<(String, String)>,
}

impl Build {
    /// On stable, without sanitizers.
    pub fn new(name: &str) -> Build {
        Build {
            name: name.into(),
            toolchain: "+stable",
            sanitizer: "none",
            environment: Vec::new(),
        }
    }

    /// On nightly with AddressSanitizer, and UndefinedBehaviorSanitizer in the C.
    pub fn sanitized(name: &str) -> Build {
        let build = Build {
            toolchain: "+nightly",
            sanitizer: "address",
            ..Build::new(name)
        };
        build.with("LGUEST_C_UBSAN", "1")
    }

    /// With this C compiler.
    pub fn cc(self, compiler: &str) -> Build {
        self.with("CC", compiler)
    }

    /// With this in its environment, when it is built and when it runs.
    pub fn with(mut self, name: &str, value: &str) -> Build {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Builds the target if it is not up to date, and runs it.
    pub fn run(&self, target: &str, arguments: &[&str]) -> Output {
        let here = env!("CARGO_MANIFEST_DIR");
        let environment = || self.environment.iter().map(|(name, value)| (name, value));
        let built = Command::new("cargo")
            .args([
                self.toolchain,
                "fuzz",
                "build",
                "--fuzz-dir",
                ".",
                "--sanitizer",
            ])
            .args([self.sanitizer, target])
            .current_dir(here)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env_remove("LGUEST_C_COVER")
            .env("LGUEST_REQUIRE_REFERENCE", "1")
            .envs(environment())
            .output()
            .expect("cargo");
        let log = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{} {target}: {log}", self.name);
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or(Path::new(here).join("target"), PathBuf::from);
        let program = folder.join("x86_64-unknown-linux-gnu/release").join(target);
        let folder = scratch(&format!("{}-runs", self.name));
        Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .envs(environment())
            .output()
            .expect("the target")
    }
}

/// A folder with nothing in it.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Whether this command runs.
pub fn have(program: &str, arguments: &[&str]) -> bool {
    let out = Command::new(program)
        .args(arguments)
        .env_remove("RUSTUP_TOOLCHAIN")
        .output();
    out.is_ok_and(|out| out.status.success())
}

/// A clang that runs.
pub fn clang() -> Option<String> {
    let names = ["clang".to_owned()].into_iter();
    let mut names = names.chain((14..30).rev().map(|version| format!("clang-{version}")));
    names.find(|name| have(name, &["--version"]))
}

/// A gcc that runs.
pub fn gcc() -> Option<String> {
    have("gcc", &["--version"]).then(|| "gcc".to_owned())
}

/// Replaces the token that begins at a line and column, both from 1.
pub fn edit(text: &[u8], line: usize, column: usize, token: &str, to: &str) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let begin = lines.take(line - 1).map(<[u8]>::len).sum::<usize>() + column - 1;
    let end = begin + token.len();
    assert_eq!(
        &text[begin..end],
        token.as_bytes(),
        "line {line}, column {column}"
    );
    [&text[..begin], to.as_bytes(), &text[end..]].concat()
}
