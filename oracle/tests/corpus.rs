// SPDX-License-Identifier: GPL-2.0-or-later
//! Corpora that last: what is merged shows all that there was, each that stays has something of its own, what is made
//! small keeps it, and seeds are scenarios that any target runs as they are.

mod common;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::scenario;
use lguest_engine::{Care, PagingMode, Step, Verb};
use lguest_oracle::corpus::adopt::{Options, adopt};
use lguest_oracle::corpus::cover::{Candidate, choose, own};
use lguest_oracle::corpus::feature::{Features, Look, Observer};
use lguest_oracle::corpus::goal::Showing;
use lguest_oracle::corpus::input::{GatherError, Input, gather};
use lguest_oracle::corpus::seeds::{MOST, seeds};
use lguest_oracle::drive::{Given, run};
use lguest_oracle::findings::explains;
use lguest_oracle::fuzzed;
use lguest_oracle::load::load;
use lguest_oracle::minimize::{Budget, Look as Seen, minimize};
use lguest_oracle::rig::{Hosts, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::{parse, print};
use lguest_oracle::verify::verify;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora")
}

fn regression() -> Vec<Input> {
    let folder = corpora().join("regression");
    gather(&[folder], None).expect("the corpus").inputs
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn original() -> bool {
    let there = lguest_c_reference::reference().is_some();
    if !there {
        eprintln!("skipped: built without the original");
    }
    there
}

fn union<'a>(sets: impl IntoIterator<Item = &'a Features>) -> Features {
    sets.into_iter().flatten().copied().collect()
}

proptest! {
    #[test]
    fn few_have_all_that_many_have(
        sets in vec((btree_set(0..12_u64, 0..6), 1..9_u64), 0..9),
        had in btree_set(0..12_u64, 0..3),
    ) {
        let had: HashSet<u64> = had.into_iter().collect();
        let candidates: Vec<Candidate<'_>> = sets
            .iter()
            .map(|(features, cost)| Candidate { features, cost: *cost })
            .collect();
        let kept = choose(&had, &candidates);
        let wanted: Features = union(sets.iter().map(|(set, _)| set))
            .into_iter()
            .filter(|id| !had.contains(id))
            .collect();
        let chosen: Vec<&Features> = kept.iter().map(|at| &sets[*at].0).collect();
        prop_assert!(wanted.is_subset(&union(chosen.iter().copied())));
        for alone in own(&had, &chosen) {
            prop_assert!(!alone.is_empty(), "one that is kept could go");
        }
        // No choice of all that there are costs less by more than the bound that is promised.
        let least = (0..1_u32 << sets.len())
            .filter(|mask| {
                let of = sets.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
                wanted.is_subset(&union(of.map(|(_, (set, _))| set)))
            })
            .map(|mask| {
                let of = sets.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
                of.map(|(_, (_, cost))| cost).sum::<u64>()
            })
            .min()
            .unwrap_or(0);
        let cost: u64 = kept.iter().map(|at| sets[*at].1).sum();
        let largest = sets.iter().map(|(set, _)| set.len()).max().unwrap_or(1).max(1);
        prop_assert!(cost as f64 <= least as f64 * ((largest as f64).ln() + 1.0) + 1e-9);
    }

    #[test]
    fn anything_can_be_looked_at(scenario in scenario()) {
        let hosts = Hosts::new().expect("room");
        let mut observer = Observer::new(&hosts);
        let all = observer.see(&scenario, Look::All);
        prop_assert_eq!(&observer.see(&scenario, Look::All), &all);
        for look in [Look::States, Look::Lines] {
            prop_assert!(observer.see(&scenario, look).is_subset(&all));
        }
        prop_assert_eq!(observer.told(&all).len(), all.len());
    }
}

#[test]
fn a_merged_corpus_shows_what_the_whole_one_does() {
    let (inputs, hosts) = (regression(), Hosts::new().expect("room"));
    let mut observer = Observer::new(&hosts);
    let shown: Vec<Features> = inputs
        .iter()
        .map(|input| observer.see(&input.scenario, Look::All))
        .collect();
    let candidates: Vec<Candidate<'_>> = inputs
        .iter()
        .zip(&shown)
        .map(|(input, features)| Candidate {
            features,
            cost: input.cost(),
        })
        .collect();
    let kept = choose(&HashSet::new(), &candidates);
    assert!(kept.len() < inputs.len() * 3 / 4, "{} stay", kept.len());
    let sets: Vec<&Features> = kept.iter().map(|at| &shown[*at]).collect();
    assert_eq!(union(sets.iter().copied()), union(&shown));
    for (at, own) in kept.iter().zip(own(&HashSet::new(), &sets)) {
        assert!(!own.is_empty(), "{} could go", inputs[*at].path.display());
    }
}

