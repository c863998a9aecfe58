// SPDX-License-Identifier: GPL-2.0-or-later
//! The targets themselves, built as README says and run: that they see into the C, that a crash of the host is an
//! outcome to them, and that a find becomes a scenario.
//!
//! What a machine lacks for a test is said, and the test counts as ignored; with `LGUEST_REQUIRE_TOOLS=1` it fails.

mod building;
#[allow(dead_code, reason = "the build script reads the rest")]
#[path = "../planted/table.rs"]
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use building::{Build, clang, have, scratch};
use lguest_engine::PagingMode;
use lguest_fuzz::pair::Worlds;
use lguest_oracle::drive::End;
use lguest_oracle::fuzzed;
use lguest_oracle::load::{find, load};
use lguest_oracle::text;
use lguest_shadow::BugKind;
use libtest_mimic::{Arguments, Trial};

/// Inputs within which a hidden branch is found: it takes 14,000 to 103,000 with the seeds that were tried.
const RUNS: &str = "-runs=300000";
/// Room for one step.
const ONE_STEP: &str = "-max_len=256";
/// What is planted that only sanitizers tell, and their words for it; the first is a fault that the processor raises.
const TOLD: [(&str, &str); 3] = [
    ("endless_stack", "ERROR: AddressSanitizer: stack-overflow"),
    (
        "over_read",
        "ERROR: AddressSanitizer: stack-buffer-overflow",
    ),
    ("wide_shift", "runtime error: shift exponent"),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // They build in one folder.
    arguments.test_threads = Some(1);
    let pinned = lguest_c_reference::reference().is_some_and(|original| original.pinned);
    let tools = [
        (
            have("cargo", &["fuzz", "--version"]),
            "no cargo-fuzz: cargo install cargo-fuzz --locked",
        ),
        (pinned, "the reference is not the pinned original"),
    ];
    let with_clang = [(clang().is_some(), "no clang")];
    let with_gcc = [(have("gcc", &["--version"]), "no gcc")];
    let nightly = [
        (
            have("cargo", &["+nightly", "--version"]),
            "no nightly toolchain",
        ),
        with_clang[0],
    ];
    let trials = vec![
        trial(
            "clang_shows_a_branch_of_the_c_alone",
            &tools,
            &with_clang,
            || finds("hidden_clang"),
        ),
        trial(
            "gcc_shows_a_branch_of_the_c_alone",
            &tools,
            &with_gcc,
            || finds("hidden_gcc"),
        ),
        trial(
            "without_coverage_of_the_c_it_stays_hidden",
            &tools,
            &[],
            || {
                let (code, log) = hunt("hidden_blind");
                assert!(code == Some(0), "{log}");
            },
        ),
        trial("a_crash_of_the_host_is_an_outcome", &tools, &[], || {
            survive(Build::new("plain"))
        }),
        trial(
            "a_crash_of_the_host_is_an_outcome_under_sanitizers",
            &tools,
            &nightly,
            || {
                let clang = clang().expect("clang");
                let build = Build::sanitized("sanitized").with("CC", &clang);
                survive(build.clone());
                for (copy, told) in TOLD {
                    let log = tells(&build, copy);
                    assert!(log.contains(told), "{copy}: {log}");
                }
            },
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

/// The program with all copies of the original, one of which it runs.
fn planted(build: Build, copy: &str) -> Build {
    build.features("planted").with("LGUEST_PLANTED", copy)
}

/// One guest that looks up an address, in the page in which the hidden branch waits.
fn look_up() -> Vec<u8> {
    let text = format!("machine mode=nopae\nguest_pa {:#x}\n", table::PAGE << 12);
    text::parse(&text).expect("a scenario").to_bytes()
}

/// Fuzzes a copy of the original with a hidden branch, from one guest that looks up an address in the right page, by the
/// coverage of code alone.
fn hunt(copy: &str) -> (Option<i32>, String) {
    let seeds = scratch(&format!("{copy}-seeds"));
    fs::write(seeds.join("seed"), look_up()).expect("a seed");
    let artifacts = scratch(&format!("{copy}-found"));
    let build = planted(Build::new(copy), copy).with("LGUEST_STATES", "0");
    let out = build.run(
        "planted",
        &[
            RUNS,
            "-seed=1",
            ONE_STEP,
            "-use_counters=0",
            &format!("-artifact_prefix={}/", artifacts.display()),
            seeds.to_str().expect("text"),
        ],
    );
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    (out.status.code(), log)
}

/// The branch is found, what comes of it is told, and the command that is printed makes a scenario of the input.
fn finds(copy: &str) {
    let (code, log) = hunt(copy);
    assert!(code != Some(0), "not found: {log}");
    assert!(log.contains("nopae diff guest_pa: return value"), "{log}");
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

/// Scenarios in which the host crashes, some by a fault of the processor, are inputs like others, whoever handles
/// signals; a crash that the port does not have is a difference.
fn survive(build: Build) {
    let folder = scratch(&format!("{}-crashing", build.name));
    let count = crashing(&folder);
    let inputs = folder.to_str().expect("text");
    // The target, with the copies beside it: what it is made of is built once for both programs.
    let out = planted(build.clone(), "none").run("both", &["-runs=0", inputs]);
    let log = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{log}");
    assert!(log.contains(&format!("{count} files found")), "{log}");

    let log = tells(&build, "wild_read");
    assert!(
        log.contains("nopae hostbug guest_pa: wild_page / value"),
        "{log}"
    );
}

/// What the target has to say of an input that leads this copy of the original into what is planted in it.
fn tells(build: &Build, copy: &str) -> String {
    let folder = scratch(&format!("{}-{copy}", build.name));
    fs::write(folder.join("look-up"), look_up()).expect("an input");
    let inputs = folder.to_str().expect("text");
    let out = planted(build.clone(), copy).run("planted", &["-runs=0", inputs]);
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success(), "{copy}: {log}");
    log
}

/// Writes the inputs of the corpora in which the host crashes; how many there are.
fn crashing(folder: &Path) -> u32 {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
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
        faults[0] > 0 && faults[1] > 0,
        "{faults:?} faults among {count} crashes"
    );
    count
}
