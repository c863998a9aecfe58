// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes what the bare-metal image runs: all corpora, each with its recording, and boots and generated scenarios, with
//! sums of what the original made of them.
//!
//! Arguments: the file to write; `all`, or `scenarios` for all but boots, or `generated` for none of the corpora; how many
//! to generate in each mode; their seed.

#[path = "../../rust-impl/bare/src/follow.rs"]
#[allow(dead_code, reason = "the image looks on more closely")]
mod follow;
#[path = "../../rust-impl/bare/src/pack.rs"]
#[allow(dead_code, reason = "reading is the image's half of it")]
mod pack;

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;

use lguest_engine::{PagingMode, Runner, Scenario, Side};
use lguest_oracle::campaign::profile_of;
use lguest_oracle::drive::{Alone, run};
use lguest_oracle::generate::Generator;
use lguest_oracle::load::{find_all, is_trace, load};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::recording;
use lguest_oracle::rig::{Hosts, mode_name, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::trace::{Detail, Import, Reader};

use pack::Due;

/// Steps between two looks by the processor, for scenarios that were written for a purpose, generated ones, and boots.
const EVERY: [u32; 3] = [1, 16, 4096];

/// Frames that a guest of the rig can have tables in.
const ROOM: usize = lguest_oracle::sim::MAX_TABLES as usize;

struct Pack {
    file: BufWriter<File>,
    count: u32,
}

impl Pack {
    fn add(
        &mut self,
        name: &str,
        every: u32,
        pae: bool,
        scenario: &[u8],
        due: Due<'_>,
    ) -> io::Result<()> {
        let file = &mut self.file;
        let (lines, sums) = match due {
            Due::Lines(lines) => (lines, [0, 0]),
            Due::Sums(outcomes, states) => ("", [outcomes, states]),
        };
        for word in [
            scenario.len() as u32,
            name.len() as u32,
            u32::from(pae),
            every,
            lines.len() as u32,
            0,
        ] {
            file.write_all(&word.to_le_bytes())?;
        }
        for sum in sums {
            file.write_all(&sum.to_le_bytes())?;
        }
        for bytes in [name.as_bytes(), scenario, lines.as_bytes()] {
            file.write_all(bytes)?;
            file.write_all(&[0; 7][..bytes.len().next_multiple_of(8) - bytes.len()])?;
        }
        self.count += 1;
        Ok(())
    }
}

/// What the original makes of a scenario.
fn sums<S: Side>(side: S, scenario: &[u8]) -> Due<'static> {
    let scenario = Scenario::strict(scenario).expect("what was just written");
    let mut room = [0; ROOM];
    let mut summing = follow::Summing::new(scenario.len(), &mut room);
    follow::follow(&mut Runner::new(side), &scenario, |runner, at| {
        summing.look(runner, &at);
    });
    let sums = summing.sums();
    Due::Sums(sums.outcomes, sums.states)
}

fn original(hosts: &Hosts, pae: bool) -> OriginalSide<'_> {
    OriginalSide::new(&hosts.original, pae).expect("the original")
}

/// A boot of a real guest as a scenario.
fn imported(path: &Path) -> io::Result<ScenarioBuf> {
    let error = |error| io::Error::other(format!("{}: {error}", path.display()));
    let import = Import::new(Reader::open(path)?, Detail::Results).map_err(error)?;
    let mut scenario = ScenarioBuf::new(import.machine);
    for item in import {
        scenario.steps.push(item.map_err(error)?.step);
    }
    Ok(scenario)
}

