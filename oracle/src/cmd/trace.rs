// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff import` and `lgdiff export`: traces of real guests to scenarios, and replays to traces.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use lguest_engine::scenario::encode_header;
use lguest_engine::{Care, MAX_STEPS, PagingMode};

use super::{ExportArgs, ImportArgs, usage};
use crate::exit::Exit;
use crate::load::{TEXT_EXTENSION, is_binary, is_packed, is_trace, load};
use crate::rig::{Hosts, Subject};
use crate::text::{Item as TextItem, print};
use crate::trace::export::{ExportError, export as write_trace};
use crate::trace::lanes::lanes;
use crate::trace::{Detail, Import, Item, Reader, TraceError};

/// Where a replay's steps come from.
type Items<'a> = dyn Iterator<Item = Result<Item, TraceError>> + 'a;

/// Turns a trace into a scenario.
pub fn import(args: &ImportArgs) -> Exit {
    let named = |error: TraceError| format!("{}:{error}", args.trace.display());
    let import = Reader::open(&args.trace)
        .map_err(|error| format!("{}: cannot be read: {error}", args.trace.display()))
        .and_then(|reader| Import::new(reader, Detail::Results).map_err(named));
    let mut import = match import {
        Ok(import) => import,
        Err(error) => return usage(error),
    };
    let output = args.output.clone().unwrap_or_else(|| beside(&args.trace));
    let written = write_beside(&output, |to| {
        let mut steps = 0;
        if is_binary(&output) {
            to.write_all(&encode_header(0))?;
            to.write_all(&import.machine.encode())?;
        } else {
            writeln!(to, "{}", TextItem::Machine(import.machine))?;
            writeln!(to, "{}", TextItem::Expect(import.machine.expect))?;
        }
        for item in &mut import {
            let step = item.map_err(|error| io::Error::other(named(error)))?.step;
            steps += 1;
            if steps > MAX_STEPS {
                let what =
                    format!("more than {MAX_STEPS} steps: a scenario has no room for this trace");
                return Err(io::Error::other(what));
            }
            if is_binary(&output) {
                to.write_all(&step.encode())?;
            } else {
                writeln!(to, "{}", print::step_text(&step))?;
            }
        }
        Ok(steps)
    });
    for (line, note) in &import.notes {
        eprintln!("{}:{line}: {note}", args.trace.display());
    }
    match written {
        Ok(steps) => {
            println!("{}: {steps} steps", output.display());
            Exit::Agree
        }
        Err(error) => usage(error),
    }
}

/// The scenario's place if none is given: the trace's, with another ending.
fn beside(trace: &Path) -> PathBuf {
    let bare = if is_packed(trace) {
        trace.with_extension("")
    } else {
        trace.to_owned()
    };
    bare.with_extension(TEXT_EXTENSION)
}

/// Writes a file bit by bit beside its place, compressed if its name says so, and moves it there when it is complete.
fn write_beside<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let part = path.with_extension(format!("tmp-{}", std::process::id()));
    let work = || {
        let mut file = BufWriter::new(File::create(&part)?);
        let result = if is_packed(path) {
            let mut packed = GzEncoder::new(&mut file, Compression::best());
            let result = write(&mut packed)?;
            packed.finish()?;
            result
        } else {
            write(&mut file)?
        };
        file.flush()?;
        fs::rename(&part, path)?;
        Ok(result)
    };
    let done = work();
    if done.is_err() {
        // The half-written file is of no use to anyone, and the first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    done
}

/// Writes a replay of a scenario or a trace as a trace.
pub fn export(args: &ExportArgs) -> Exit {
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    if is_trace(&args.file) {
        let import = Reader::open(&args.file)
            .map_err(|error| format!(" cannot be read: {error}"))
            .and_then(|reader| {
                Import::new(reader, Detail::Results).map_err(|error| error.to_string())
            });
        let mut import = match import {
            Ok(import) => import,
            Err(error) => return usage(format!("{}:{error}", args.file.display())),
        };
        let (machine, mode) = (import.machine, import.machine.mode);
        return exported(&hosts, args, mode, |lanes, to| {
            write_trace(lanes, &machine, &[], &mut import as &mut Items<'_>, to)
        });
    }
    let scenario = match load(&args.file) {
        Ok(scenario) => scenario,
        Err(error) => return usage(error),
    };
    let mode = match (scenario.machine.mode, args.mode.map(PagingMode::from)) {
        (PagingMode::Both, Some(mode)) if mode != PagingMode::Both => mode,
        (PagingMode::Both, _) => {
            return usage("the scenario is for both modes; expected --mode nopae or --mode pae");
        }
        (mode, _) => mode,
    };
    exported(&hosts, args, mode, |lanes, to| {
        let mut items = (1..).zip(&scenario.steps).map(|(line, step)| {
            let step = *step;
            Ok(Item { line, step })
        });
        let (machine, pages) = (&scenario.machine, &scenario.pages);
        write_trace(lanes, machine, pages, &mut items, to)
    })
}

fn exported(
    hosts: &Hosts,
    args: &ExportArgs,
    mode: PagingMode,
    write: impl FnOnce(&mut dyn crate::trace::lanes::Lanes, &mut dyn Write) -> Result<(), ExportError>,
) -> Exit {
    let subject = args.side.map_or(Subject::Original, Subject::from);
    let Some(mut lanes) = lanes(hosts, subject, mode, Care::Cheap) else {
        eprintln!("lgdiff: {}", super::reference::MISSING);
        return Exit::Nothing;
    };
    let mut broken = None;
    let run = |to: &mut dyn Write| match write(&mut *lanes, to) {
        Ok(()) => Ok(()),
        Err(ExportError::Output(error)) => Err(error),
        Err(error) => {
            broken = Some(error.to_string());
            Err(io::Error::other("broken off"))
        }
    };
    let done = match &args.output {
        Some(output) => write_beside(output, run),
        None => run(&mut BufWriter::new(io::stdout().lock())),
    };
    match (done, broken) {
        (_, Some(error)) => usage(format!("{}:{error}", args.file.display())),
        // A reader that has seen enough closes the pipe; that is no failure.
        (Err(error), None) if error.kind() != io::ErrorKind::BrokenPipe => usage(error),
        _ => Exit::Agree,
    }
}
