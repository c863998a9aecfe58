// SPDX-License-Identifier: GPL-2.0-or-later
//! Builds of the targets by cargo-fuzz.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A build of all targets, made when one of them is first run.
#[derive(Clone)]
pub struct Build {
    /// Names its folders.
    pub name: String,
    toolchain: &'static str,
    sanitizer: &'static str,
    profile: &'static str,
    features: &'static str,
    environment: Vec<(String, String)>,
}

impl Build {
    /// On stable, without sanitizers.
    pub fn new(name: &str) -> Build {
        Build {
            name: name.into(),
            toolchain: "+stable",
            sanitizer: "none",
            profile: "release",
            features: "",
            environment: Vec::new(),
        }
    }

    /// On nightly with AddressSanitizer, and UndefinedBehaviorSanitizer in the C. The Rust is not optimised: that takes
    /// three times as long to build.
    pub fn sanitized(name: &str) -> Build {
        let build = Build {
            toolchain: "+nightly",
            sanitizer: "address",
            profile: "debug",
            ..Build::new(name)
        };
        build.with("LGUEST_C_UBSAN", "1")
    }

    /// With this feature.
    pub fn features(self, features: &'static str) -> Build {
        Build { features, ..self }
    }

    /// With this in its environment, when it is built and when it runs.
    pub fn with(mut self, name: &str, value: &str) -> Build {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Builds the target if it is not up to date, and runs it. With `LGUEST_PROGRAMS` it runs the program in that folder,
    /// which somebody built.
    pub fn run(&self, target: &str, arguments: &[&str]) -> Output {
        let program = env::var_os("LGUEST_PROGRAMS").map_or_else(
            || self.build(target),
            |folder| PathBuf::from(folder).join(target),
        );
        let folder = scratch(&format!("{}-runs", self.name));
        Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .envs(self.environment.iter().cloned())
            .output()
            .expect("the target")
    }

    /// Builds the target if it is not up to date; where it is, until another build takes its place.
    pub fn build(&self, target: &str) -> PathBuf {
        let here = env!("CARGO_MANIFEST_DIR");
        let built = Command::new("cargo")
            .args([
                self.toolchain,
                "fuzz",
                "build",
                "--fuzz-dir",
                ".",
                "--sanitizer",
            ])
            .arg(self.sanitizer)
            .args((self.profile == "debug").then_some("--dev"))
            .args(["--features", self.features, target])
            .current_dir(here)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env_remove("LGUEST_C_COVER")
            .env("LGUEST_REQUIRE_REFERENCE", "1")
            .envs(self.environment.iter().cloned())
            .output()
            .expect("cargo");
        let log = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{} {target}: {log}", self.name);
        let folder =
            env::var_os("CARGO_TARGET_DIR").map_or(Path::new(here).join("target"), PathBuf::from);
        folder
            .join("x86_64-unknown-linux-gnu")
            .join(self.profile)
            .join(target)
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
