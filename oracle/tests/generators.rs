// SPDX-License-Identifier: GPL-2.0-or-later
//! The generators: the same scenario each time, valid steps, guests that live, and every way for them to die.
//!
//! With `--nocapture`, prints how many of each profile lived and what killed the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lguest_engine::{Machinery, PagingMode, Quals, Side, Step, Verb};
use lguest_oracle::drive::{self, Drive, End, Run, Source};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;

const SEED: u64 = 0x5eed;
const MODES: [PagingMode; 2] = [PagingMode::NoPae, PagingMode::Pae];

/// A scenario that was run.
struct Played {
    run: Run,
    steps: Vec<Step>,
    /// Kill text with numbers taken out, or the errno.
    text: Option<String>,
}

fn play<D: Drive>(drive: &mut D, generator: &mut Generator) -> Played {
    let (machine, pages) = (generator.machine, generator.pages.clone());
    let mut steps = Vec::new();
    let run = drive::run(drive, &machine, &pages, generator, |_, step, _| steps.push(*step));
    let side = &drive.view().side;
    let text = match side.dead() {
        0 => None,
        1 => {
            let mut text = String::new();
            side.host().message(&mut |bytes| text = String::from_utf8_lossy(bytes).into_owned());
            Some(text)
        }
        errno => Some(format!("errno {errno}")),
    };
    Played { run, steps, text }
}

/// Runs scenarios of all profiles in both modes on the port.
fn each(count: u64, mut seen: impl FnMut(Profile, PagingMode, &Generator, &Played)) {
    let hosts = Hosts::new().unwrap();
    let (mut nopae, mut pae) = (hosts.port_nopae(), hosts.port_pae());
    for profile in Profile::ALL {
        for mode in MODES {
            let mut generator = Generator::new(SEED, profile, 0, mode);
            for index in 0..count {
                generator.reset(SEED, profile, index, mode);
                let played = match mode {
                    PagingMode::Pae => play(&mut pae, &mut generator),
                    _ => play(&mut nopae, &mut generator),
                };
                seen(profile, mode, &generator, &played);
            }
        }
    }
}

/// What can be the recorded reason of a death; the second half is with three levels alone, or with two.
const TEXTS: [(&str, Option<PagingMode>); 26] = [
    ("bad read address", None),
    ("bad write address", None),
    ("failed to get page", None),
    ("bad page table entry", None),
    ("bad page directory entry", None),
    ("bad page middle directory entry", Some(PagingMode::Pae)),
    ("out of memory allocating pte page", None),
    ("out of memory allocating pmd page", Some(PagingMode::Pae)),
    ("bad stack page 0x", None),
    ("bad stack segment", None),
    ("bad stack pages", None),
    ("Bad address", None),
    ("attempt to set pte into Switcher pages", None),
    ("Attempt to set pgd", None),
    ("bad guest page   (null)", None),
    ("bad guest page", None),
    ("bad kernel address", None),
    ("Bad hypercall", None),
    ("hypercall", None),
    ("already have lguest_data", None),
    ("Fetching async hypercalls", None),
    ("Writing result for async hypercall", None),
    ("Writing timestamp", None),
    ("CRASH: ", None),
    ("errno -85", None),
    ("errno -12", None),
];

#[derive(Default)]
struct Tally {
    scenarios: u32,
    lived: u32,
    killed: u32,
    bugs: u32,
    steps: u64,
    events: u64,
    stuck: u64,
    during: u32,
    failing: u32,
    host_events: u32,
    many_gpgdirs: u32,
    bug_kinds: BTreeMap<String, u32>,
    other_ends: BTreeMap<String, u32>,
}

fn has_failure(quals: &Quals) -> bool {
    quals.fail_alloc != 0 || quals.fail_pin != 0 || quals.fail_copy != 0 || quals.fail_message
}

