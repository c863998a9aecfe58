// SPDX-License-Identifier: GPL-2.0-or-later
//! A difference that random scenarios come upon ends as a small scenario on disk, and the failure names it.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/minimal.rs"]
mod minimal;
#[path = "../../tests/common/shrunk.rs"]
mod shrunk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lguest_alarms::PlantedSide;
use lguest_engine::{Care, PagingMode, Pair, PortSide, Step, Verb};
use lguest_oracle::drive::Both;
use lguest_oracle::load::load;
use lguest_oracle::minimize::sides::{Eye, Two};
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_shadow::{Faithful, NoPae};
use proptest::prelude::*;

/// The port beside a copy of it: without a bug, or with one that random steps come upon soon.
fn sides<'h>(
    hosts: &'h Hosts,
    name: &str,
) -> Both<PortSide<'h, NoPae, Faithful, lguest_oracle::sim::SimHost>, PlantedSide<'h>> {
    let port = PortSide::<NoPae, _, _>::new(&hosts.original, Faithful);
    let copy = PlantedSide::new(name, &hosts.port, false).expect("a copy");
    Both {
        pair: Pair::new(port, copy),
        care: Care::Full,
    }
}

/// Scenarios of a guest that has begun: most calls are refused before.
fn initialised() -> impl Strategy<Value = ScenarioBuf> {
    let begin = Step::new(Verb::Hypercall, [1, 0, 0, 0, 0]);
    common::scenario().prop_map(move |mut scenario| {
        scenario.steps.insert(0, begin);
        scenario
    })
}

#[test]
fn a_planted_difference_is_kept_in_its_smallest_form() {
    let hosts = Hosts::new().expect("room for two hosts");
    let mode = PagingMode::NoPae;
    let run = |name: &str, file: &str| {
        let both = sides(&hosts, name);
        catch_unwind(AssertUnwindSafe(|| {
            shrunk::agree(file, 3000, initialised(), &hosts, both, mode);
        }))
    };
    assert!(run("unharmed", "planted-nothing").is_ok(), "a false alarm");
    let why = *run("read_maps_writable", "planted-difference")
        .expect_err("a difference")
        .downcast::<String>()
        .expect("a message");
    let (class, path) = why
        .rsplit_once("\nkept as ")
        .expect("a path in the message");
    assert!(class.starts_with("nopae diff "), "{class}");
    let kept = load(Path::new(path)).expect("a scenario");
    assert!(kept.steps.len() <= 2, "{why}");
    let mut eye = Two::new(&hosts, sides(&hosts, "read_maps_writable"), mode);
    minimal::assert_minimal(&kept, &mut |candidate| {
        eye.see(candidate, None)
            .is_some_and(|seen| seen.class.to_string() == class)
    });
}
