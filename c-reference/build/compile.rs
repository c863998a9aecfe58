// SPDX-License-Identifier: GPL-2.0-or-later
//! Compiling the original, its neighbours and the door into one library, by
//! any gcc or clang, and checking what the objects leave undefined or export.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::parts::cover::{self, Cover};
use crate::parts::symbols::{Allowed, Instrumented};

/// The environment variables that decide; each change builds anew.
pub const VARIABLES: [&str; 6] = [
    "LGUEST_C_VARIANT",
    "LGUEST_C_OPT",
    "LGUEST_C_OUTLINE",
    "LGUEST_C_UBSAN",
    "LGUEST_C_COVER",
    "LGUEST_C_FLAGS",
];

/// The kernel is compiled with these; without them undefined behaviour that
/// it relies on would be compiled into something else.
const KERNEL_FLAGS: [&str; 5] = [
    "-std=gnu11",
    "-fno-strict-aliasing",
    "-fno-strict-overflow",
    "-fno-delete-null-pointer-checks",
    "-fno-stack-protector",
];

/// For speed, with gcc. By itself it calls `release_pgd` for each of a thousand entries that are mostly empty: inlined
/// into the loops that do so, the original is an eighth faster over a mix of scenarios. And where those loops come to
/// lie in their cache lines is worth a twentieth: aligned, they lie alike whatever else the program holds.
const GCC_SPEED: [&str; 3] = [
    "--param=max-inline-insns-auto=120",
    "-falign-functions=64",
    "-falign-loops=32",
];

/// What the original is known to be warned of; all else is shown.
const KNOWN_WARNINGS: [&str; 3] = [
    "-Wno-pointer-to-int-cast",
    "-Wno-sign-compare",
    "-Wno-unused-parameter",
];

/// A target whose long is 32 bits wide, in ELF; its calls are Windows'.
const LLP64_FLAGS: [&str; 7] = [
    "--target=x86_64-pc-windows-gnu-elf",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
    "-mno-stack-arg-probe",
    "-Wno-unused-command-line-argument",
];

/// Newest first.
pub const CLANGS: [&str; 11] = [
    "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16",
    "clang-15", "clang-14", "clang-13",
];

/// How to compile.
#[derive(Clone, Debug)]
pub struct Options {
    /// The byte-unmodified file by clang's 32-bit long, not the derived one.
    pub llp64: bool,
    /// The compiler, if it is not cc's own choice.
    compiler: Option<String>,
    opt: String,
    outline: bool,
    ubsan: bool,
    asan: bool,
    cover: Cover,
    flags: Vec<String>,
}

/// What it was compiled with.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// First line of the compiler's `--version`.
    pub compiler: String,
    /// Optimisation and switches, in words.
    pub options: String,
}

impl Options {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, String> {
        let flag =
            |name: &str| env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
        let llp64 = match env::var("LGUEST_C_VARIANT").unwrap_or_default().as_str() {
            "" | "derived" => false,
            "llp64" => true,
            other => {
                return Err(format!(
                    "LGUEST_C_VARIANT={other}: expected derived or llp64"
                ));
            }
        };
        let opt = env::var("LGUEST_C_OPT").unwrap_or_default();
        let opt = opt.trim_start_matches("-O");
        let sanitizers = env::var("CARGO_CFG_SANITIZE").unwrap_or_default();
        let mut options = Self {
            llp64,
            compiler: cover::compiler(&CLANGS),
            opt: if opt.is_empty() { "2" } else { opt }.to_owned(),
            outline: flag("LGUEST_C_OUTLINE") || env::var_os("CARGO_FEATURE_OUTLINE").is_some(),
            ubsan: flag("LGUEST_C_UBSAN"),
            asan: sanitizers.split(',').any(|one| one == "address"),
            cover: Cover::Off,
            flags: env::var("LGUEST_C_FLAGS")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        };
        if !llp64 {
            let compiler = options.build().try_get_compiler();
            options.cover = Cover::from_env(compiler.is_ok_and(|c| c.is_like_clang()))?;
        }
        if options.llp64 && (options.asan || options.ubsan) {
            return Err(
                "LGUEST_C_VARIANT=llp64 cannot be combined with sanitizers: \
                        that target has none"
                    .to_owned(),
            );
        }
        Ok(options)
    }

