// SPDX-License-Identifier: GPL-2.0-or-later
//! How fast the targets are without sanitizers, as ratios within one run: a target over a corpus that is kept
//! (`-runs=0`), as a part of the speed of the same instrumented code replaying the same inputs without libFuzzer, of
//! that without instrumentation, and of `lgdiff replay`, which is not instrumented either and runs the hardened port
//! after both sides. With clang's coverage in the C, which the bounds are for, and gcc's.
//!
//! `cargo bench --bench rates [FOLDER]`: FOLDER has a folder of inputs for each of `nopae` and `pae`; without it the
//! seeds that `lgdiff seeds` makes. What is measured is the processes' CPU time.

#[path = "../tests/building/mod.rs"]
#[allow(dead_code)]
mod building;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use building::{Build, clang, have, scratch};

/// Inputs, or more, that a process runs: its start is a small part of it then. A corpus with fewer is taken again.
const INPUTS: usize = 10_000;
/// Inputs of a corpus that are taken at most, evenly: their names are arguments of one command.
const MOST: usize = 20_000;
/// Rounds in which the programs take turns; what is told is the median over them.
const ROUNDS: usize = 3;
/// Least speed of a target with clang's coverage, as a part of that without libFuzzer.
const OF_BARE: f64 = 0.6;
/// The same, of `lgdiff replay`.
const OF_LGDIFF: f64 = 0.3;

const MODES: [&str; 2] = ["nopae", "pae"];

fn main() -> Result<(), Box<dyn Error>> {
    let original = lguest_c_reference::reference().is_some();
    let clang = clang().filter(|_| original && have("gcc", &["--version"]));
    let Some(clang) = clang.filter(|_| have("cargo", &["fuzz", "--version"])) else {
        println!("skipped: it needs the original, cargo-fuzz, clang and gcc");
        return Ok(());
    };
    let lgdiff = lgdiff()?;
    let corpus = match env::args().skip(1).find(|word| !word.starts_with('-')) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let folder = scratch("rates-seeds");
            seconds(
                Command::new(&lgdiff).arg("seeds").arg("--out").arg(&folder),
                0,
            )?;
            folder
        }
    };
    let instrumented = [("clang", clang.as_str()), ("gcc", "gcc")].map(|(name, compiler)| {
        let build = Build::new("rates").features("replay").with("CC", compiler);
        let folder = scratch(&format!("rates-{name}"));
        for program in ["nopae", "pae", "replay"] {
            fs::copy(build.build(program), folder.join(program)).expect("a copy");
        }
        (name, folder)
    });
    let programs = Programs {
        instrumented,
        bare: bare()?,
        lgdiff,
    };
    println!("inputs a second, and what part that is of the speed of others:");
    println!(
        "mode   C       inputs  a second {:>25} {:>23}  lgdiff replay",
        "without libFuzzer", "without instrumentation"
    );
    for mode in MODES {
        measure(&Inputs::of(&corpus, mode, &programs.bare)?, mode, &programs)?;
    }
    Ok(())
}

/// What takes turns.
struct Programs {
    /// By the compiler of the C, the folder of targets and `replay`.
    instrumented: [(&'static str, PathBuf); 2],
    /// `replay` without instrumentation.
    bare: PathBuf,
    lgdiff: PathBuf,
}

/// A corpus, as often as it takes.
struct Inputs {
    count: usize,
    /// Folders of inputs of a target.
    folders: Vec<PathBuf>,
    /// The folder of the same as scenarios, and the names in it: a long list has no room for more.
    scenarios: (PathBuf, Vec<OsString>),
}

impl Inputs {
    fn of(corpus: &Path, mode: &str, replay: &Path) -> Result<Inputs, Box<dyn Error>> {
        let kept = &corpus.join(mode);
        let mut names = names(kept)?;
        if names.is_empty() {
            return Err(format!("{}: no inputs", kept.display()).into());
        }
        let step = names.len().div_ceil(MOST);
        names = names.into_iter().step_by(step).collect();
        let count = names.len();
        let times = INPUTS.div_ceil(count);
        let folder = scratch(&format!("rates-{mode}"));
        let folders = (0..times)
            .map(|i| linked(kept, &names, &folder.join(i.to_string())))
            .collect::<Result<Vec<_>, _>>()?;
        let scenarios = scratch(&format!("rates-{mode}-scenarios"));
        let mut write = Command::new(replay);
        write
            .arg(mode)
            .arg(&folders[0])
            .arg("--write")
            .arg(&scenarios);
        seconds(&mut write, 0)?;
        let names = vec![self::names(&scenarios)?; times].concat();
        Ok(Inputs {
            count: count * times,
            folders,
            scenarios: (scenarios, names),
        })
    }
}

/// What is in a folder, in order.
fn names(folder: &Path) -> Result<Vec<OsString>, Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<Result<Vec<_>, std::io::Error>>()?;
    names.sort();
    Ok(names)
}

/// A folder with links to these files of another.
fn linked(from: &Path, names: &[OsString], to: &Path) -> Result<PathBuf, Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let from = fs::canonicalize(from)?;
    for name in names {
        symlink(from.join(name), to.join(name))?;
    }
    Ok(to.to_owned())
}

