// SPDX-License-Identifier: GPL-2.0-or-later
//! The bugs planted in the port against the boots of real guests: what a real host recorded tells many of them, with
//! no original beside it: some by the checks of its tables alone, some by the results alone.

use std::path::Path;

use lguest_alarms::PlantedSide;
use lguest_alarms::port_table::UNHARMED;
use lguest_engine::Verb;
use lguest_engine::scenario::recorded::CHECK;
use lguest_oracle::rig::Hosts;
use lguest_oracle::trace::lanes::One;
use lguest_oracle::trace::verify::replay;
use lguest_oracle::trace::{Detail, Import, Item, Reader};

/// What a replay is held to.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Held {
    Results,
    Checks,
}

/// Whether a copy of the port does otherwise than was recorded.
fn told(hosts: &Hosts, name: &str, pae: bool, held: Held) -> bool {
    let mode = if pae { "pae" } else { "nopae" };
    let path = format!("../../corpora/boot/{mode}.trace.gz");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let reader = Reader::open(&path).expect("the trace");
    let import = Import::new(reader, Detail::Results).expect("a trace");
    let machine = import.machine;
    let side = PlantedSide::new(name, &hosts.port, pae).expect("a copy for this mode");
    let keep = |item: &Item| {
        let check = item.step.args[0] == u32::from(CHECK);
        item.step.verb != Verb::Expect || check == (held == Held::Checks)
    };
    let mut items = import.filter(|item| item.as_ref().map_or(true, keep));
    let mut lane = One::new("copy", side);
    let done = replay(&mut lane, &machine, &[], &mut items, false);
    done.expect("a whole trace").end.is_err()
}

/// A copy, the mode in which it is tried, and what tells it.
const TOLD: &[(&str, bool, &[Held])] = &[
    // Right results from tables that are not.
    ("flush_one_less", false, &[Held::Checks]),
    ("first_slot_not_released", false, &[Held::Checks]),
    ("text_not_global", false, &[Held::Checks]),
    ("text_not_global", true, &[Held::Checks]),
    ("descriptors_writable", true, &[Held::Checks]),
    // Right tables, and a wrong word to guest or launcher.
    ("read_not_written_back", false, &[Held::Results]),
    ("written_back_twice", true, &[Held::Results]),
    ("user_reads_the_kernel", true, &[Held::Results]),
    ("pgd_keeps_cpu", true, &[Held::Results]),
    // Both.
    ("other_shadows_pgd", false, &[Held::Results, Held::Checks]),
    ("pmd_index_too_short", true, &[Held::Results, Held::Checks]),
    ("pte_index_too_short", false, &[Held::Results, Held::Checks]),
    // No bug.
    (UNHARMED, false, &[]),
    (UNHARMED, true, &[]),
];

#[test]
fn the_boots_tell_planted_bugs() {
    let hosts = Hosts::new().expect("room for two hosts");
    for (name, pae, by) in TOLD {
        for held in [Held::Results, Held::Checks] {
            let told = told(&hosts, name, *pae, held);
            assert_eq!(told, by.contains(&held), "{name}, pae {pae}, by {held:?}");
        }
    }
}
