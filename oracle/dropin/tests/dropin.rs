// SPDX-License-Identifier: GPL-2.0-or-later
//! The original against the drop-in, both behind the same shim: campaigns, all corpora, both boots of real guests, and
//! planted bugs, each of which must be told. `DROPIN_STEPS` is how many steps a campaign has at least in each mode.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use lguest_dropin_rig::table::BUGS;
use lguest_dropin_rig::{SOUND, side};
use lguest_engine::{Care, Difference, Outcome, PagingMode, Pair, Verb};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Both, Counts, End, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::load::{find, find_all, is_trace, load};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::recording::{lines, of_original};
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::text::parse;
use lguest_oracle::trace::{Detail, Import, Reader};

/// The seed of every campaign here.
const SEED: u64 = 0xd209;
/// Scenarios of a campaign in which a bug must show that no scenario of the corpora shows.
const LIMIT: u64 = 2_000;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora")
}

/// Twenty pages of stack, pinned by SET_STACK and by each flush behind it, in one step: the count of all of them ends it.
const PINNED_FOUR_TIMES: &str = "machine mode=both
expect agree
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x20063 tables=8
NEW_PGTABLE 0x2000 [draw=1]
async SET_STACK 1 0xc0001000 20
async FLUSH_TLB 1
async FLUSH_TLB 1
async FLUSH_TLB 1
HALT
";

type Sides<'h> = Both<OriginalSide<'h>, OriginalSide<'h>>;
type Shown = (Option<usize>, Difference);

/// The original beside the drop-in, or beside a copy of it.
fn both<'h>(hosts: &'h Hosts, name: &str, mode: PagingMode) -> Sides<'h> {
    let pae = mode == PagingMode::Pae;
    let original = OriginalSide::new(&hosts.original, pae).expect("the original");
    let dropin = side(name, &hosts.port, pae).expect("the drop-in");
    Both {
        pair: Pair::new(original, dropin),
        care: Care::Cheap,
    }
}

/// One scenario of the campaign; everything is compared after each step in one of sixteen.
fn one(sides: &mut Sides<'_>, mode: PagingMode, index: u64) -> (Counts, Result<End, Shown>) {
    sides.care = if index.is_multiple_of(16) {
        Care::Full
    } else {
        Care::Cheap
    };
    let mut generator = Generator::new(SEED, profile_of(None, index), index, mode);
    let machine = generator.machine;
    let pages = generator.pages.clone();
    let done = run(sides, &machine, &pages, &mut generator, |_, _, _| {});
    (done.counts, done.end)
}

