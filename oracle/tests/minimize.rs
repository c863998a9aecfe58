// SPDX-License-Identifier: GPL-2.0-or-later
//! The minimizer: what it leaves is 1-minimal by a checker of its own, still shows what it should, and is the same
//! each time.

mod common;
#[path = "common/minimal.rs"]
mod minimal;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use common::scenario;
use lguest_engine::{PagingMode, Verb};
use lguest_oracle::class::Kind;
use lguest_oracle::load::{find, load};
use lguest_oracle::minimize::keep::{divergence, small};
use lguest_oracle::minimize::sides::{Keep, eye};
use lguest_oracle::minimize::{Budget, Look, Minimized, classes, emit, minimize};
use lguest_oracle::rig::{Hosts, Subject, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::{parse, print};
use lguest_oracle::witness::Witnesses;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn corpora(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpora")
        .join(below)
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Without any limit.
fn whole(scenario: &ScenarioBuf, shows: &mut dyn FnMut(&ScenarioBuf) -> bool) -> Option<Minimized> {
    let mut goal = |candidate: &ScenarioBuf| match shows(candidate) {
        true => Look::Shows(candidate.steps.len()),
        false => Look::Nothing,
    };
    minimize(scenario, &mut goal, &Budget::default(), &|_| {})
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn every_finding_is_minimized_and_keeps_its_class() {
    let hosts = Hosts::new().expect("room for two hosts");
    let mut classes = 0;
    for file in find(&corpora("findings")).expect("findings") {
        let scenario = load(&file).expect("a scenario");
        for mode in modes(scenario.machine.mode) {
            let again = |scenario: &ScenarioBuf| {
                let budget = Budget::default();
                let subject = Subject::Both;
                small(
                    &hosts,
                    subject,
                    scenario,
                    *mode,
                    Keep::Class,
                    None,
                    &budget,
                    &|_| {},
                )
                .unwrap_or_else(|| panic!("{} shows nothing", file.display()))
            };
            let small = again(&scenario);
            let left = &small.done.scenario;
            assert!(small.done.minimal);
            assert!(
                left.steps.len() <= scenario.steps.len().min(8),
                "{}",
                print(left)
            );
            assert_eq!(left.machine.expect, scenario.machine.expect);
            let mut eye = eye(&hosts, Subject::Both, *mode, &scenario, None).expect("the original");
            let class = eye.see(left, None).expect("harm").class;
            assert_eq!(class, small.class);
            assert!(
                matches!(class.kind, Kind::HostBug | Kind::Breach),
                "{class}"
            );
            minimal::assert_minimal(left, &mut |candidate| {
                eye.see(candidate, Some(&class))
                    .is_some_and(|seen| seen.class == class)
            });
            assert_eq!(again(&scenario).done.scenario, *left, "the same again");
            assert_eq!(again(left).done.scenario, *left, "nothing is left to do");
            let found = divergence(&hosts, Subject::Both, left, *mode, None).expect("a report");
            assert_eq!(found.class, class);
            let told = ["all sides agree: ", "so shows finding "];
            assert!(
                told.iter().any(|told| found.text.contains(told)),
                "{}",
                found.text
            );
            classes += 1;
        }
    }
    assert!(classes >= 13, "{classes}");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_kind_is_kept_where_a_class_need_not_be() {
    let hosts = Hosts::new().expect("room for two hosts");
    let file = corpora("findings/c18-stack-too-large-pinned-later.scn");
    let scenario = load(&file).expect("a scenario");
    let steps = |keep| {
        let budget = Budget::default();
        let mode = PagingMode::NoPae;
        let small = small(
            &hosts,
            Subject::Both,
            &scenario,
            mode,
            keep,
            None,
            &budget,
            &|_| {},
        );
        let small = small.expect("harm");
        assert_eq!(small.class.kind, Kind::HostBug);
        small.done.scenario.steps.len()
    };
    assert!(steps(Keep::Breach) < steps(Keep::Class));
}

/// Properties that ask for more and more that hangs together.
fn asks(scenario: &ScenarioBuf, which: u32) -> bool {
    let count = |verb: Verb| scenario.steps.iter().filter(|s| s.verb == verb).count();
    let sum: u64 = scenario.steps.iter().map(|s| u64::from(s.args[1])).sum();
    match which {
        0 => scenario.steps.len() >= 5,
        1 => count(Verb::Run) == count(Verb::Access) && count(Verb::Run) > 0,
        2 => sum > 0x1_2345,
        3 => scenario.steps.iter().any(|s| s.quals.during.is_some()) || scenario.pages.len() > 2,
        4 => u64::from(scenario.machine.cpus) * scenario.steps.len() as u64 > 12,
        5 => scenario
            .steps
            .iter()
            .any(|s| s.quals.fail_alloc > 1 && s.args[0] & 0x20 != 0),
        _ => true,
    }
}

#[test]
fn what_is_left_of_anything_is_minimal_and_valid() {
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let seen = Cell::new(0);
    let tried = TestRunner::new(config).run(&scenario(), |scenario| {
        for which in 0..7 {
            let Some(done) = whole(&scenario, &mut |s| asks(s, which)) else {
                assert!(!asks(&scenario, which));
                continue;
            };
            seen.set(seen.get() + 1);
            prop_assert!(done.minimal);
            minimal::assert_minimal(&done.scenario, &mut |s| asks(s, which));
            let again = whole(&scenario, &mut |s| asks(s, which)).expect("again");
            prop_assert_eq!(&again.scenario, &done.scenario);
            prop_assert_eq!(again.runs, done.runs);
        }
        Ok(())
    });
    assert_eq!(tried, Ok(()));
    assert!(seen.get() > 60, "{}", seen.get());
}

#[test]
fn the_checker_rings_at_what_is_not_minimal() {
    let scenario = parse("machine mode=nopae\nexpect agree\nrun 0\naccess 0x1000 read\n");
    let scenario = scenario.expect("a scenario");
    let caught = std::panic::catch_unwind(|| {
        minimal::assert_minimal(&scenario, &mut |s| !s.steps.is_empty());
    });
    assert!(caught.is_err());
    let caught = std::panic::catch_unwind(|| {
        minimal::assert_minimal(&scenario, &mut |s| s.steps.len() == 2);
    });
    assert!(caught.is_err(), "the address can go to 0");
}

#[test]
fn a_spent_budget_is_told_and_leaves_a_valid_scenario() {
    let steps: String = (0..500)
        .map(|i| format!("access {:#x} read\n", i << 12))
        .collect();
    let scenario = parse(&format!("machine mode=nopae\nexpect agree\n{steps}"));
    let scenario = scenario.expect("a scenario");
    let shows = |s: &ScenarioBuf| s.steps.iter().any(|step| step.args[0] == 400 << 12);
    let mut before = usize::MAX;
    for work in [0, 1000, 3000, 10_000, 1 << 30] {
        let budget = Budget {
            work: Some(work),
            ..Budget::default()
        };
        let mut goal = |s: &ScenarioBuf| match shows(s) {
            true => Look::Shows(s.steps.len()),
            false => Look::Nothing,
        };
        let done = minimize(&scenario, &mut goal, &budget, &|_| {}).expect("it shows");
        assert!(shows(&done.scenario));
        assert_eq!(done.scenario.check(), Ok(()));
        assert_eq!(done.minimal, done.scenario.steps.len() == 1);
        assert!(done.scenario.steps.len() <= before);
        before = done.scenario.steps.len();
    }
    assert_eq!(before, 1);
    let flag = AtomicBool::new(true);
    let budget = Budget {
        interrupted: Some(&flag),
        ..Budget::default()
    };
    let mut goal = |s: &ScenarioBuf| Look::Shows(s.steps.len());
    let done = minimize(&scenario, &mut goal, &budget, &|_| {}).expect("it shows");
    assert!(!done.minimal);
    assert_eq!(done.scenario, scenario);
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn other_classes_are_kept_once_each_and_not_followed() {
    let hosts = Hosts::new().expect("room for two hosts");
    let class = |text: &str| {
        let scenario = parse(text).expect("a scenario");
        let found = divergence(&hosts, Subject::Both, &scenario, PagingMode::NoPae, None);
        found.expect("harm").class
    };
    let head = "machine mode=nopae\nexpect agree\nLGUEST_INIT 0x0\n";
    let other = class(&format!("{head}SET_PGD 0x0 1024\n"));
    let scenario = parse(&format!("{head}run 0\nrun 0\nrun 0\n")).expect("a scenario");
    let mut goal = |s: &ScenarioBuf| match s.steps.len() {
        3.. => Look::Shows(s.steps.len()),
        _ => Look::Other(other.clone()),
    };
    let done = minimize(&scenario, &mut goal, &Budget::default(), &|_| {}).expect("it shows");
    assert_eq!(done.scenario.steps.len(), 3);
    assert_eq!(done.others.len(), 1);
    assert!(done.others[&other].steps.len() < 3);
}

/// All files below a folder, with what is in them.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for class in fs::read_dir(folder).expect("a folder") {
        for file in fs::read_dir(class.expect("an entry").path()).expect("a folder") {
            let path = file.expect("an entry").path();
            let name = path
                .strip_prefix(folder)
                .expect("below it")
                .display()
                .to_string();
            let text = fs::read_to_string(&path).expect("a text");
            let text = text.replace(&folder.display().to_string(), "DIR");
            all.insert(name, text);
        }
    }
    all
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_classes_of_a_campaign_come_out_the_same_on_any_number_of_threads() {
    let hosts = Hosts::new().expect("room for two hosts");
    let flag = AtomicBool::new(false);
    let of = |threads: usize, work: Option<u64>| {
        let folder = folder(&format!("classes-{threads}-{}", work.unwrap_or(0)));
        let mut witnesses = Witnesses::new(&folder, Subject::Both).expect("a folder");
        for (index, file) in (0..).zip(find(&corpora("findings")).expect("findings")) {
            let scenario = load(&file).expect("a scenario");
            for mode in modes(scenario.machine.mode) {
                let found = divergence(&hosts, Subject::Both, &scenario, *mode, None);
                let found = found.expect("harm");
                witnesses.add(index, &found, "a test").expect("a witness");
            }
        }
        let mut options = classes::Options::new(Subject::Both, threads, None, &flag);
        options.work = work.unwrap_or(options.work);
        let announced = std::sync::Mutex::new(0);
        let announce = |_: &str| *announced.lock().expect("a number") += 1;
        let mut failures = Vec::new();
        classes::all(&options, &mut witnesses, &announce, &mut |why| {
            failures.push(why)
        });
        assert_eq!(failures, Vec::<String>::new());
        for (class, record) in &witnesses.classes {
            let minimal = record.minimal.as_ref().expect("minimized");
            assert!(minimal.whole || work.is_some(), "{class}");
            assert!(
                minimal
                    .file
                    .ends_with(format!("{}/minimal.scn", class.id()))
            );
            let scenario = load(&minimal.file).expect("a scenario");
            assert_eq!(scenario.steps.len(), minimal.steps);
            let found = divergence(
                &hosts,
                Subject::Both,
                &scenario,
                scenario.machine.mode,
                None,
            );
            assert_eq!(found.expect("harm").class, *class);
        }
        assert!(*announced.lock().expect("a number") >= witnesses.classes.len());
        files(&folder)
    };
    let one = of(1, None);
    assert!(one.len() >= 40, "{}", one.len());
    assert_eq!(one, of(3, None));
    assert_eq!(of(1, Some(100)), of(2, Some(100)), "a budget that runs out");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn an_emitted_test_compiles_and_is_emitted_again_to_the_letter() {
    let hosts = Hosts::new().expect("room for two hosts");
    let file = corpora("findings/c3-set-pgd-takes-the-switcher-from-another-table.scn");
    let scenario = load(&file).expect("a scenario");
    let budget = Budget::default();
    let mode = PagingMode::NoPae;
    let small = small(
        &hosts,
        Subject::Both,
        &scenario,
        mode,
        Keep::Class,
        None,
        &budget,
        &|_| {},
    );
    let small = small.expect("harm");
    let text = emit::rust(&small.done.scenario, &small.class.to_string());
    // It stands beside this file, as a test like others.
    assert_eq!(
        text,
        include_str!("emitted.rs"),
        "lgdiff minimize --emit rust"
    );
}

#[test]
fn an_emitted_test_holds_any_text() {
    let text = "machine mode=pae\nexpect agree\nrun 0\n= X \"bad \\x22 \"\n";
    let scenario = parse(text).expect("a scenario");
    let rust = emit::rust(&scenario, "12 \"#\u{7}\n new line");
    assert!(rust.contains("r#\"\nmachine mode=pae"), "{rust}");
    assert!(rust.contains("fn pae_12_new_line()"), "{rust}");
    assert!(!rust.contains('\u{7}'));
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_crash_at_the_end_is_one_of_destroy_whether_that_is_written_down_or_not() {
    let hosts = Hosts::new().expect("room for two hosts");
    let text = "machine mode=pae
expect agree
LGUEST_INIT 0x0
NEW_PGTABLE 0x600
write 0x600 8 0x1
write 0x460 8 0x1
write 0x900 8 0x1
demand_page 0x11920000
SET_PTE 0x0 0x11920000 0x44020
";
    for end in ["", "run 0\n", "destroy\n", "async LOAD_TLS 0x0\ndestroy\n"] {
        let scenario = parse(&format!("{text}{end}")).expect("a scenario");
        let (keep, budget) = (Keep::Class, Budget::default());
        let mode = PagingMode::Pae;
        let small = small(
            &hosts,
            Subject::Both,
            &scenario,
            mode,
            keep,
            None,
            &budget,
            &|_| {},
        );
        let small = small.expect("harm");
        let class = "pae hostbug destroy: put_not_held";
        assert_eq!(small.class.to_string(), class);
        assert_eq!(
            small.done.scenario.steps.len(),
            7,
            "{}",
            print(&small.done.scenario)
        );
    }
}