#[test]
fn profiles_live_and_die_as_they_should() {
    const EACH: u64 = 1000;
    let mut tallies: BTreeMap<(&str, bool), Tally> = BTreeMap::new();
    let mut texts: BTreeMap<(bool, usize), u32> = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    let mut verbs = BTreeSet::new();
    let mut calls = BTreeSet::new();
    each(EACH, |profile, mode, generator, played| {
        let pae = mode == PagingMode::Pae;
        let tally = tallies.entry((profile.name(), pae)).or_default();
        tally.scenarios += 1;
        tally.steps += played.run.counts.steps;
        tally.events += played.run.counts.events;
        tally.stuck += played.run.counts.stuck;
        match &played.run.end {
            Ok(End::Lived) => tally.lived += 1,
            Ok(End::Killed) => tally.killed += 1,
            Ok(End::Bug(bug)) => {
                tally.bugs += 1;
                *tally.bug_kinds.entry(format!("{:?}", bug.kind())).or_default() += 1;
            }
            other => *tally.other_ends.entry(format!("{other:?}")).or_default() += 1,
        }
        tally.during += u32::from(played.steps.iter().any(|step| step.quals.during.is_some()));
        tally.failing += u32::from(played.steps.iter().any(|step| has_failure(&step.quals)));
        let host = |step: &Step| matches!(step.verb, Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share);
        tally.host_events += u32::from(!generator.pages.is_empty() || played.steps.iter().any(host));
        let gpgdirs: BTreeSet<u32> =
            played.steps.iter().filter(|step| step.verb == Verb::Hypercall && step.args[0] == 4).map(|step| step.args[1]).collect();
        tally.many_gpgdirs += u32::from(gpgdirs.len() > 4);
        verbs.extend(played.steps.iter().map(|step| step.verb.name()));
        calls.extend(played.steps.iter().filter(|step| step.verb == Verb::Hypercall).map(|step| step.args[0]));
        if let Some(text) = &played.text {
            match TEXTS.iter().position(|(known, _)| text.starts_with(known)) {
                Some(i) => *texts.entry((pae, i)).or_default() += 1,
                None => {
                    unknown.insert(text.clone());
                }
            }
        }
    });

    for ((profile, pae), tally) in &tallies {
        let Tally { scenarios, lived, killed, bugs, steps, events, stuck, during, failing, host_events, many_gpgdirs, .. } = tally;
        println!(
            "{profile:5} pae={pae:5}: {lived} lived, {killed} killed, {bugs} host bugs {:?} {:?} of {scenarios}; \
             {steps} steps, {events} events, {stuck} stuck; during {during}, failing {failing}, host events {host_events}, \
             more than four gpgdirs {many_gpgdirs}",
            tally.bug_kinds, tally.other_ends,
        );
    }
    for (i, (text, _)) in TEXTS.iter().enumerate() {
        let count = |pae| texts.get(&(pae, i)).copied().unwrap_or(0);
        println!("{:6} {:6}  {text}", count(false), count(true));
    }
    println!("calls: {calls:?}");

    assert_eq!(unknown, BTreeSet::new(), "kill texts that nobody expects");
    for ((profile, _), tally) in &tallies {
        let at_least = |n: u32, percent: u32| n * 100 >= tally.scenarios * percent;
        assert!(at_least(tally.lived, if *profile == "boot" { 90 } else { 34 }), "{profile}: {} lived", tally.lived);
        assert!(at_least(tally.during, 9) && !at_least(tally.during, 17), "{profile}: during in {}", tally.during);
        assert!(at_least(tally.failing, 5), "{profile}: failures in {}", tally.failing);
        assert!(at_least(tally.host_events, 20), "{profile}: host events in {}", tally.host_events);
        if *profile == "boot" {
            assert!(at_least(tally.many_gpgdirs, 50), "more than four page directories in {}", tally.many_gpgdirs);
        }
    }
    for pae in [false, true] {
        let scenarios = Profile::ALL.len() as u64 * EACH;
        for (i, (text, only)) in TEXTS.iter().enumerate() {
            if only.is_some_and(|mode| (mode == PagingMode::Pae) != pae) {
                continue;
            }
            let count = texts.get(&(pae, i)).copied().unwrap_or(0);
            assert!(u64::from(count) * 1000 >= scenarios, "{text:?} came {count} times in {scenarios} with pae={pae}");
        }
    }
    for verb in Verb::ALL {
        assert!(verbs.contains(verb.name()), "{} never came", verb.name());
    }
    for number in [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 18, 19] {
        assert!(calls.contains(&number), "hypercall {number} never came");
    }
}