/// Prints a row for each compiler.
fn measure(inputs: &Inputs, mode: &str, programs: &Programs) -> Result<(), Box<dyn Error>> {
    let replay = |program: &Path| {
        let mut command = Command::new(program);
        command.arg(mode).args(&inputs.folders);
        seconds(&mut command, 0)
    };
    // Of each round: for each compiler, the target and the same without libFuzzer; then what has no instrumentation.
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut row = Vec::new();
        for (_, folder) in &programs.instrumented {
            let mut target = Command::new(folder.join(mode));
            let flags = ["-runs=0", "-max_len=16384"];
            target.args(flags).args(&inputs.folders);
            row.push(seconds(&mut target, 0)?);
            row.push(replay(&folder.join("replay"))?);
        }
        row.push(replay(&programs.bare)?);
        let mut plain = Command::new(&programs.lgdiff);
        let (folder, names) = &inputs.scenarios;
        plain.args(["replay", "--quiet"]).args(names);
        // Scenarios that are known to harm the host end it with 1.
        row.push(seconds(plain.current_dir(folder), 1)?);
        rounds.push(row);
    }
    let median = |of: &dyn Fn(&[f64]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(|row| of(row)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    for (i, (name, _)) in programs.instrumented.iter().enumerate() {
        let target = 2 * i;
        let [bare, plain, lgdiff] =
            [target + 1, 4, 5].map(|other| median(&|row| row[other] / row[target]));
        let bound = |ratio: f64, bound: f64| match *name {
            "clang" if ratio < bound => format!("{ratio:.2} BELOW {bound}"),
            "clang" => format!("{ratio:.2} (at least {bound})"),
            _ => format!("{ratio:.2}"),
        };
        println!(
            "{mode:<6} {name:<6} {:>7} {:>9.0} {:>25} {plain:>23.2}  {}",
            inputs.count,
            inputs.count as f64 / median(&|row| row[target]),
            bound(bare, OF_BARE),
            bound(lgdiff, OF_LGDIFF),
        );
    }
    Ok(())
}

/// The program `replay` of this workspace, built as any other.
fn bare() -> Result<PathBuf, Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    build(here, &["--features", "replay", "--bin", "replay"])
}

/// `lgdiff` as everybody builds it.
fn lgdiff() -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    build(&root, &["--bin", "lgdiff"])
}

/// Builds a program, which the last word names, by the workspace that is there.
fn build(workspace: &Path, what: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--quiet", "--locked", "--release"])
        .args(what)
        .current_dir(workspace)
        .env_remove("LGUEST_C_COVER");
    seconds(&mut cargo, 0)?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or(workspace.join("target"), PathBuf::from);
    let program = what.last().ok_or("nothing to build")?;
    Ok(target.join("release").join(program))
}

/// CPU time that a command took; it must not end with more than `most`.
fn seconds(command: &mut Command, most: i32) -> Result<f64, Box<dyn Error>> {
    let before = of_children()?;
    let out = command.stdin(Stdio::null()).output()?;
    let took = of_children()? - before;
    match out.status.code() {
        Some(code) if (0..=most).contains(&code) => Ok(took),
        _ => {
            let log = String::from_utf8_lossy(&out.stderr);
            Err(format!("{command:?}: {}: {log}", out.status).into())
        }
    }
}

/// CPU time of all children that have ended, by the kernel's clock of a hundred ticks a second.
fn of_children() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // Its third word comes after the name, which may have anything in it.
    let (_, words) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let words: Vec<&str> = words.split_whitespace().collect();
    let ticks = |place: usize| -> Result<f64, Box<dyn Error>> {
        Ok(words.get(place - 3).ok_or("a short line")?.parse()?)
    };
    Ok((ticks(16)? + ticks(17)?) / 100.0)
}
