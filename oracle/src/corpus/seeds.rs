// SPDX-License-Identifier: GPL-2.0-or-later
//! Seeds for the fuzz targets, made of a corpus: its scenarios as bytes for each target whose mode they have, and as text;
//! and stretches of the boots.

use std::collections::{BTreeMap, HashSet};

use lguest_engine::PagingMode;

use super::feature::{Look, Observer};
use super::input::{Input, MODES, TEXT_TARGET};
use super::stretches;
use crate::fuzzed;
use crate::minimize::Progress;
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;
use crate::text::print;

pub use super::stretches::MOST;

/// Bytes of a seed, at most: those of [`MOST`] steps and a machine with all its page records. Larger inputs are no use to
/// a fuzzer, which runs many.
pub const LARGEST: usize = 16384;

/// Seeds by target and file name.
pub type Seeds = BTreeMap<(&'static str, String), Vec<u8>>;

/// Makes the seeds of these scenarios and of the boots. Scenarios of more than [`MOST`] steps are left out.
pub fn seeds(
    observer: &mut Observer<'_>,
    inputs: &[Input],
    progress: &dyn Fn(usize, usize, Progress),
) -> Seeds {
    let mut seeds = Seeds::new();
    let mut had = HashSet::new();
    for input in inputs {
        let stem = input.path.file_stem().unwrap_or_default().to_string_lossy();
        add(&mut seeds, &stem, &input.scenario);
        had.extend(observer.see(&input.scenario, Look::States));
    }
    for pae in [false, true] {
        let stretches = stretches::of(observer, pae, &had, progress);
        for (i, stretch) in stretches.iter().enumerate() {
            let mode = mode_name(stretch.scenario.machine.mode);
            add(
                &mut seeds,
                &format!("boot-{mode}-{i:03}"),
                &stretch.scenario,
            );
        }
    }
    seeds
}

fn add(seeds: &mut Seeds, name: &str, scenario: &ScenarioBuf) {
    let own = scenario.machine.mode;
    for mode in MODES {
        if own != PagingMode::Both && mode != own {
            continue;
        }
        let mut scenario = scenario.clone();
        fuzzed::fit(&mut scenario, mode);
        let bytes = scenario.to_bytes();
        if scenario.steps.len() <= MOST && bytes.len() <= LARGEST {
            seeds.insert((mode_name(mode), name.to_owned()), bytes);
        }
    }
    let text = print(scenario);
    if scenario.steps.len() <= MOST && text.len() <= LARGEST {
        seeds.insert((TEXT_TARGET, name.to_owned()), text.into_bytes());
    }
}
