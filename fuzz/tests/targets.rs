// SPDX-License-Identifier: GPL-2.0-or-later
//! The targets themselves, built as README says and run: that they see into the C, that a crash of the host is an
//! outcome to them, and that a find becomes a scenario.
//!
//! What a machine lacks for a test is said, and the test counts as ignored; with `LGUEST_REQUIRE_TOOLS=1` it fails.

mod building;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use building::{Build, clang, gcc, have, scratch};
use lguest_engine::PagingMode;
use lguest_fuzz::pair::Worlds;
use lguest_oracle::drive::End;
use lguest_oracle::fuzzed;
use lguest_oracle::load::{find, load};
use lguest_oracle::text;
use lguest_shadow::BugKind;
use libtest_mimic::{Arguments, Trial};

/// Inputs within which a hidden branch is found.
const RUNS: &str = "-runs=400000";
/// Room for three steps: a guest that is born, and one call.
const FEW_STEPS: &str = "-max_len=352";

fn main() {
    let mut arguments = Arguments::from_args();
    // They build in one folder.
    arguments.test_threads = Some(1);
    let pinned = lguest_c_reference::reference().is_some_and(|original| original.pinned);
    let clang_runs = clang().is_some();
    let nightly = have("cargo", &["+nightly", "--version"]);
    let tools: &[(bool, &str)] = &[
        (
            have("cargo", &["fuzz", "--version"]),
            "no cargo-fuzz: cargo install cargo-fuzz --locked",
        ),
        (pinned, "the reference is not the pinned original"),
    ];
    let trials = vec![
        trial(
            "clang_shows_a_branch_of_the_c_alone",
            tools,
            &[(clang_runs, "no clang")],
            || {
                finds(&hidden("clang").cc(&clang().expect("clang")));
            },
        ),
        trial(
            "gcc_shows_a_branch_of_the_c_alone",
            tools,
            &[(gcc().is_some(), "no gcc")],
            || {
                finds(&hidden("gcc").cc(&gcc().expect("gcc")));
            },
        ),
        trial(
            "without_coverage_of_the_c_it_stays_hidden",
            tools,
            &[],
            || {
                let (code, log) = hunt(&hidden("off").with("LGUEST_C_COVER", "off"));
                assert!(code == Some(0), "{log}");
            },
        ),
        trial("a_crash_of_the_host_is_an_outcome", tools, &[], || {
            survive(&Build::new("plain"))
        }),
        trial(
            "a_crash_of_the_host_is_an_outcome_under_sanitizers",
            tools,
            &[(nightly, "no nightly toolchain"), (clang_runs, "no clang")],
            || survive(&Build::sanitized("sanitized").cc(&clang().expect("clang"))),
        ),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that needs these things; the first that is not there makes it an ignored one.
fn trial(
    name: &str,
    tools: &[(bool, &str)],
    more: &[(bool, &str)],
    test: impl FnOnce() + Send + 'static,
) -> Trial {
    let missing = tools.iter().chain(more).find(|(there, _)| !there);
    let trial = Trial::test(name, move || {
        test();
        Ok(())
    });
    match missing {
        Some((_, what)) if env::var_os("LGUEST_REQUIRE_TOOLS").is_none() => {
            eprintln!("{name} is ignored: {what}");
            trial.with_ignored_flag(true)
        }
        Some((_, what)) => {
            let what = (*what).to_owned();
            Trial::test(name, move || Err(what.into()))
        }
        None => trial,
    }
}

/// What the call must be that a hidden branch waits for: bits of its table's address, and of its index, by which
/// neither original nor port branches elsewhere.
const TABLE: u32 = 0b0001_0010_0000_1000;
const INDEX: u32 = 0b01_0100_0100;

/// The original with a branch in `guest_set_pgd` that one call in four million takes, an edge a bit. It writes to a
/// field of a slot, which the port does not.
fn hidden(name: &str) -> Build {
    let original = lguest_c_reference::reference().expect("the original");
    let text = fs::read(original.path).expect("the original");
    let mut branch = String::from("({ ");
    for bit in 0..12 {
        let tests = [("idx", INDEX), ("gpgdir", TABLE)];
        for (name, wanted) in tests {
            let wanted = wanted >> bit & 1;
            // Nothing moves across the empty statement, so that the tests stay apart.
            branch += &format!(
                "if (((unsigned int){name} >> {bit} & 1) == {wanted}) {{ __asm__ volatile(\"\"); "
            );
        }
    }
    branch += "lg->pgdirs[0].last_host_cpu = 77; ";
    branch += &"}".repeat(24);
    branch += " idx; })";
    let edited = building::edit(&text, 1034, 6, "idx", &branch);
    let file = scratch("hidden").join("page_tables.c");
    fs::write(&file, edited).expect("a copy of the original");
    Build::new(name)
        .with("LGUEST_PAGE_TABLES_C", file.to_str().expect("text"))
        .with("LGUEST_REFERENCE_UNPINNED", "1")
        // By the code's coverage alone.
        .with("LGUEST_STATES", "0")
}

/// Fuzzes from one guest that makes a call of the right kind.
fn hunt(build: &Build) -> (Option<i32>, String) {
    let seeds = scratch(&format!("{}-seeds", build.name));
    let seed = text::parse(
        "machine mode=nopae\nboot_data 0x0 kernel=0xc0000000\nLGUEST_INIT 0x0\nSET_PGD 0x0 0\n",
    )
    .expect("a scenario");
    fs::write(seeds.join("seed"), seed.to_bytes()).expect("a seed");
    let artifacts = format!(
        "-artifact_prefix={}/",
        scratch(&format!("{}-found", build.name)).display()
    );
    let out = build.run(
        "nopae",
        &[
            RUNS,
            "-seed=1",
            FEW_STEPS,
            &artifacts,
            seeds.to_str().expect("text"),
        ],
    );
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code(), log)
}

/// The branch is found, what comes of it is told, and the command that is printed makes a scenario of the input.
fn finds(build: &Build) {
    let (code, log) = hunt(build);
    assert!(code != Some(0), "not found: {log}");
    assert!(log.contains("diff SET_PGD: field last_host_cpu"), "{log}");
    let command = log
        .lines()
        .find_map(|line| line.strip_prefix("the input as a scenario: "))
        .expect("a command");
    let words: Vec<&str> = command.split(' ').collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the root");
    let status = Command::new(words[0])
        .args(&words[1..])
        .current_dir(root)
        .env_remove("LGUEST_C_COVER")
        .status();
    assert!(status.expect("cargo").success(), "{command}");
    let scenario = PathBuf::from(words.last().expect("a file"));
    let input = fs::read(scenario.with_extension("")).expect("the artifact");
    let made = text::parse(&fs::read_to_string(&scenario).expect("the scenario"));
    assert_eq!(made, Ok(fuzzed::read(&input, PagingMode::NoPae)));
}

/// Scenarios in which the host crashes, some by a fault of the processor, are inputs like others.
fn survive(build: &Build) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let folder = scratch(&format!("{}-crashing", build.name));
    let mut worlds = Worlds::new();
    let mut faults = [0; 2];
    let mut count = 0;
    for path in ["findings", "regression"] {
        for file in find(&corpora.join(path)).expect("corpora") {
            let mut scenario = load(&file).expect("a scenario");
            fuzzed::fit(&mut scenario, PagingMode::Both);
            let mut crashes = false;
            for (mode, faults) in [PagingMode::NoPae, PagingMode::Pae]
                .into_iter()
                .zip(&mut faults)
            {
                if let Ok(End::Bug(bug)) = worlds.run(&scenario, mode, &mut |_| {}).end {
                    crashes = true;
                    let by_fault = [BugKind::NullEntry, BugKind::OutsidePage, BugKind::WildPage];
                    *faults += u32::from(by_fault.contains(&bug.kind()));
                }
            }
            if crashes {
                let name = file.file_stem().unwrap_or_default();
                fs::write(folder.join(name), scenario.to_bytes()).expect("an input");
                count += 1;
            }
        }
    }
    assert!(
        faults[0] > 1 && faults[1] > 1,
        "{faults:?} faults among {count} crashes"
    );
    for target in ["nopae", "pae", "both"] {
        let out = build.run(target, &["-runs=0", folder.to_str().expect("text")]);
        let log = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{target}: {log}");
        assert!(
            log.contains(&format!("{count} files found")),
            "{target}: {log}"
        );
    }
}
