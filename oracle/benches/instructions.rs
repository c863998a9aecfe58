// SPDX-License-Identifier: GPL-2.0-or-later
//! Instructions of the port against those of the original, for the mix and for each kind of operation.
//!
//! callgrind counts the self cost of their functions; host primitives are functions of their own on both sides (the
//! feature `outline`) and are left out. There the original is compiled as gcc inlines by itself, without the flags for
//! speed that the campaign's is given (`c-reference/build/compile.rs`). With these, `run` alone would be above its bound:
//! gcc makes what it calls a part of it. Needs valgrind: `cargo bench -p lguest-oracle --features outline
//! --bench instructions`. It fails if a ratio is above its bound.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lguest_engine::scenario::hypercall_name;
use lguest_engine::{Outcome, PagingMode, Runner, Side, Step, Verb};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Alone, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::load::load;
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;

/// Scenarios of the mix.
const SCENARIOS: u64 = 30;

/// A kind of operation: its name, and the function that is on the stack while it runs.
macro_rules! kinds {
    ($($name:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($name)),*];

        mod kind {
            use super::*;
            $(
                #[inline(never)]
                pub fn $name<S: Side>(runner: &mut Runner<S>, step: &Step) -> Outcome {
                    black_box(stringify!($name));
                    runner.step(step)
                }
            )*
        }

        fn by_kind<S: Side>(runner: &mut Runner<S>, step: &Step) -> Outcome {
            match kind_of(step, runner.side.pae()) {
                $(stringify!($name) => kind::$name(runner, step),)*
                _ => runner.step(step),
            }
        }
    };
}

kinds! {
    kind_demand_page kind_access kind_run kind_guest_pa kind_destroy kind_init
    kind_new_pgtable kind_flush_tlb kind_set_stack kind_set_pte kind_set_pgd kind_set_pmd kind_other
}

fn kind_of(step: &Step, pae: bool) -> &'static str {
    match step.verb {
        Verb::DemandPage => "kind_demand_page",
        Verb::Access => "kind_access",
        Verb::Run => "kind_run",
        Verb::GuestPa => "kind_guest_pa",
        Verb::Destroy => "kind_destroy",
        Verb::Hypercall => match hypercall_name(step.args[0]) {
            Some("LGUEST_INIT") => "kind_init",
            Some("NEW_PGTABLE") => "kind_new_pgtable",
            Some("FLUSH_TLB") => "kind_flush_tlb",
            Some("SET_STACK") => "kind_set_stack",
            Some("SET_PTE") => "kind_set_pte",
            Some("SET_PGD") => "kind_set_pgd",
            // Two-level paging knows no such call.
            Some("SET_PMD") if pae => "kind_set_pmd",
            _ => "kind_other",
        },
        _ => "",
    }
}

fn drive<S: Side>(mut alone: Alone<S>, folder: &Path) {
    for index in 0..SCENARIOS {
        let scenario =
            load(&folder.join(format!("{index}.lgs"))).expect("a scenario written before");
        let started = alone
            .0
            .start(&scenario.machine, &mut scenario.pages.iter().copied());
        if started != Ok(0) {
            continue;
        }
        let last = Step::new(Verb::Destroy, [0; 5]);
        for step in scenario.steps.iter().chain([&last]) {
            by_kind(&mut alone.0, step);
        }
    }
}

/// The half that runs under valgrind.
fn child(side: &str, mode: &str, folder: &Path) {
    let hosts = Hosts::new().expect("room for a simulated host");
    let pae = mode == "pae";
    match (side, pae) {
        ("original", _) => drive(hosts.original_alone(pae).expect("the original"), folder),
        (_, false) => drive(hosts.port_nopae(), folder),
        (_, true) => drive(hosts.port_pae(), folder),
    }
}

/// Whether a function, by the file that it is in, is the code under test.
fn counts(side: &str, file: &str) -> bool {
    let name = Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    match side {
        "original" => {
            let primitives = ["/linux/", "/asm/", "door.c"];
            name.starts_with("page_tables")
                || file.contains("/shim/") && !primitives.iter().any(|part| file.contains(part))
        }
        _ => file.contains("rust-impl/src") || file.ends_with("engine/src/port.rs"),
    }
}

