// SPDX-License-Identifier: GPL-2.0-or-later
//! Byte strings of no meaning, read by the total reader: each is a scenario on which the sides agree.

use lguest_engine::{PagingMode, Scenario, Verb};
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::sim::mix;
use lguest_oracle::verify::{Verdict, verify};

/// Bytes with many zeroes and small numbers, as hypercalls and addresses have.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let byte = |i: usize| {
        let dice = mix(seed, i as u64);
        match dice & 7 {
            0..=2 => 0,
            3 => (dice >> 8) as u8,
            4 => (dice >> 8) as u8 & 0x67,
            _ => (dice >> 8) as u8 & 15,
        }
    };
    (0..len).map(byte).collect()
}

#[test]
fn both_sides_agree_on_noise() {
    let hosts = Hosts::new().expect("room for a simulated host");
    for seed in 0..2_000 {
        let mut scenario =
            ScenarioBuf::from(Scenario::total(&noise(seed, 80 + 48 * 60)).truncated(60));
        scenario.machine.mode = if seed % 2 == 0 {
            PagingMode::NoPae
        } else {
            PagingMode::Pae
        };
        scenario.machine.pages = scenario.machine.pages % 512 + 1;
        scenario
            .pages
            .retain(|page| page.check(&scenario.machine).is_ok());
        scenario.steps = scenario
            .steps
            .iter()
            .map(|step| step.reduce(&scenario.machine))
            // Noise has no idea of what should come of it.
            .filter(|step| step.verb != Verb::Expect)
            .collect();
        match verify(&hosts, &scenario, scenario.machine.mode) {
            Verdict::Differ(found) => panic!("seed {seed}: {}", found.text),
            Verdict::Otherwise(failure) => panic!("seed {seed}: {failure}"),
            Verdict::Unsteady => panic!("seed {seed}: differed once and not again"),
            Verdict::NoOriginal => {
                eprintln!("skipped: this program was built without the original");
                return;
            }
            Verdict::Breach(breach, mode) => panic!("seed {seed}: {}", breach.text(mode)),
            Verdict::Pass(..) | Verdict::FindingGone(_) | Verdict::Unexplained(_) => {}
        }
    }
}
