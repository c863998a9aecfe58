// SPDX-License-Identifier: GPL-2.0-or-later
//! Scenarios with every number at or near some limit: both sides agree on each, and one on which they do not is
//! made small and kept in `target/tmp/divergences`.

mod common;
#[path = "common/minimal.rs"]
mod minimal;
#[path = "common/shrunk.rs"]
mod shrunk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::scenario;
use lguest_engine::{Care, PagingMode, Verb};
use lguest_oracle::load::load;
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;
use proptest::prelude::*;

#[test]
fn both_sides_agree_on_scenarios_at_the_limits() {
    let hosts = Hosts::new().expect("room for two hosts");
    let (Some(nopae), Some(pae)) = (hosts.nopae(Care::Full), hosts.pae(Care::Full)) else {
        eprintln!("skipped: this program was built without the original");
        return;
    };
    let modes = [PagingMode::NoPae, PagingMode::Pae];
    shrunk::agree("agree-nopae", 1500, scenario(), &hosts, nopae, modes[0]);
    shrunk::agree("agree-pae", 1500, scenario(), &hosts, pae, modes[1]);
}

/// A property that some scenarios break: there is a write of more than four bytes before a run.
fn planted(scenario: &ScenarioBuf) -> bool {
    let wide = |verb| verb == Verb::Write || verb == Verb::DeviceWrite;
    let write = scenario
        .steps
        .iter()
        .position(|step| wide(step.verb) && step.args[3] == 8);
    let run = scenario.steps.iter().rposition(|s| s.verb == Verb::Run);
    matches!((write, run), (Some(write), Some(run)) if write < run)
}

#[test]
fn a_scenario_that_breaks_a_property_is_kept_in_its_smallest_form() {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        shrunk::holds("planted-property", 5000, scenario(), |s| {
            prop_assert!(!planted(s), "a wide write and a run");
            Ok(())
        });
    }));
    let why = *failed
        .expect_err("the property is broken")
        .downcast::<String>()
        .expect("a message");
    assert!(why.contains("a wide write and a run"), "{why}");
    let (_, path) = why.rsplit_once("kept as ").expect("a path in the message");
    let kept = load(Path::new(path)).expect("a scenario");
    assert_eq!(kept.steps.len(), 2, "{why}");
    minimal::assert_minimal(&kept, &mut planted);
}