fn corpora(hosts: &Hosts, pack: &mut Pack, boots: bool) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    let folder = folder.canonicalize()?;
    for path in find_all(&folder).map_err(io::Error::other)? {
        let boot = is_trace(&path);
        if boot && !boots {
            continue;
        }
        let name = path.strip_prefix(&folder).unwrap_or(&path);
        let name = name.to_string_lossy();
        if boot {
            let scenario = imported(&path)?;
            let bytes = scenario.to_bytes();
            for mode in modes(scenario.machine.mode) {
                let pae = *mode == PagingMode::Pae;
                let due = sums(original(hosts, pae), &bytes);
                pack.add(&name, EVERY[2], pae, &bytes, due)?;
            }
            continue;
        }
        let scenario = load(&path).map_err(io::Error::other)?;
        let recording =
            recording::read(&path).map_err(|broken| io::Error::other(broken.to_string()))?;
        if recording.scenario != recording::scenario_digest(&scenario) {
            return Err(io::Error::other(format!(
                "{name}: edited since it was recorded"
            )));
        }
        for mode in modes(scenario.machine.mode) {
            let (lines, _) = recording
                .of(*mode)
                .ok_or_else(|| io::Error::other(format!("{name}: its recording lacks a mode")))?;
            let pae = *mode == PagingMode::Pae;
            pack.add(
                &name,
                EVERY[0],
                pae,
                &scenario.to_bytes(),
                Due::Lines(lines),
            )?;
        }
    }
    Ok(())
}

fn generated(hosts: &Hosts, pack: &mut Pack, seed: u64, count: u64) -> io::Result<()> {
    for &mode in modes(PagingMode::Both) {
        let pae = mode == PagingMode::Pae;
        for index in 0..count {
            let profile = profile_of(None, index);
            let mut generator = Generator::new(seed, profile, index, mode);
            let mut scenario = ScenarioBuf::new(generator.machine);
            scenario.pages.clone_from(&generator.pages);
            let (machine, pages) = (scenario.machine, scenario.pages.clone());
            let mut drive = Alone(Runner::new(original(hosts, pae)));
            run(
                &mut drive,
                &machine,
                &pages,
                &mut generator,
                |_, step, _| {
                    scenario.steps.push(*step);
                },
            );
            let bytes = scenario.to_bytes();
            let due = sums(original(hosts, pae), &bytes);
            let name = format!(
                "generated/{}-{}-{seed}-{index}",
                mode_name(mode),
                profile.name()
            );
            pack.add(&name, EVERY[1], pae, &bytes, due)?;
        }
    }
    Ok(())
}

/// What goes into a pack beside generated scenarios.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    Scenarios,
    Generated,
}

fn write(path: &Path, what: What, count: u64, seed: u64) -> io::Result<()> {
    let hosts = Hosts::new()?;
    let mut pack = Pack {
        file: BufWriter::new(File::create(path)?),
        count: 0,
    };
    pack.file.write_all(&[0; pack::HEADER_LEN])?;
    if what != What::Generated {
        corpora(&hosts, &mut pack, what == What::All)?;
    }
    generated(&hosts, &mut pack, seed, count)?;
    pack.file.seek(SeekFrom::Start(0))?;
    pack.file.write_all(&pack::MAGIC)?;
    pack.file.write_all(&pack.count.to_le_bytes())?;
    pack.file.flush()?;
    println!("pack: {} scenarios, one mode each", pack.count);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, what, count, seed] = &arguments[..] else {
        eprintln!("pack: expected a file, what to pack, a number of scenarios and a seed");
        return ExitCode::from(2);
    };
    let what = match &what[..] {
        "all" => What::All,
        "scenarios" => What::Scenarios,
        "generated" => What::Generated,
        _ => {
            eprintln!("pack: {what}: expected all, scenarios or generated");
            return ExitCode::from(2);
        }
    };
    let (Ok(count), Ok(seed)) = (count.parse(), seed.parse()) else {
        eprintln!("pack: {count} {seed}: expected two numbers");
        return ExitCode::from(2);
    };
    if lguest_c_reference::reference().is_none() {
        eprintln!("pack: this program was built without the original");
        return ExitCode::from(3);
    }
    match write(Path::new(path), what, count, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pack: {path}: {error}");
            ExitCode::from(5)
        }
    }
}
