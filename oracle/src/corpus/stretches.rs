// SPDX-License-Identifier: GPL-2.0-or-later
//! Stretches of the boots in `corpora/boot` as small scenarios: cut all over a boot, those that show the most chosen, and
//! each made small as long as it shows what the others do not.

use std::collections::HashSet;

use lguest_engine::PagingMode;

use super::adopt::{Adopted, Options, adopt};
use super::feature::{Look, Observer};
use super::input::Input;
use crate::fuzzed;
use crate::generate::{at_work, stretch};
use crate::minimize::{Budget, Progress};

/// Steps of a seed, at most.
pub const MOST: usize = 200;
/// Steps of the boot in one stretch: the guest's tables and its start come before them.
const CUT: u32 = 96;
/// Stretches that are cut from a boot to choose from.
const CUTS: u32 = 1000;
/// What making one small may cost: the same on every machine.
const WORK: u64 = 400_000;

/// The stretches of one boot that stay, beyond what is had: none has more than [`MOST`] steps.
pub fn of(
    observer: &mut Observer<'_>,
    pae: bool,
    had: &HashSet<u64>,
    progress: &dyn Fn(usize, usize, Progress),
) -> Vec<Adopted> {
    let steps = at_work(pae);
    let last = steps.end.saturating_sub(CUT).max(steps.start);
    let mode = if pae {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    };
    let inputs: Vec<Input> = (0..CUTS)
        .map(|i| {
            let from = steps.start
                + (u64::from(last - steps.start) * u64::from(i) / u64::from(CUTS)) as u32;
            let mut scenario = stretch(pae, from..(from + CUT).min(steps.end));
            fuzzed::fit(&mut scenario, mode);
            Input {
                path: format!("boot-{from}").into(),
                raw: false,
                scenario,
            }
        })
        .collect();
    let options = Options {
        look: Look::States,
        at_most: usize::MAX,
        budget: Budget {
            work: Some(WORK),
            ..Budget::default()
        },
    };
    let mut adopted = adopt(observer, had, &inputs, &options, progress).adopted;
    adopted.retain(|stretch| stretch.scenario.steps.len() <= MOST);
    adopted
}