fn agree(mode: PagingMode) {
    let wanted = env::var("DROPIN_STEPS").map_or(2_000_000, |steps| {
        steps.parse().expect("DROPIN_STEPS: a number")
    });
    let hosts = Hosts::new().expect("room for two hosts");
    let mut sides = both(&hosts, SOUND, mode);
    let (mut steps, mut killed, mut scenarios) = (0_u64, 0_u64, 0);
    let mut bugs = BTreeMap::new();
    while steps < wanted {
        let (counts, end) = one(&mut sides, mode, scenarios);
        match end {
            Err((step, difference)) => {
                panic!("scenario {scenarios}, step {step:?}: {difference:?}")
            }
            Ok(End::Bug(bug)) => *bugs.entry(bug.kind().name()).or_insert(0_u64) += 1,
            Ok(End::Killed) => killed += 1,
            Ok(_) => {}
        }
        steps += counts.steps;
        scenarios += 1;
    }
    println!(
        "{}: {scenarios} scenarios, {steps} steps, {killed} killed, crashes {bugs:?}: no difference",
        mode_name(mode)
    );
    assert!(killed > 0, "guests are killed");
    assert!(
        bugs.len() >= 2,
        "the host crashes in several ways: {bugs:?}"
    );
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn two_levels_agree() {
    agree(PagingMode::NoPae);
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn three_levels_agree() {
    agree(PagingMode::Pae);
}

/// Returns, kill reasons, entries, references and kernel calls of every step, and the digest of all that can be seen.
#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn all_corpora_have_the_same_lines() {
    let hosts = Hosts::new().expect("room for two hosts");
    let (mut count, mut crashes) = (0, 0);
    for file in find(&corpora()).expect("the corpora") {
        let scenario = load(&file).expect("a scenario");
        for mode in modes(scenario.machine.mode) {
            let dropin = side(SOUND, &hosts.port, *mode == PagingMode::Pae).expect("the drop-in");
            let found = lines(dropin, &scenario);
            let wanted = of_original(&hosts, &scenario, *mode).expect("the original");
            assert_eq!(found, wanted, "{} {}", file.display(), mode_name(*mode));
            count += 1;
            crashes += usize::from(wanted.contains("the host crashes"));
        }
    }
    println!("{count} recordings are the same, {crashes} of them end in a crash of the host");
    assert!(count > 400 && crashes > 10, "{count}, {crashes}");
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn boots_of_real_guests_agree() {
    let hosts = Hosts::new().expect("room for two hosts");
    let mut boots = 0;
    for file in find_all(&corpora().join("boot")).expect("the boots") {
        if !is_trace(&file) {
            continue;
        }
        let import = Import::new(Reader::open(&file).expect("a trace"), Detail::Results);
        let import = import.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let machine = import.machine;
        let mut both = both(&hosts, SOUND, machine.mode);
        let started = both.pair.start(&machine, [].into_iter(), Care::Cheap);
        assert_eq!(started, Ok(Ok(0)));
        let mut steps = 0_u64;
        for item in import {
            let step = item.unwrap_or_else(|error| panic!("{error}")).step;
            if step.verb == Verb::Expect {
                continue;
            }
            let outcome = both.pair.step(&step);
            assert!(
                outcome.is_ok_and(|outcome| !matches!(outcome, Outcome::Bug(_))),
                "{} step {steps}: {outcome:?}",
                file.display()
            );
            steps += 1;
        }
        both.pair.everything().expect("the same at the end");
        println!("{}: {steps} steps", file.display());
        boots += 1;
    }
    assert_eq!(boots, 2);
}

/// The first scenario whose lines are others.
fn told_by_lines(hosts: &Hosts, name: &str, mode: PagingMode) -> Option<String> {
    let corpora = find(&corpora()).expect("the corpora").into_iter();
    let given = corpora.map(|file| (file.display().to_string(), load(&file).expect("a scenario")));
    let ours = parse(PINNED_FOUR_TIMES).expect("a scenario");
    given
        .chain([("pinned four times".into(), ours)])
        .find(|(_, scenario)| {
            let spoiled = side(name, &hosts.port, mode == PagingMode::Pae).expect("a copy");
            modes(scenario.machine.mode).contains(&mode)
                && of_original(hosts, scenario, mode) != Some(lines(spoiled, scenario))
        })
        .map(|(by, _)| by)
}

/// The stack's pages are counted by the C that calls the drop-in and by the drop-in.
#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn pins_of_both_are_one_count() {
    let hosts = Hosts::new().expect("room for two hosts");
    let scenario = parse(PINNED_FOUR_TIMES).expect("a scenario");
    for mode in [PagingMode::NoPae, PagingMode::Pae] {
        let dropin = side(SOUND, &hosts.port, mode == PagingMode::Pae).expect("the drop-in");
        let wanted = of_original(&hosts, &scenario, mode).expect("the original");
        assert!(wanted.contains("the host crashes: lockup"), "{wanted}");
        assert_eq!(lines(dropin, &scenario), wanted);
    }
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn planted_bugs_are_told() {
    let hosts = Hosts::new().expect("room for two hosts");
    let mut silent = Vec::new();
    for bug in BUGS {
        for mode in [PagingMode::NoPae, PagingMode::Pae] {
            if let Some(by) = told_by_lines(&hosts, bug.name, mode) {
                println!("{} {}: {by}", bug.name, mode_name(mode));
                continue;
            }
            let mut sides = both(&hosts, bug.name, mode);
            let told = (0..LIMIT).find_map(|index| {
                let (_, end) = one(&mut sides, mode, index);
                end.err()
                    .map(|(step, difference)| (index, step, difference))
            });
            match told {
                Some((index, step, difference)) => println!(
                    "{} {}: scenario {index}, step {step:?}: {difference:?}",
                    bug.name,
                    mode_name(mode)
                ),
                None => silent.push((bug.name, mode_name(mode))),
            }
        }
    }
    assert!(silent.is_empty(), "not told: {silent:?}");
}