    /// The same by another compiler, which covers in this way.
    #[allow(dead_code, reason = "other build scripts compile copies")]
    pub fn by(&self, compiler: &str, cover: Cover) -> Self {
        Self {
            compiler: Some(compiler.to_owned()),
            cover,
            ..self.clone()
        }
    }

    /// The same without coverage.
    #[allow(dead_code, reason = "other build scripts compile copies")]
    pub fn blind(&self) -> Self {
        Self {
            cover: Cover::Off,
            ..self.clone()
        }
    }

    /// Compiles the shim's counter, without coverage of its own, or it would count itself for ever.
    pub fn counter(&self, shim: &Path) -> Result<Vec<PathBuf>, String> {
        let mut build = self.build();
        build
            .file(shim.join("cover.c"))
            .try_compile_intermediates()
            .map_err(|e| format!("shim/cover.c does not compile: {e}"))
    }

    /// Whether the shim's counter must be there.
    pub fn counted(&self) -> bool {
        self.cover.counted()
    }

    /// Whether the compiler adds names of its own.
    pub fn instrumented(&self) -> bool {
        let by_hand = |flag: &String| {
            ["-fsanitize", "-fprofile", "-fcoverage", "--coverage"]
                .iter()
                .any(|start| flag.starts_with(start))
        };
        let cflags = env::var("CFLAGS").unwrap_or_default();
        let mut flags = cflags.split_whitespace().map(str::to_owned);
        self.asan
            || self.ubsan
            || self.cover != Cover::Off
            || self.flags.iter().any(by_hand)
            || flags.any(|flag| by_hand(&flag))
    }

    fn words(&self) -> String {
        let mut words = vec![format!("-O{}", self.opt)];
        for (on, word) in [
            (self.outline, "outlined"),
            (self.asan, "asan"),
            (self.ubsan, "ubsan"),
            (self.cover != Cover::Off, "coverage"),
        ] {
            words.extend(on.then(|| word.to_owned()));
        }
        words.extend(self.flags.iter().cloned());
        words.join(" ")
    }

    fn build(&self) -> cc::Build {
        let mut build = cc::Build::new();
        if let Some(compiler) = &self.compiler {
            build.compiler(compiler);
        }
        build
            .opt_level_str(&self.opt)
            .debug(true)
            .warnings(true)
            .extra_warnings(true)
            .cargo_warnings(true)
            .flags(KERNEL_FLAGS)
            .flags(KNOWN_WARNINGS);
        build
    }

    /// For the original: the flags that must not reach the door.
    pub fn build_mode(&self, shim: &Path, original: &Path) -> Result<cc::Build, String> {
        let mut build = self.build();
        build.include(shim).define(
            "LG_ORIGINAL",
            format!("\"{}\"", original.display()).as_str(),
        );
        if self.outline {
            build.define("LG_OUTLINE", None);
        }
        // Where functions are compared one by one, they stay as far apart as gcc leaves them.
        if !self.outline && !self.instrumented() && build.get_compiler().is_like_gnu() {
            build.flags(GCC_SPEED);
        }
        if self.llp64 {
            build
                .compiler(find_clang()?)
                .pic(false)
                .define("LG_LLP64", None)
                .flags(LLP64_FLAGS);
        }
        if self.ubsan {
            let clang = build.get_compiler().is_like_clang();
            build.flag("-fsanitize=undefined");
            // The original forms addresses of fields from any number.
            build.flag("-fno-sanitize=null,alignment,pointer-overflow");
            build.flag(match (self.asan, clang) {
                // AddressSanitizer brings the runtime that prints.
                (true, _) => "-fno-sanitize-recover=undefined",
                (false, true) => "-fsanitize-trap=undefined",
                (false, false) => "-fsanitize-undefined-trap-on-error",
            });
        }
        build.flags(self.cover.flags()).flags(&self.flags);
        Ok(build)
    }
}

