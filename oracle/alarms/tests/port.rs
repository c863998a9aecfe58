// SPDX-License-Identifier: GPL-2.0-or-later
//! Every bug planted in the port is found, in each mode in which it shows; the copy without one
//! is left in peace.

use lguest_alarms::hunt::{Caught, hunt};
use lguest_alarms::port_table::{PORT, UNHARMED};
use lguest_alarms::{Modes, Place, PlantedSide};
use lguest_engine::{PortSide, Side};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::rig::Hosts;
use lguest_shadow::{Faithful, NoPae, Pae};

/// Scenarios in which a bug must show. Most need a few, the rarest ten thousand: some seconds.
const LIMIT: u64 = 40_000;
/// Scenarios in which nothing may show where there is no bug.
const QUIET: u64 = 2_000;

include!(concat!(env!("OUT_DIR"), "/port_tests.rs"));

fn rings(name: &str, modes: Modes) {
    for pae in [false, true] {
        if modes.has(pae) {
            let caught = hunt_copy(name, pae, LIMIT);
            let caught = caught.unwrap_or_else(|| panic!("{name}, pae {pae}: not found"));
            println!("{name}: {caught}");
        }
    }
}

/// Against the original; without it, against the real port.
fn hunt_copy(name: &str, pae: bool, limit: u64) -> Option<Caught> {
    let hosts = Hosts::new().expect("room for two hosts");
    let copy = PlantedSide::new(name, &hosts.port, pae).expect("a copy for this mode");
    assert_eq!(copy.pae(), pae);
    match (OriginalSide::new(&hosts.original, pae), pae) {
        (Some(original), _) => hunt(&hosts, original, copy, limit),
        (None, false) => {
            let port = PortSide::<NoPae, _, _>::new(&hosts.original, Faithful);
            hunt(&hosts, port, copy, limit)
        }
        (None, true) => {
            let port = PortSide::<Pae, _, _>::new(&hosts.original, Faithful);
            hunt(&hosts, port, copy, limit)
        }
    }
}

#[test]
fn a_copy_without_a_bug_is_left_in_peace() {
    for pae in [false, true] {
        let caught = hunt_copy(UNHARMED, pae, QUIET);
        assert!(caught.is_none(), "a false alarm: {caught:?}");
    }
}

#[test]
fn the_table_has_thirty_bugs_in_all_sections_and_both_modes() {
    assert!(PORT.len() >= 30);
    for (i, bug) in PORT.iter().enumerate() {
        assert!(
            PORT[..i].iter().all(|other| other.name != bug.name),
            "{} is there twice",
            bug.name
        );
    }
    for section in Place::SECTIONS {
        for pae in [false, true] {
            assert!(
                PORT.iter()
                    .any(|bug| bug.place == section && bug.modes.has(pae)),
                "no bug in {section:?}, pae: {pae}"
            );
        }
    }
    for modes in [Modes::NoPae, Modes::Pae, Modes::Both] {
        assert!(PORT.iter().any(|bug| bug.modes == modes));
    }
}
