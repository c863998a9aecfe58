// SPDX-License-Identifier: GPL-2.0-or-later
//! The time that generation alone takes; for people, since machines differ.
//!
//! A scenario is run from its generator, and again from the steps that it made: the difference is the generator's.

use std::time::{Duration, Instant};

use lguest_engine::PagingMode;
use lguest_oracle::drive::{self, Drive, Given};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::rig::Hosts;

const SEED: u64 = 0x5eed;
const SCENARIOS: u64 = 200;

fn time(what: impl FnOnce()) -> Duration {
    let start = Instant::now();
    what();
    start.elapsed()
}

/// Times of resetting the generator, of running it, and of running what it made; the number of steps.
fn measure<D: Drive>(
    drive: &mut D,
    generator: &mut Generator,
    profile: Profile,
    index: u64,
    mode: PagingMode,
) -> ([Duration; 3], usize) {
    let mut steps = Vec::with_capacity(4096);
    // The best of a few: others use the machine, too.
    let mut best = [Duration::MAX; 3];
    for _ in 0..7 {
        let reset = time(|| generator.reset(SEED, profile, index, mode));
        let (machine, pages) = (generator.machine, generator.pages.clone());
        let made = time(|| {
            drive::run(drive, &machine, &pages, generator, |_, _, _| {});
        });
        if steps.is_empty() {
            generator.reset(SEED, profile, index, mode);
            drive::run(drive, &machine, &pages, generator, |_, step, _| {
                steps.push(*step);
            });
        }
        let given = time(|| {
            let mut given = Given(steps.iter());
            drive::run(drive, &machine, &pages, &mut given, |_, _, _| {});
        });
        for (best, now) in best.iter_mut().zip([reset, made, given]) {
            *best = now.min(*best);
        }
    }
    (best, steps.len())
}

#[test]
#[ignore = "prints times"]
fn time_of_generation() {
    let hosts = Hosts::new().unwrap();
    for profile in Profile::ALL {
        for mode in [PagingMode::NoPae, PagingMode::Pae] {
            let mut generator = Generator::new(SEED, profile, 0, mode);
            let (mut sum, mut steps) = ([0f64; 3], 0);
            for index in 0..SCENARIOS {
                let generator = &mut generator;
                let (times, count) = match mode {
                    PagingMode::Pae => {
                        measure(&mut hosts.port_pae(), generator, profile, index, mode)
                    }
                    _ => measure(&mut hosts.port_nopae(), generator, profile, index, mode),
                };
                for (sum, time) in sum.iter_mut().zip(times) {
                    *sum += time.as_nanos() as f64;
                }
                steps += count;
            }
            let [reset, made, given] = sum;
            let each = (made - given) / steps as f64;
            println!(
                "{profile:5} {mode:?}: {each:.1} ns a step of {steps} (beside {:.1}), {:.0} ns a reset",
                given / steps as f64,
                reset / SCENARIOS as f64
            );
        }
    }
}