/// Compiles; the library's link lines are printed.
pub fn compile(options: &Options, shim: &Path, original: &Path) -> Result<Compiled, String> {
    let with = Instrumented {
        windows_calls: options.llp64,
        instrumented: options.instrumented(),
    };
    let mode = options.build_mode(shim, original)?;
    // The door is System V, whatever the modes are.
    let mut door = options.build();
    door.include(shim).flags(
        options
            .flags
            .iter()
            .filter(|flag| !flag.starts_with("-fsanitize")),
    );

    let compiler = mode.try_get_compiler().map_err(|e| no_compiler(&e))?;
    let mut objects = Vec::new();
    for (build, file, allowed) in [
        (&mode, "nopae.c", Allowed::mode("nopae_", with)),
        (&mode, "pae.c", Allowed::mode("pae_", with)),
        (&door, "door.c", Allowed::door(with)),
    ] {
        let made = build
            .clone()
            .file(shim.join(file))
            .try_compile_intermediates()
            .map_err(|e| does_not_compile(original, compiler.path(), file, &e))?;
        for object in &made {
            check(object, file, &allowed)?;
        }
        objects.extend(made);
    }
    if options.cover == Cover::LibFuzzer {
        println!("cargo::rustc-cfg=sancov");
    }
    if options.counted() {
        objects.extend(options.counter(shim)?);
        println!("cargo::rustc-cfg=counted");
    }
    cc::Build::new()
        .objects(objects)
        .try_compile("lguest_page_tables")
        .map_err(|e| format!("cannot make a library of the compiled original: {e}"))?;

    let version = Command::new(compiler.path())
        .arg("--version")
        .output()
        .map(|out| {
            String::from_utf8_lossy(&out.stdout)
                .lines()
                .next()
                .unwrap_or("")
                .to_owned()
        })
        .unwrap_or_default();
    Ok(Compiled {
        compiler: version,
        options: options.words(),
    })
}

fn check(object: &PathBuf, file: &str, allowed: &Allowed) -> Result<(), String> {
    let bytes = fs::read(object).map_err(|e| format!("cannot read {}: {e}", object.display()))?;
    let strays = allowed.strays(&bytes)?;
    if strays.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{file} was compiled to {}, which has names that it must not have:\n  {}\n\
         Either the shim lacks a word of the kernel's, or the compiler added a call of its own.",
        object.display(),
        strays.join("\n  ")
    ))
}

fn find_clang() -> Result<String, String> {
    let own = env::var("CC").ok().filter(|cc| cc.contains("clang"));
    own.into_iter()
        .chain(CLANGS.map(str::to_owned))
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .output()
                .is_ok_and(|o| o.status.success())
        })
        .ok_or_else(|| {
            format!(
                "LGUEST_C_VARIANT=llp64 needs clang, and none of these runs: {}.\n\
                 Install clang, or set CC to one, or unset LGUEST_C_VARIANT.",
                CLANGS.join(", ")
            )
        })
}

fn no_compiler(error: &cc::Error) -> String {
    format!("no C compiler: {error}\nInstall gcc or clang, or set CC to one.")
}

fn does_not_compile(original: &Path, compiler: &Path, file: &str, error: &cc::Error) -> String {
    // The kinds of this error are not public; its text begins with them.
    if error.to_string().starts_with("ToolNotFound") {
        return no_compiler(error);
    }
    format!(
        "the original does not compile: {} (included by shim/{file}), by {}.\n\
         Its errors are above. Another file needs what the shim does not have: use the pinned \
         one (unset LGUEST_PAGE_TABLES_C and LGUEST_LINUX), or set CC to another gcc or clang.\n\
         {error}",
        original.display(),
        compiler.display()
    )
}