/// Sums the self cost of the functions that count in one of callgrind's files.
fn self_cost(side: &str, profile: &str) -> (u64, BTreeMap<String, u64>) {
    let (mut sum, mut by_function) = (0, BTreeMap::new());
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let (mut file, mut function) = (String::new(), String::new());
    let mut inclusive = false;
    let mut named = |text: &str, sort: &str| -> String {
        let (id, name) = text.split_once(' ').unwrap_or((text, ""));
        let key = format!("{sort}{id}");
        if !name.is_empty() {
            names.insert(key.clone(), name.to_owned());
        }
        names.get(&key).cloned().unwrap_or_default()
    };
    for line in profile.lines() {
        if let Some((word, rest)) = line.split_once('=') {
            match word {
                "fl" => file = named(rest, "file"),
                "fi" | "fe" | "cfi" | "cfl" => drop(named(rest, "file")),
                "fn" => function = named(rest, "fn"),
                "cfn" => drop(named(rest, "fn")),
                "calls" => inclusive = true,
                _ => {}
            }
        } else if line.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-' || c == '*')
        {
            let cost = line
                .split_whitespace()
                .nth(1)
                .and_then(|cost| cost.parse::<u64>().ok())
                .unwrap_or(0);
            if !std::mem::take(&mut inclusive) && counts(side, &file) {
                sum += cost;
                *by_function.entry(function.clone()).or_default() += cost;
            }
        }
    }
    (sum, by_function)
}

fn measure(side: &str, mode: PagingMode, kind: &str, folder: &Path) -> u64 {
    let out = folder.join(format!("{side}-{kind}.out"));
    let status = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--quiet",
            "--collect-atstart=no",
            "--demangle=no",
        ])
        .arg(format!("--toggle-collect=*{kind}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program"))
        .args(["child", side, mode_name(mode)])
        .arg(folder)
        .status()
        .expect("valgrind starts; apt-get install valgrind");
    assert!(status.success(), "valgrind failed");
    let profile = fs::read_to_string(&out).expect("callgrind's file");
    let (sum, by_function) = self_cost(side, &profile);
    if std::env::var_os("LGUEST_BENCH_FUNCTIONS").is_some() {
        let mut rows: Vec<_> = by_function.into_iter().collect();
        rows.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
        rows.iter()
            .take(12)
            .for_each(|(name, cost)| println!("    {cost:12} {name}"));
    }
    sum
}

fn prepare(folder: &Path, mode: PagingMode) {
    let hosts = Hosts::new().expect("room for a simulated host");
    for index in 0..SCENARIOS {
        let mut generator = Generator::new(1, profile_of(None, index), index, mode);
        let mut scenario = ScenarioBuf::new(generator.machine);
        scenario.pages.clone_from(&generator.pages);
        let (machine, pages) = (scenario.machine, scenario.pages.clone());
        let steps = &mut scenario.steps;
        match mode {
            PagingMode::Pae => run(
                &mut hosts.port_pae(),
                &machine,
                &pages,
                &mut generator,
                |_, step, _| steps.push(*step),
            ),
            _ => run(
                &mut hosts.port_nopae(),
                &machine,
                &pages,
                &mut generator,
                |_, step, _| steps.push(*step),
            ),
        };
        fs::write(folder.join(format!("{index}.lgs")), scenario.to_bytes()).expect("room on disk");
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, side, mode, folder] = &args[..]
        && word == "child"
    {
        child(side, mode, Path::new(folder));
        return ExitCode::SUCCESS;
    }
    if !args.iter().any(|arg| arg == "--bench") {
        println!("instructions: run by cargo bench alone");
        return ExitCode::SUCCESS;
    }
    if lguest_c_reference::reference().is_none() {
        println!("instructions: skipped, this program was built without the original");
        return ExitCode::SUCCESS;
    }
    let mut above = false;
    println!("mode  operation          original         port  port/original");
    for mode in modes(PagingMode::Both) {
        let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("instructions-{}", mode_name(*mode)));
        fs::create_dir_all(&folder).expect("a folder for callgrind's files");
        prepare(&folder, *mode);
        let mut all = (0, 0);
        let mut row = |kind: &str, c: u64, port: u64, bound: f64| {
            let ratio = port as f64 / c as f64;
            let verdict = if ratio <= bound { "" } else { "  ABOVE" };
            println!(
                "{:5} {kind:12} {c:14} {port:12}  {ratio:.3} (at most {bound}){verdict}",
                mode_name(*mode)
            );
            above |= ratio > bound;
        };
        for kind in KINDS {
            let [c, port] = ["original", "port"].map(|side| measure(side, *mode, kind, &folder));
            all = (all.0 + c, all.1 + port);
            if c > 0 {
                row(kind.trim_start_matches("kind_"), c, port, 1.1);
            }
        }
        row("mix", all.0, all.1, 1.0);
    }
    if above {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
