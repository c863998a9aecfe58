// SPDX-License-Identifier: GPL-2.0-or-later
//! One number for all that the original does on the corpora and on generated scenarios, in each mode.
//!
//! Builds of the original that differ in compiler, optimisation or variant must print the same
//! (`c-reference/compare-builds` does that). Arguments: steps to generate in each mode, 1,000,000 if not given.

use std::path::Path;
use std::process::ExitCode;

use lguest_engine::{Machinery, Outcome, PagingMode, Side};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Alone, Drive, Given, Run, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::load::{find, load};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::report::{outcome_text, side_text};
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::sim::mix;

/// Of so many steps one is followed by a look at everything.
const LOOK_ONE_IN: u64 = 256;

/// A running digest.
struct Digest {
    sum: u64,
    seen: u64,
}

impl Digest {
    fn text(&mut self, text: &str) {
        self.sum = text
            .bytes()
            .fold(self.sum, |sum, byte| mix(sum, byte.into()));
    }

    fn step(&mut self, drive: &Alone<OriginalSide<'_>>, outcome: Option<&Outcome>) {
        let side = &drive.view().side;
        self.sum = mix(self.sum, side.host().trail());
        self.seen += 1;
        if let Some(outcome) = outcome {
            self.text(&outcome_text(outcome));
        }
        if !matches!(outcome, Some(Outcome::Bug(_))) {
            self.text(&format!("{:?}", side.state()));
            if self.seen.is_multiple_of(LOOK_ONE_IN) {
                self.text(&side_text(side, None, &[]));
            }
        }
    }

    fn end(&mut self, run: &Run) {
        self.text(&format!("{:?}", run.end));
    }
}

fn of_mode(hosts: &Hosts, mode: PagingMode, steps: u64) -> Option<()> {
    let mut drive = hosts.original_alone(mode == PagingMode::Pae)?;
    let mut digest = Digest { sum: 0, seen: 0 };
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let files = find(&corpora).expect("the corpora can be read");
    for file in &files {
        let scenario = load(file).expect("a scenario of the corpora");
        if modes(scenario.machine.mode).contains(&mode) {
            let source = &mut Given(scenario.steps.iter());
            let run = run(
                &mut drive,
                &scenario.machine,
                &scenario.pages,
                source,
                |drive, _, outcome| {
                    digest.step(drive, outcome);
                },
            );
            digest.end(&run);
        }
    }
    println!(
        "{:5} corpora, {} files: {:016x}",
        mode_name(mode),
        files.len(),
        digest.sum
    );
    let mut generator = Generator::new(1, profile_of(None, 0), 0, mode);
    let (mut done, mut index) = (0, 0);
    while done < steps {
        generator.reset(1, profile_of(None, index), index, mode);
        let (machine, pages) = (generator.machine, generator.pages.clone());
        let run = run(
            &mut drive,
            &machine,
            &pages,
            &mut generator,
            |drive, _, outcome| digest.step(drive, outcome),
        );
        digest.end(&run);
        done += run.counts.steps;
        index += 1;
    }
    println!("{:5} {done} steps: {:016x}", mode_name(mode), digest.sum);
    Some(())
}

fn main() -> ExitCode {
    let steps = match std::env::args().nth(1).map(|text| text.parse()) {
        None => 1_000_000,
        Some(Ok(steps)) => steps,
        Some(Err(error)) => {
            eprintln!("digest: expected a number of steps: {error}");
            return ExitCode::from(2);
        }
    };
    let hosts = Hosts::new().expect("room for a simulated host");
    let done = modes(PagingMode::Both)
        .iter()
        .all(|mode| of_mode(&hosts, *mode, steps).is_some());
    if done {
        ExitCode::SUCCESS
    } else {
        eprintln!("digest: this program was built without the original");
        ExitCode::from(3)
    }
}
