// SPDX-License-Identifier: GPL-2.0-or-later
//! The bugs planted in the port against the recordings of the corpora alone, with no original beside it.

use std::path::{Path, PathBuf};

use lguest_alarms::PlantedSide;
use lguest_alarms::port_table::{PORT, UNHARMED};
use lguest_engine::PagingMode;
use lguest_oracle::load::{find, load};
use lguest_oracle::recording::{hold, lines};
use lguest_oracle::rig::{Hosts, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;

/// The first scenario in which a copy does otherwise than was recorded of the original.
fn told<'a>(
    hosts: &Hosts,
    corpora: &'a [(PathBuf, ScenarioBuf)],
    name: &str,
    pae: bool,
) -> Option<&'a Path> {
    let mode = if pae {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    };
    let found = corpora.iter().find(|(file, scenario)| {
        modes(scenario.machine.mode).contains(&mode) && {
            let side = PlantedSide::new(name, &hosts.port, pae).expect("a copy for this mode");
            hold(file, scenario, mode, "copy", &lines(side, scenario)).is_err()
        }
    });
    found.map(|(file, _)| &file[..])
}

#[test]
fn the_recordings_tell_planted_bugs() {
    let hosts = Hosts::new().expect("room for two hosts");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora");
    let corpora: Vec<_> = find(&folder)
        .expect("the corpora")
        .into_iter()
        .map(|file| {
            let scenario = load(&file).expect("a scenario");
            (file, scenario)
        })
        .collect();
    let mut missed = Vec::new();
    for pae in [false, true] {
        assert_eq!(told(&hosts, &corpora, UNHARMED, pae), None, "a false alarm");
        for bug in PORT.iter().filter(|bug| bug.modes.has(pae)) {
            match told(&hosts, &corpora, bug.name, pae) {
                Some(file) => println!("{}, pae {pae}: {}", bug.name, file.display()),
                None => missed.push((bug.name, pae)),
            }
        }
    }
    assert_eq!(missed, [], "not told by any recording");
}
