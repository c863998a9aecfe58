// SPDX-License-Identifier: GPL-2.0-or-later
//! Packs the corpora for a boot of `rust-impl/kmod`: each scenario in its binary form, how far it may be run in a real
//! kernel, and what must come of it.
//!
//! Arguments: the subject (`faithful` or `hardened`), the mode (`nopae` or `pae`), the file to write, then folders or
//! files. A scenario's recording is what must come; one that ends in a crash of the host, or with references left, is cut
//! before that step. Traces have no recording: every so many steps there is a digest of the whole observation, taken here
//! from the original. For the hardened port lines and digests are taken from it here, on the simulated host; nothing is
//! cut of a scenario, and of a trace so many steps are run as lie between two digests.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lguest_engine::digest::Fnv;
use lguest_engine::observe::{Visited, observe};
use lguest_engine::{Machine, Outcome, PagingMode, PortSide, Runner, Side, Step, Verb};
use lguest_oracle::load::{find_all, is_trace, load};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::recording::{lines, read};
use lguest_oracle::rig::{Hosts, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::sim::MAX_TABLES;
use lguest_oracle::trace::{Detail, Import, Reader};
use lguest_shadow::{Hardened, NoPae, Pae};

/// Steps of a trace in one write.
const PART: u32 = 1024;
/// Steps of a trace between two digests.
const BETWEEN: usize = 65536;
const DESTROY: Step = Step::new(Verb::Destroy, [0; 5]);

/// Why a scenario is not run to its end.
#[derive(Clone, Copy)]
enum Cut {
    No = 0,
    HostBug = 1,
    Breach = 2,
}

/// One entry of the pack: `struct entry` of `boot/init.c`.
struct Entry {
    name: String,
    steps: u32,
    cut: Cut,
    part: u32,
    /// References and tables left at the end.
    left: [u32; 2],
    bytes: Vec<u8>,
    lines: Vec<u8>,
    digests: Vec<u64>,
}

type Fault = Box<dyn std::error::Error>;

/// What the hardened port does on the simulated host.
fn hardened_lines(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> String {
    match mode {
        PagingMode::Pae => lines(PortSide::<Pae, _, _>::new(&hosts.port, Hardened), scenario),
        _ => lines(
            PortSide::<NoPae, _, _>::new(&hosts.port, Hardened),
            scenario,
        ),
    }
}

fn of_scenario(
    path: &Path,
    mut scenario: ScenarioBuf,
    hosts: &Hosts,
    mode: PagingMode,
    hardened: bool,
) -> Result<Entry, Fault> {
    scenario.steps.retain(|step| step.verb != Verb::Expect);
    let text = if hardened {
        hardened_lines(hosts, &scenario, mode)
    } else {
        let recording = read(path).map_err(|broken| format!("{broken}"))?;
        let (text, _) = recording
            .of(mode)
            .ok_or_else(|| format!("{}: its recording lacks a mode", path.display()))?;
        text.to_owned()
    };
    if scenario
        .steps
        .last()
        .is_none_or(|step| step.verb != Verb::Destroy)
    {
        scenario.steps.push(DESTROY);
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let crash = lines
        .iter()
        .position(|line| line.contains(": the host crashes: "));
    let left = lines.last().and_then(|line| left(line));
    // Lines count from 0, which is the start: the line of step n is line n.
    let destroy = lines.len().saturating_sub(2);
    let (cut, kept) = match (crash, left) {
        (Some(line), _) => (Cut::HostBug, line),
        (None, Some([_, references])) if references != 0 => (Cut::Breach, destroy),
        _ => (Cut::No, lines.len()),
    };
    if hardened && !matches!(cut, Cut::No) {
        return Err(format!("{}: the hardened port harms its host", path.display()).into());
    }
    if kept == 0 {
        return Err(format!("{}: crashes at the start", path.display()).into());
    }
    let steps = match cut {
        Cut::No => scenario.steps.len(),
        _ => kept - 1,
    };
    scenario.steps.truncate(steps);
    let [tables, references] = left.unwrap_or_default();
    Ok(Entry {
        name: name(path),
        steps: steps as u32,
        cut,
        part: 1,
        left: [references, tables],
        bytes: scenario.to_bytes(),
        lines: lines[..kept].concat().into_bytes(),
        digests: Vec::new(),
    })
}

/// Tables and references of a recording's last line.
fn left(line: &str) -> Option<[u32; 2]> {
    let rest = line
        .strip_prefix("end: held ")?
        .strip_suffix(" references\n")?;
    let (tables, references) = rest.split_once(" tables, ")?;
    Some([tables.parse().ok()?, references.parse().ok()?])
}

fn of_trace(
    path: &Path,
    hosts: &Hosts,
    mode: PagingMode,
    hardened: bool,
) -> Result<Option<Entry>, Fault> {
    let import = Import::new(Reader::open(path)?, Detail::Results).map_err(|e| format!("{e}"))?;
    let machine = import.machine;
    if machine.mode != mode {
        return Ok(None);
    }
    let mut steps = Vec::new();
    for item in import {
        let step = item.map_err(|e| format!("{}:{e}", path.display()))?.step;
        if step.verb != Verb::Expect {
            steps.push(step);
        }
    }
    if steps.last().is_none_or(|step| step.verb != Verb::Destroy) {
        steps.push(DESTROY);
    }
    let digests = if hardened {
        steps.truncate(BETWEEN);
        match mode {
            PagingMode::Pae => digests(
                PortSide::<Pae, _, _>::new(&hosts.port, Hardened),
                &machine,
                &steps,
            )?,
            _ => digests(
                PortSide::<NoPae, _, _>::new(&hosts.port, Hardened),
                &machine,
                &steps,
            )?,
        }
    } else {
        let side = OriginalSide::new(&hosts.original, mode == PagingMode::Pae)
            .ok_or("this program was built without the original")?;
        digests(side, &machine, &steps)?
    };
    let scenario = ScenarioBuf {
        machine,
        pages: Vec::new(),
        steps,
    };
    Ok(Some(Entry {
        name: name(path),
        steps: scenario.steps.len() as u32,
        cut: Cut::No,
        part: PART,
        left: [0, 0],
        bytes: scenario.to_bytes(),
        lines: Vec::new(),
        digests,
    }))
}

/// The digest of the whole observation, every so many steps and at the end.
fn digests<S: Side>(side: S, machine: &Machine, steps: &[Step]) -> Result<Vec<u64>, Fault> {
    let mut runner = Runner::new(side);
    if runner.start(machine, &mut std::iter::empty()) != Ok(0) {
        return Err("the trace's guest does not begin".into());
    }
    let mut digests = Vec::new();
    for part in steps.chunks(BETWEEN) {
        for step in part {
            if let Outcome::Bug(_) = runner.step(step) {
                return Err("the trace's host crashes".into());
            }
        }
        digests.push(digest(&runner.side));
    }
    Ok(digests)
}

fn digest<S: Side>(side: &S) -> u64 {
    let mut room = vec![0; MAX_TABLES as usize];
    let mut digest = Fnv::new();
    // A digest takes whatever is written to it.
    let _ = observe(side, &mut Visited::new(&mut room), &mut digest);
    digest.value()
}

/// The folder's name and the file's, as reports tell them.
fn name(path: &Path) -> String {
    let last = |path: Option<&Path>| path.and_then(Path::file_name).map(|name| name.to_owned());
    let folder = last(path.parent()).unwrap_or_default();
    let file = last(Some(path)).unwrap_or_default();
    let file = file.to_string_lossy();
    format!(
        "{}/{}",
        folder.to_string_lossy(),
        file.split('.').next().unwrap_or_default()
    )
}

impl Entry {
    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        let mut name = [0; 120];
        for (to, from) in name[..119].iter_mut().zip(self.name.bytes()) {
            *to = from;
        }
        to.write_all(b"LGBP")?;
        to.write_all(&name)?;
        let words = [
            self.steps,
            self.cut as u32,
            self.part,
            self.left[0],
            self.left[1],
            self.bytes.len() as u32,
            self.lines.len() as u32,
            self.digests.len() as u32,
            BETWEEN as u32,
        ];
        for word in words {
            to.write_all(&word.to_le_bytes())?;
        }
        for part in [&self.bytes, &self.lines] {
            to.write_all(part)?;
            to.write_all(&[0; 3][..(4 - part.len() % 4) % 4])?;
        }
        for digest in &self.digests {
            to.write_all(&digest.to_le_bytes())?;
        }
        Ok(())
    }
}

fn pack() -> Result<usize, Fault> {
    let mut args = std::env::args_os().skip(1);
    let hardened = match args.next().as_ref().and_then(|word| word.to_str()) {
        Some("faithful") => false,
        Some("hardened") => true,
        _ => return Err("expected a subject, faithful or hardened".into()),
    };
    let mode = match args.next().as_ref().and_then(|mode| mode.to_str()) {
        Some("nopae") => PagingMode::NoPae,
        Some("pae") => PagingMode::Pae,
        _ => return Err("expected a mode, nopae or pae".into()),
    };
    let output = PathBuf::from(args.next().ok_or("expected a file to write")?);
    let hosts = Hosts::new()?;
    let mut to = BufWriter::new(std::fs::File::create(&output)?);
    let mut count = 0;
    for path in args {
        for file in find_all(Path::new(&path))? {
            let entry = if is_trace(&file) {
                of_trace(&file, &hosts, mode, hardened)?
            } else {
                let scenario = load(&file)?;
                if modes(scenario.machine.mode).contains(&mode) {
                    Some(of_scenario(&file, scenario, &hosts, mode, hardened)?)
                } else {
                    None
                }
            };
            if let Some(entry) = entry {
                entry.write(&mut to)?;
                count += 1;
            }
        }
    }
    to.flush()?;
    Ok(count)
}

fn main() -> ExitCode {
    match pack() {
        Ok(0) => {
            eprintln!("boot_pack: there is nothing to pack");
            ExitCode::from(3)
        }
        Ok(count) => {
            println!("packed {count} scenarios");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("boot_pack: {fault}");
            ExitCode::from(2)
        }
    }
}