const KILL: &str = "machine mode=nopae\nboot_data 0x1000 kernel=0xc0000000\nLGUEST_INIT 0x1000\nrun 0\nSET_STACK 0x10 0x2000 1\n";

#[test]
fn an_inputs_mode_is_that_of_its_target() {
    let root = folder("corpus-modes");
    let bytes = parse(KILL).expect("a scenario").to_bytes();
    for (place, name) in [
        ("x/pae", "1"),
        ("nopae", "2"),
        ("both/deep", "3"),
        ("text", "4"),
    ] {
        fs::create_dir_all(root.join(place)).expect("a folder");
        fs::write(root.join(place).join(name), &bytes).expect("an input");
    }
    fs::write(root.join("text/5"), KILL).expect("an input");
    fs::write(root.join("nopae/6"), &bytes).expect("an input");
    fs::write(root.join("nopae/notes.txt"), "not ours").expect("a file");
    let read = |paths: &[PathBuf]| gather(paths, None).expect("inputs");
    let gathered = read(std::slice::from_ref(&root));
    let modes: BTreeSet<_> = gathered
        .inputs
        .iter()
        .map(|input| format!("{:?}", input.scenario.machine.mode))
        .collect();
    assert_eq!(modes.len(), 3);
    // The bytes are no text, and the text is the scenario that two files have.
    assert_eq!((gathered.unread, gathered.inputs.len()), (1, 3));
    assert_eq!(gathered.twice.len(), 2);
    let paths = |of: Vec<Input>| of.into_iter().map(|input| input.path).collect::<Vec<_>>();
    let turned = read(&[
        root.join("x"),
        root.join("text"),
        root.join("both"),
        root.join("nopae"),
    ]);
    let again = read(&[
        root.join("nopae"),
        root.join("both"),
        root.join("text"),
        root.join("x"),
    ]);
    assert_eq!(paths(turned.inputs), paths(again.inputs));
    let stray = folder("corpus-stray").join("1");
    fs::write(&stray, &bytes).expect("an input");
    let error = gather(std::slice::from_ref(&stray), None).expect_err("no mode");
    assert!(matches!(error, GatherError::NoMode(_)), "{error}");
    let given = gather(&[stray], Some(PagingMode::Pae)).expect("a mode");
    assert_eq!(given.inputs[0].scenario.machine.mode, PagingMode::Pae);
}

/// A scenario with steps around it that show nothing new.
fn with_noise(scenario: &ScenarioBuf) -> ScenarioBuf {
    let mut noisy = scenario.clone();
    for at in (0..=noisy.steps.len()).rev() {
        let args = [0x7000, at as u32, 0, 4, 0];
        noisy.steps.insert(at, Step::new(Verb::DeviceWrite, args));
    }
    noisy
}

#[test]
fn what_is_made_small_for_cover_keeps_it_and_no_step_can_go() {
    if !original() {
        return;
    }
    let hosts = Hosts::new().expect("room");
    let mut observer = Observer::new(&hosts);
    let scenario = load(&corpora().join("regression/set-pgd-above-the-limit.scn")).expect("one");
    let wanted: Features = observer.see(&scenario, Look::Lines);
    let noisy = with_noise(&scenario);
    let mut goal = Showing {
        observer: &mut observer,
        look: Look::Lines,
        wanted: wanted.clone(),
    };
    let small = minimize(&noisy, &mut goal, &Budget::default(), &|_| {}).expect("it shows it");
    assert!(small.minimal && small.scenario.steps.len() <= scenario.steps.len());
    let again = minimize(&noisy, &mut goal, &Budget::default(), &|_| {}).expect("it shows it");
    assert_eq!(again.scenario, small.scenario);
    for at in 0..small.scenario.steps.len() {
        let mut less = small.scenario.clone();
        less.steps.remove(at);
        assert_eq!(
            lguest_oracle::minimize::Goal::look(&mut goal, &less),
            Seen::Nothing,
            "step {at} can go"
        );
    }
    assert!(wanted.is_subset(&observer.see(&small.scenario, Look::Lines)));
}

fn options() -> Options<'static> {
    Options {
        look: Look::Lines,
        at_most: usize::MAX,
        budget: Budget {
            work: Some(500_000),
            ..Budget::default()
        },
    }
}

