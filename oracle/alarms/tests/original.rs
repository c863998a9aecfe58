// SPDX-License-Identifier: GPL-2.0-or-later
//! Every bug planted in the original or its shim is found when the real port stands beside it; the
//! original that was compiled in the same way without one is left in peace.

use lguest_alarms::c_table::{C, Edit};
use lguest_alarms::hunt::{Caught, hunt};
use lguest_alarms::{Modes, spoiled_original};
use lguest_engine::PortSide;
use lguest_oracle::rig::Hosts;
use lguest_shadow::{Faithful, NoPae, Pae};

/// Scenarios in which a bug must show. Most need a few, the rarest some thousand: a second.
const LIMIT: u64 = 20_000;
/// Scenarios in which nothing may show where there is no bug.
const QUIET: u64 = 2_000;

include!(concat!(env!("OUT_DIR"), "/c_tests.rs"));

fn rings(name: &str, modes: Modes) {
    for pae in [false, true] {
        if modes.has(pae) {
            let caught = hunt_original(name, pae, LIMIT);
            let caught = caught.unwrap_or_else(|| panic!("{name}, pae {pae}: not found"));
            println!("{name}: {caught}");
        }
    }
}

fn keeps_quiet(name: &str) {
    for pae in [false, true] {
        let caught = hunt_original(name, pae, QUIET);
        assert!(caught.is_none(), "a false alarm: {caught:?}");
    }
}

fn hunt_original(name: &str, pae: bool, limit: u64) -> Option<Caught> {
    let hosts = Hosts::new().expect("room for two hosts");
    let original = spoiled_original(name, &hosts.original, pae).expect("compiled for this mode");
    if pae {
        let port = PortSide::<Pae, _, _>::new(&hosts.port, Faithful);
        hunt(&hosts, original, port, limit)
    } else {
        let port = PortSide::<NoPae, _, _>::new(&hosts.port, Faithful);
        hunt(&hosts, original, port, limit)
    }
}

#[test]
fn the_table_has_ten_bugs_in_both_places() {
    let shim = |edit: &Edit| matches!(edit, Edit::Shim { .. });
    assert!(C.iter().filter(|bug| !shim(&bug.edit)).count() >= 10);
    assert!(C.iter().any(|bug| shim(&bug.edit)));
}
