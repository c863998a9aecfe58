// SPDX-License-Identifier: GPL-2.0-or-later
//! Profile `trace`: stretches of real boots are made the same each time, are valid, get somewhere, and both sides
//! agree about them.
//!
//! With `--nocapture`, prints how they end.

use std::collections::{BTreeMap, BTreeSet};

use lguest_engine::{Care, PagingMode};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{self, Drive, End};
use lguest_oracle::findings::explains;
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;

const SEED: u64 = 0x5eed;
const MODES: [PagingMode; 2] = [PagingMode::NoPae, PagingMode::Pae];
const EACH: u64 = 400;

fn play<D: Drive>(drive: &mut D, generator: &mut Generator) -> (ScenarioBuf, drive::Run) {
    let mut scenario = ScenarioBuf::new(generator.machine);
    scenario.pages.clone_from(&generator.pages);
    let steps = &mut scenario.steps;
    let run = drive::run(
        drive,
        &scenario.machine,
        &scenario.pages,
        generator,
        |_, step, _| {
            steps.push(*step);
        },
    );
    (scenario, run)
}

fn each<D: Drive>(drive: &mut D, mode: PagingMode) -> Vec<(ScenarioBuf, drive::Run)> {
    let mut generator = Generator::new(SEED, Profile::Trace, 0, mode);
    (0..EACH)
        .map(|index| {
            generator.reset(SEED, Profile::Trace, index, mode);
            play(drive, &mut generator)
        })
        .collect()
}

#[test]
fn both_sides_agree_about_mutated_stretches() {
    let hosts = Hosts::new().expect("room for hosts");
    for mode in MODES {
        let all = match mode {
            PagingMode::Pae => match hosts.pae(Care::Cheap) {
                Some(mut both) => each(&mut both, mode),
                None => each(&mut hosts.port_pae(), mode),
            },
            _ => match hosts.nopae(Care::Cheap) {
                Some(mut both) => each(&mut both, mode),
                None => each(&mut hosts.port_nopae(), mode),
            },
        };
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        let (mut entered, mut lived) = (0, 0);
        for (index, (scenario, run)) in all.iter().enumerate() {
            assert_eq!(scenario.check(), Ok(()), "{mode:?} {index}");
            let end = match &run.end {
                Ok(End::Lived) => "lived".into(),
                Ok(End::Killed) => "killed".into(),
                Ok(End::Bug(bug)) => format!("{:?}", bug.kind()),
                Ok(end) if explains(end).is_some() => "known".into(),
                other => panic!("{mode:?} {index}: {other:?}"),
            };
            lived += u64::from(end == "lived");
            entered += run.counts.steps;
            *ends.entry(end).or_default() += 1;
        }
        println!("{mode:?}: {entered} steps, {ends:?}");
        assert!(lived * 2 > EACH, "{lived} of {EACH} lived");
        assert!(ends.get("killed").is_some_and(|n| n * 20 > EACH));
        assert!(entered > EACH * 50, "{entered} steps entered the host");
        let stuck: u64 = all.iter().map(|(_, run)| run.counts.stuck).sum();
        assert!(stuck < EACH);
    }
}

#[test]
fn a_mutated_stretch_is_a_function_of_its_number() {
    let hosts = Hosts::new().expect("room for hosts");
    let mut distinct = BTreeSet::new();
    for mode in MODES {
        for index in 0..40 {
            let mut used = Generator::new(9, Profile::Mixed, 5, mode);
            let mut fresh = Generator::new(SEED, Profile::Trace, index, mode);
            let (a, b) = match mode {
                PagingMode::Pae => {
                    play(&mut hosts.port_pae(), &mut used);
                    used.reset(SEED, Profile::Trace, index, mode);
                    let a = play(&mut hosts.port_pae(), &mut used).0;
                    (a, play(&mut hosts.port_pae(), &mut fresh).0)
                }
                _ => {
                    used.reset(SEED, Profile::Trace, index, mode);
                    let a = play(&mut hosts.port_nopae(), &mut used).0;
                    (a, play(&mut hosts.port_nopae(), &mut fresh).0)
                }
            };
            assert!(a == b, "{mode:?} {index}");
            assert!(distinct.insert(a.to_bytes()), "{mode:?} {index}");
            let read = ScenarioBuf::from_bytes(&a.to_bytes());
            assert!(read.is_ok_and(|read| read == a), "{mode:?} {index}");
        }
    }
}

#[test]
fn the_turn_of_a_campaign_is_without_traces() {
    assert!((0..100).all(|index| profile_of(None, index) != Profile::Trace));
    assert_eq!("trace".parse(), Ok(Profile::Trace));
}