#[test]
fn a_find_is_taken_up_once_and_without_what_is_around_it() {
    if !original() {
        return;
    }
    let hosts = Hosts::new().expect("room");
    let mut observer = Observer::new(&hosts);
    let (mut had, mut find) = (HashSet::new(), None);
    for input in regression() {
        let name = input.path.file_name().unwrap_or_default().to_string_lossy();
        if name == "setup-twice.scn" {
            find = Some(input);
        } else if !name.starts_with("found-") {
            // What fuzzers find may show as much, and there is ever more of it.
            had.extend(observer.see(&input.scenario, Look::Lines));
        }
    }
    let mut find = find.expect("the scenario");
    let before = observer.see(&find.scenario, Look::Lines);
    let missing: Features = before
        .iter()
        .copied()
        .filter(|id| !had.contains(id))
        .collect();
    assert!(!missing.is_empty(), "it has nothing of its own");
    find.scenario = with_noise(&find.scenario);
    find.scenario.machine.mode = PagingMode::Pae;
    let finds = [find];
    let taken = adopt(&mut observer, &had, &finds, &options(), &|_, _, _| {});
    assert_eq!((taken.adopted.len(), taken.trouble.len()), (1, 0));
    let adopted = &taken.adopted[0];
    assert!(adopted.minimal && adopted.scenario.steps.len() < finds[0].scenario.steps.len());
    assert!(adopted.own.iter().any(|id| missing.contains(id)));
    assert!(verify(&hosts, &adopted.scenario, PagingMode::Pae).passed());
    had.extend(observer.see(&adopted.scenario, Look::Lines));
    let again = adopt(&mut observer, &had, &finds, &options(), &|_, _, _| {});
    assert_eq!(again.adopted.len(), 0);
}

#[test]
fn what_harms_the_host_is_cut_off() {
    if !original() {
        return;
    }
    let hosts = Hosts::new().expect("room");
    let mut observer = Observer::new(&hosts);
    let findings = gather(&[corpora().join("findings")], None).expect("findings");
    let mut finds = findings.inputs;
    for find in &mut finds {
        let mode = modes(find.scenario.machine.mode)[0];
        fuzzed::fit(&mut find.scenario, mode);
    }
    let taken = adopt(
        &mut observer,
        &HashSet::new(),
        &finds,
        &options(),
        &|_, _, _| {},
    );
    if let Some((at, verdict)) = taken.trouble.first() {
        panic!("{}: {verdict}", finds[*at].path.display());
    }
    assert!(!taken.adopted.is_empty());
    for adopted in taken.adopted {
        let scenario = &adopted.scenario;
        assert!(verify(&hosts, scenario, scenario.machine.mode).passed());
    }
}

