// SPDX-License-Identifier: GPL-2.0-or-later
//! The generators: the same scenario each time, valid steps, guests that live, and every way for them to die.
//!
//! With `--nocapture`, prints how many of each profile lived and what killed the others.

use std::collections::{BTreeMap, BTreeSet};

use lguest_engine::scenario::HYPERCALLS;
use lguest_engine::{Machinery, PagingMode, Quals, Side, Step, Verb};
use lguest_oracle::drive::{self, Drive, End, Run};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;

const SEED: u64 = 0x5eed;
const MODES: [PagingMode; 2] = [PagingMode::NoPae, PagingMode::Pae];

/// A scenario that was run.
struct Played {
    run: Run,
    steps: Vec<Step>,
    /// Kill text, or the errno.
    text: Option<String>,
}

fn play<D: Drive>(drive: &mut D, generator: &mut Generator) -> Played {
    let (machine, pages) = (generator.machine, generator.pages.clone());
    let mut steps = Vec::new();
    let run = drive::run(drive, &machine, &pages, generator, |_, step, _| {
        steps.push(*step);
    });
    let side = &drive.view().side;
    let text = match side.dead() {
        0 => None,
        1 => {
            let mut text = String::new();
            side.host()
                .message(&mut |bytes| text = String::from_utf8_lossy(bytes).into_owned());
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

/// Every reason for a death, and whether it is one with three levels alone. The first that fits counts.
const TEXTS: [(&str, bool); 26] = [
    ("bad read address", false),
    ("bad write address", false),
    ("failed to get page", false),
    ("bad page table entry", false),
    ("bad page directory entry", false),
    ("bad page middle directory entry", true),
    ("out of memory allocating pte page", false),
    ("out of memory allocating pmd page", true),
    ("bad stack page 0x", false),
    ("bad stack segment", false),
    ("bad stack pages", false),
    ("Bad address", false),
    ("attempt to set pte into Switcher pages", false),
    ("Attempt to set pgd", false),
    ("bad guest page   (null)", false),
    ("bad guest page", false),
    ("bad kernel address", false),
    ("Bad hypercall", false),
    ("hypercall", false),
    ("already have lguest_data", false),
    ("Fetching async hypercalls", false),
    ("Writing result for async hypercall", false),
    ("Writing timestamp", false),
    ("CRASH: ", false),
    ("errno -85", false),
    ("errno -12", false),
];

/// What came of the scenarios of one profile in one mode.
#[derive(Default)]
struct Tally {
    scenarios: u32,
    lived: u32,
    killed: u32,
    no_guest: u32,
    left_over: u32,
    bugs: BTreeMap<String, u32>,
    steps: u64,
    events: u64,
    stuck: u64,
    during: u32,
    failing: u32,
    host_events: u32,
    many_gpgdirs: u32,
}

fn fails(quals: &Quals) -> bool {
    quals.fail_alloc != 0 || quals.fail_pin != 0 || quals.fail_copy != 0 || quals.fail_message
}

fn is_host_event(step: &Step) -> bool {
    matches!(
        step.verb,
        Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share
    )
}

impl Tally {
    fn note(&mut self, generator: &Generator, Played { run, steps, .. }: &Played) {
        self.scenarios += 1;
        self.steps += run.counts.steps;
        self.events += run.counts.events;
        self.stuck += run.counts.stuck;
        match &run.end {
            Ok(End::Lived) => self.lived += 1,
            Ok(End::Killed) => self.killed += 1,
            Ok(End::Bug(bug)) => *self.bugs.entry(format!("{:?}", bug.kind())).or_default() += 1,
            Ok(End::NoGuest(..)) => self.no_guest += 1,
            _ => self.left_over += 1,
        }
        let any = |what: fn(&Step) -> bool| steps.iter().any(what);
        self.during += u32::from(any(|step| step.quals.during.is_some()));
        self.failing += u32::from(any(|step| fails(&step.quals)));
        self.host_events += u32::from(!generator.pages.is_empty() || any(is_host_event));
        let gpgdirs: BTreeSet<u32> = steps
            .iter()
            .filter(|step| step.verb == Verb::Hypercall && step.args[0] == 4)
            .map(|step| step.args[1])
            .collect();
        self.many_gpgdirs += u32::from(gpgdirs.len() > 4);
    }

    fn print(&self, profile: &str, pae: bool) {
        let paging = if pae { "pae" } else { "nopae" };
        let Tally {
            scenarios,
            lived,
            killed,
            no_guest,
            left_over,
            bugs,
            ..
        } = self;
        println!(
            "{profile:5} {paging:5}: of {scenarios}, {lived} lived, {killed} killed, {no_guest} without a guest, \
             {left_over} left something, host bugs {bugs:?}"
        );
        println!(
            "             {} steps, {} events, {} stuck; during {}, failures {}, host events {}, five gpgdirs {}",
            self.steps,
            self.events,
            self.stuck,
            self.during,
            self.failing,
            self.host_events,
            self.many_gpgdirs
        );
    }

    fn check(&self, profile: &str) {
        let percent = |n: u32| f64::from(n) * 100.0 / f64::from(self.scenarios);
        let lived = percent(self.lived);
        assert!(
            lived > if profile == "boot" { 90.0 } else { 34.0 },
            "{profile}: {lived} % lived"
        );
        let during = percent(self.during);
        assert!(
            (9.0..16.0).contains(&during),
            "{profile}: {during} % with an event in a step"
        );
        assert!(percent(self.failing) > 20.0, "{profile}: failures");
        assert!(percent(self.host_events) > 50.0, "{profile}: host events");
        if profile == "boot" {
            assert!(
                percent(self.many_gpgdirs) > 66.0,
                "more page directories than slots"
            );
        }
    }
}

#[test]
fn profiles_live_and_die_as_they_should() {
    const EACH: u64 = 1000;
    let mut tallies: BTreeMap<(&str, bool), Tally> = BTreeMap::new();
    let mut texts = [[0u64; TEXTS.len()]; 2];
    let mut unknown = BTreeSet::new();
    let (mut verbs, mut calls) = (BTreeSet::new(), BTreeSet::new());
    each(EACH, |profile, mode, generator, played| {
        let pae = mode == PagingMode::Pae;
        let tally = tallies.entry((profile.name(), pae)).or_default();
        tally.note(generator, played);
        verbs.extend(played.steps.iter().map(|step| step.verb.name()));
        let hypercall = |step: &&Step| step.verb == Verb::Hypercall;
        calls.extend(
            played
                .steps
                .iter()
                .filter(hypercall)
                .map(|step| step.args[0]),
        );
        let Some(text) = &played.text else { return };
        match TEXTS.iter().position(|(known, _)| text.starts_with(known)) {
            Some(i) => texts[usize::from(pae)][i] += 1,
            None => {
                unknown.insert(text.clone());
            }
        }
    });

    for ((profile, pae), tally) in &tallies {
        tally.print(profile, *pae);
    }
    println!(" nopae    pae  reason");
    for (i, (text, _)) in TEXTS.iter().enumerate() {
        println!("{:6} {:6}  {text}", texts[0][i], texts[1][i]);
    }

    assert_eq!(unknown, BTreeSet::new(), "kill texts that nobody expects");
    for ((profile, _), tally) in &tallies {
        tally.check(profile);
    }
    let scenarios = Profile::ALL.len() as u64 * EACH;
    for (pae, counts) in texts.iter().enumerate() {
        for ((text, pae_alone), count) in TEXTS.iter().zip(counts) {
            assert!(
                count * 1000 >= scenarios || (*pae_alone && pae == 0),
                "{text:?}: {count} of {scenarios}"
            );
        }
    }
    // What was recorded elsewhere stands behind steps of a trace alone, and so does the question that kills nobody.
    let made = |verb: &Verb| !matches!(verb, Verb::Expect | Verb::TryGuestPa);
    for verb in Verb::ALL.into_iter().filter(made) {
        assert!(verbs.contains(verb.name()), "{} never came", verb.name());
    }
    for (number, name) in HYPERCALLS {
        assert!(calls.contains(&number), "{name} never came");
    }
}

fn whole(generator: &Generator, played: &Played) -> ScenarioBuf {
    ScenarioBuf {
        machine: generator.machine,
        pages: generator.pages.clone(),
        steps: played.steps.clone(),
    }
}

#[test]
fn a_scenario_is_a_function_of_its_number() {
    let mut first = Vec::new();
    each(12, |_, _, generator, played| {
        first.push(whole(generator, played).to_bytes());
    });
    let mut second = first.iter();
    each(12, |profile, mode, generator, played| {
        let bytes = whole(generator, played).to_bytes();
        assert!(second.next() == Some(&bytes), "{profile} {mode:?}");
    });
    let distinct: BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());

    // A fresh generator makes what a used one does.
    let hosts = Hosts::new().unwrap();
    let mut used = Generator::new(9, Profile::Mixed, 5, PagingMode::Pae);
    play(&mut hosts.port_pae(), &mut used);
    used.reset(SEED, Profile::Boot, 3, PagingMode::Pae);
    let mut fresh = Generator::new(SEED, Profile::Boot, 3, PagingMode::Pae);
    let a = play(&mut hosts.port_pae(), &mut used);
    let b = play(&mut hosts.port_pae(), &mut fresh);
    assert!(whole(&used, &a) == whole(&fresh, &b));
}

#[test]
fn every_scenario_is_valid() {
    each(300, |profile, mode, generator, played| {
        let whole = whole(generator, played);
        assert_eq!(whole.check(), Ok(()), "{profile} {mode:?}");
        let read = ScenarioBuf::from_bytes(&whole.to_bytes());
        assert!(read.is_ok_and(|read| read == whole), "{profile} {mode:?}");
    });
}