#[test]
fn a_scenario_is_a_function_of_its_number() {
    let bytes = |generator: &Generator, steps: Vec<Step>| {
        ScenarioBuf { machine: generator.machine, pages: generator.pages.clone(), steps }.to_bytes()
    };
    let mut first = Vec::new();
    each(12, |_, _, generator, played| first.push(bytes(generator, played.steps.clone())));
    let mut second = first.clone().into_iter();
    each(12, |profile, mode, generator, played| {
        assert!(second.next() == Some(bytes(generator, played.steps.clone())), "{profile} {mode:?}");
    });
    let distinct: BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());

    // A fresh generator makes what a used one does.
    let hosts = Hosts::new().unwrap();
    let mut used = Generator::new(9, Profile::Mixed, 5, PagingMode::Pae);
    play(&mut hosts.port_pae(), &mut used);
    used.reset(SEED, Profile::Boot, 3, PagingMode::Pae);
    let mut fresh = Generator::new(SEED, Profile::Boot, 3, PagingMode::Pae);
    let (a, b) = (play(&mut hosts.port_pae(), &mut used), play(&mut hosts.port_pae(), &mut fresh));
    assert!(a.steps == b.steps);
}

#[test]
fn every_scenario_is_valid() {
    each(300, |profile, mode, generator, played| {
        for (i, step) in played.steps.iter().enumerate() {
            if let Err(error) = step.check(&generator.machine) {
                panic!("{profile} {mode:?} step {i} {step:?}: {error}");
            }
        }
        let whole =
            ScenarioBuf { machine: generator.machine, pages: generator.pages.clone(), steps: played.steps.clone() };
        assert_eq!(whole.check(), Ok(()), "{profile} {mode:?}");
        let bytes = whole.to_bytes();
        assert!(ScenarioBuf::from_bytes(&bytes).is_ok_and(|read| read == whole));
    });
}

/// A generator whose time is taken.
struct Timed<'a>(&'a mut Generator, Duration, u64);

impl Source for Timed<'_> {
    fn next<S: Side>(&mut self, world: &lguest_engine::Runner<S>) -> Option<Step> {
        let start = Instant::now();
        let step = self.0.next(world);
        self.1 += start.elapsed();
        self.2 += 1;
        step
    }
}

/// Time that generation alone takes; for people, since machines differ.
#[test]
#[ignore = "prints times"]
fn time_of_generation() {
    let hosts = Hosts::new().unwrap();
    let mut clock = Duration::ZERO;
    for _ in 0..1_000_000 {
        let start = Instant::now();
        clock += start.elapsed();
    }
    let clock = clock.as_nanos() as f64 / 1e6;
    for profile in Profile::ALL {
        for mode in MODES {
            let (mut total, mut steps, mut resets) = (Duration::ZERO, 0, Duration::ZERO);
            let mut generator = Generator::new(SEED, profile, 0, mode);
            for index in 0..400 {
                let start = Instant::now();
                generator.reset(SEED, profile, index, mode);
                resets += start.elapsed();
                let (machine, pages) = (generator.machine, generator.pages.clone());
                let mut source = Timed(&mut generator, Duration::ZERO, 0);
                match mode {
                    PagingMode::Pae => drive::run(&mut hosts.port_pae(), &machine, &pages, &mut source, |_, _, _| {}),
                    _ => drive::run(&mut hosts.port_nopae(), &machine, &pages, &mut source, |_, _, _| {}),
                };
                total += source.1;
                steps += source.2;
            }
            let each = total.as_nanos() as f64 / steps as f64 - clock;
            let reset = resets.as_nanos() as f64 / 400.0;
            println!("{profile:5} {mode:?}: {each:.1} ns a step of {steps}, {reset:.0} ns a reset");
        }
    }
}
