// SPDX-License-Identifier: GPL-2.0-or-later
//! What a fuzzer's bytes mean: any bytes are a scenario, of bounded length, in the mode of the target that reads them.

use lguest_engine::{Expect, PagingMode, Scenario, Verb};

use crate::scenario_buf::ScenarioBuf;

/// Steps of an input that are run, at most: a bound on the time that one takes.
pub const MAX_STEPS: usize = 512;

/// The scenario of these bytes, for this target's mode. What was recorded elsewhere is left out: a fuzzer's numbers
/// are no other host's, and nothing is expected but agreement.
#[must_use]
pub fn read(bytes: &[u8], mode: PagingMode) -> ScenarioBuf {
    let scenario = Scenario::total(bytes).truncated(MAX_STEPS);
    let mut buf = ScenarioBuf::from(scenario);
    fit(&mut buf, mode);
    buf
}

/// Makes a scenario one that a target runs as it is.
pub fn fit(scenario: &mut ScenarioBuf, mode: PagingMode) {
    scenario.machine.mode = mode;
    scenario.machine.expect = Expect::Agree;
    scenario.steps.retain(|step| step.verb != Verb::Expect);
    scenario.steps.truncate(MAX_STEPS);
}