#[test]
fn seeds_are_canonical_short_and_agree() {
    let hosts = Hosts::new().expect("room");
    let mut observer = Observer::new(&hosts);
    let seeds = seeds(&mut observer, &regression(), &|_, _, _| {});
    for ((target, name), bytes) in &seeds {
        let name = format!("{target}/{name}");
        if *target == "text" {
            let text = std::str::from_utf8(bytes).expect("text");
            let scenario = parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(scenario.steps.len() <= MOST, "{name}");
            continue;
        }
        let scenario = ScenarioBuf::from_bytes(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(scenario.steps.len() <= MOST, "{name}");
        assert_eq!(&scenario.to_bytes(), bytes, "{name}");
        let mode = scenario.machine.mode;
        assert_eq!(lguest_oracle::rig::mode_name(mode), *target, "{name}");
        assert_eq!(fuzzed::read(bytes, mode), scenario, "{name}");
        for mode in modes(mode) {
            let steps = &mut Given(scenario.steps.iter());
            let (machine, pages) = (&scenario.machine, &scenario.pages);
            let done = match mode {
                PagingMode::Pae => hosts
                    .pae(Care::Full)
                    .map(|mut both| run(&mut both, machine, pages, steps, |_, _, _| {})),
                _ => hosts
                    .nopae(Care::Full)
                    .map(|mut both| run(&mut both, machine, pages, steps, |_, _, _| {})),
            };
            let Some(done) = done else { continue };
            let end = done
                .end
                .unwrap_or_else(|(at, d)| panic!("{name}: {at:?} {d:?}"));
            let harm = lguest_oracle::findings::harms(&end) && explains(&end).is_none();
            assert!(!harm, "{name}: {end}");
        }
    }
    for target in ["nopae", "pae", "text"] {
        let boots = seeds
            .keys()
            .filter(|(of, name)| *of == target && name.starts_with("boot-"));
        assert!(boots.count() >= 4, "{target}: no stretches of boots");
    }
    assert!(seeds.keys().any(|(target, _)| *target == "both"));
}

fn lgdiff(args: &[&str]) -> Output {
    let mut lgdiff = Command::new(env!("CARGO_BIN_EXE_lgdiff"));
    lgdiff.args(args).output().expect("lgdiff starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn merge_and_adopt_from_outside() {
    let root = folder("corpus-command");
    let nopae = root.join("nopae");
    fs::create_dir_all(&nopae).expect("a folder");
    let kill = parse(KILL).expect("a scenario");
    fs::write(nopae.join("1"), kill.to_bytes()).expect("an input");
    let mut longer = kill.clone();
    longer.steps.insert(3, kill.steps[2]);
    fs::write(nopae.join("2"), longer.to_bytes()).expect("an input");
    fs::write(nopae.join("3"), b"").expect("an input");
    let (from, out) = (root.to_str().expect("UTF-8"), root.join("out"));
    let merged = lgdiff(&[
        "merge",
        from,
        "--by",
        "lines",
        "--out",
        out.to_str().expect("UTF-8"),
    ]);
    assert_eq!(merged.status.code(), Some(0));
    assert!(
        said(&merged).contains("nopae/2: adds nothing"),
        "{}",
        said(&merged)
    );
    assert!(said(&merged).contains("stay for"), "{}", said(&merged));
    let full = lgdiff(&["merge", from, "--out", from]);
    assert_eq!(full.status.code(), Some(2));
    let stray = lgdiff(&["merge", concat!(env!("CARGO_MANIFEST_DIR"), "/coverage")]);
    assert_eq!(stray.status.code(), Some(2));
    if !original() {
        return;
    }
    let into = root.join("kept");
    let into_text = into.to_str().expect("UTF-8");
    let beyond = root.join("nothing");
    fs::create_dir_all(&beyond).expect("a folder");
    let args = [
        "adopt",
        nopae.to_str().expect("UTF-8"),
        "--into",
        into_text,
        "--beyond",
        beyond.to_str().expect("UTF-8"),
    ];
    let adopted = lgdiff(&args);
    assert_eq!(adopted.status.code(), Some(0), "{}", said(&adopted));
    let names: Vec<String> = fs::read_dir(&into)
        .expect("the corpus")
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert!(
        names
            .iter()
            .any(|n| n.starts_with("found-nopae-") && n.ends_with(".scn"))
    );
    assert!(names.iter().any(|n| n.ends_with(".rec")));
    let pinned = lguest_c_reference::reference().is_some_and(|reference| reference.pinned);
    for args in [
        &["replay", "-q", into_text][..],
        &["record", "--check", into_text],
        &["fmt", "--check", into_text],
    ] {
        if pinned || args[0] != "record" {
            assert_eq!(lgdiff(args).status.code(), Some(0), "{args:?}");
        }
    }
    let again = lgdiff(&args);
    assert!(
        said(&again).contains("adopt: 0 of 3 finds"),
        "{}",
        said(&again)
    );
}

#[test]
fn minimize_keeps_cover_from_outside() {
    if !original() {
        return;
    }
    let root = folder("corpus-minimize");
    let file = root.join("a.scn");
    let kill = parse(KILL).expect("a scenario");
    fs::write(&file, print(&with_noise(&kill))).expect("a scenario");
    let file = file.to_str().expect("UTF-8");
    let wrong = lgdiff(&["minimize", file, "--beyond", file]);
    assert_eq!(wrong.status.code(), Some(2));
    let known = root.join("known.scn");
    fs::write(&known, KILL).expect("a scenario");
    let known = known.to_str().expect("UTF-8");
    let small = lgdiff(&[
        "minimize", file, "--keep", "cover", "--by", "lines", "--beyond", known,
    ]);
    assert_eq!(small.status.code(), Some(0), "{}", said(&small));
    assert!(said(&small).contains("1-minimal"), "{}", said(&small));
    let left = load(&root.join("a.min.scn")).expect("what is left");
    // All that the noise shows is a device's write; the death is known.
    assert_eq!(left.steps.len(), 1, "{}", print(&left));
    assert_eq!(left.steps[0].verb, Verb::DeviceWrite);
    let nothing = lgdiff(&["minimize", known, "--keep", "cover", "--beyond", file]);
    assert_eq!(nothing.status.code(), Some(0));
    assert!(
        said(&nothing).contains("nothing beyond"),
        "{}",
        said(&nothing)
    );
}
