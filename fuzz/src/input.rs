// SPDX-License-Identifier: GPL-2.0-or-later
//! Scenarios as arbitrary values: through the total reader, so that a corpus keeps its meaning whatever changes in
//! generators and mutators.

use arbitrary::{Arbitrary, Result, Unstructured};
use lguest_engine::PagingMode;
use lguest_oracle::fuzzed;
use lguest_oracle::scenario_buf::ScenarioBuf;

/// A scenario made of any bytes; its mode is `both`.
#[derive(Clone, Debug)]
pub struct AnyScenario(pub ScenarioBuf);

impl<'a> Arbitrary<'a> for AnyScenario {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let rest = u.bytes(u.len())?;
        Ok(AnyScenario(fuzzed::read(rest, PagingMode::Both)))
    }

    fn arbitrary_take_rest(u: Unstructured<'a>) -> Result<Self> {
        Ok(AnyScenario(fuzzed::read(u.take_rest(), PagingMode::Both)))
    }
}
