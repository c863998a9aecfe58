// SPDX-License-Identifier: GPL-2.0-or-later
//! Coverage of the original: for a fuzzer, which steers by it, or counted in memory for whoever asks.

use std::env;
use std::process::Command;

/// How the original is told to report where it has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Not at all.
    Off,
    /// clang's own instrumentation for libFuzzer.
    LibFuzzer,
    /// A call at each edge, which the shim counts by its place; gcc and clang both know it.
    TracePc {
        /// Operands of comparisons go to the fuzzer, too.
        compare: bool,
    },
    /// What AFL wants of clang.
    Guard,
}

/// The flag that stands for AFL's instrumentation.
const GUARD: &str = "-fsanitize-coverage=trace-pc-guard";

impl Cover {
    /// Reads the environment; `clang` tells whether the compiler is one. In a fuzzer's build (`--cfg fuzzing`) the
    /// compiler decides, with the feature `cover` the shim counts, and `LGUEST_C_COVER` decides otherwise.
    ///
    /// # Errors
    /// The variable asks for what is not there.
    pub fn from_env(clang: bool) -> Result<Self, String> {
        let fuzzing = env::var_os("CARGO_CFG_FUZZING").is_some();
        let counted = env::var_os("CARGO_FEATURE_COVER").is_some();
        Ok(
            match env::var("LGUEST_C_COVER").unwrap_or_default().as_str() {
                "" if fuzzing && clang => Cover::LibFuzzer,
                "" if fuzzing => Cover::TracePc { compare: true },
                "" if counted => Cover::TracePc { compare: false },
                "" | "0" | "off" => Cover::Off,
                "trace-pc" => Cover::TracePc { compare: fuzzing },
                "libfuzzer" if clang => Cover::LibFuzzer,
                "guard" if clang => Cover::Guard,
                name @ ("libfuzzer" | "guard") => {
                    return Err(format!("LGUEST_C_COVER={name} needs clang: set CC to one"));
                }
                other => {
                    return Err(format!(
                        "LGUEST_C_COVER={other}: expected off, libfuzzer, trace-pc or guard"
                    ));
                }
            },
        )
    }

    /// Flags for the original.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Cover::Off => &[],
            Cover::LibFuzzer => &["-fsanitize=fuzzer-no-link"],
            Cover::TracePc { compare: false } => {
                &["-fsanitize-coverage=trace-pc", "-include", "cover.h"]
            }
            Cover::TracePc { compare: true } => &[
                "-fsanitize-coverage=trace-pc,trace-cmp",
                "-include",
                "cover.h",
            ],
            Cover::Guard => &[GUARD],
        }
    }

    /// The shim counts, and must be there.
    pub fn counted(self) -> bool {
        matches!(self, Cover::TracePc { .. })
    }
}

/// The environment variables that name a compiler.
pub const COMPILERS: [&str; 3] = ["CC", "TARGET_CC", "CC_x86_64_unknown_linux_gnu"];

/// The compiler for a fuzzer's build: what the environment names, else the newest of `clangs` that runs, else none
/// in particular.
pub fn compiler(clangs: &[&str]) -> Option<String> {
    let named = COMPILERS.iter().any(|name| env::var_os(name).is_some());
    if named || env::var_os("CARGO_CFG_FUZZING").is_none() {
        return None;
    }
    let runs = |name: &&&str| {
        Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success())
    };
    clangs.iter().find(runs).map(|name| (*name).to_owned())
}
