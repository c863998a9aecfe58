// SPDX-License-Identifier: GPL-2.0-or-later
//! The hunt: a small campaign with a fixed seed, until the sides differ or the scenarios run out.

use std::fmt;
use std::time::{Duration, Instant};

use lguest_engine::{Care, PagingMode, Pair, Side};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Both, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::report::slowly;
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;

/// The seed of every hunt.
pub const SEED: u64 = 0x1a57;

/// A bug that was found.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Scenarios that it took, the one that shows it included.
    pub scenarios: u64,
    /// The first step that differs, from 1; 0 for `init_guest_pagetable`.
    pub step: usize,
    /// The class of the difference, as one line.
    pub class: String,
    /// Wall time.
    pub elapsed: Duration,
}

impl fmt::Display for Caught {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "scenario {}, step {}, {} ms: {}",
            self.scenarios,
            self.step,
            self.elapsed.as_millis(),
            self.class
        )
    }
}

/// Runs a campaign's first `limit` scenarios, its profiles in turn, on two sides that share
/// `hosts`: the first difference, or nothing.
///
/// # Panics
/// The sides differ and do not when the same scenario runs with everything compared after each
/// step: then the rig itself is broken.
pub fn hunt<A: Side, B: Side>(hosts: &Hosts, a: A, b: B, limit: u64) -> Option<Caught> {
    let begun = Instant::now();
    let mode = if a.pae() {
        PagingMode::Pae
    } else {
        PagingMode::NoPae
    };
    let mut both = Both {
        pair: Pair::new(a, b),
        care: Care::Cheap,
    };
    let mut steps = Vec::new();
    for index in 0..limit {
        let mut generator = Generator::new(SEED, profile_of(None, index), index, mode);
        let mut scenario = ScenarioBuf::new(generator.machine);
        scenario.pages.clone_from(&generator.pages);
        steps.clear();
        let end = run(
            &mut both,
            &scenario.machine,
            &scenario.pages,
            &mut generator,
            |_, step, _| steps.push(*step),
        )
        .end;
        if let Err((_, difference)) = end {
            let elapsed = begun.elapsed();
            scenario.steps.clone_from(&steps);
            both.care = Care::Full;
            let Some(found) = slowly(hosts, &mut both, &scenario, mode) else {
                panic!("scenario {index}: {difference:?}, and not when run slowly");
            };
            return Some(Caught {
                scenarios: index + 1,
                step: found.step.map_or(0, |step| step + 1),
                class: found.class.to_string(),
                elapsed,
            });
        }
    }
    None
}
