// SPDX-License-Identifier: GPL-2.0-or-later
//! The file of a recording: its header, and a part for each mode.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;
use lguest_engine::digest::Fnv;
use lguest_engine::record::FORMAT;

use crate::exit::Exit;
use crate::load::{LoadError, TEXT_EXTENSION, find_ending, read_text};
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;

/// How a recording's file ends.
pub const EXTENSION: &str = "rec";

/// A recording of one scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// SHA-256 of the original, as hex digits.
    pub original: String,
    /// Digest of the scenario.
    pub scenario: u64,
    /// The modes in order: the lines of each, and the number of lines of the file before them.
    pub modes: Vec<(PagingMode, String, usize)>,
}

/// Why a file holds no recording.
#[derive(Debug)]
pub enum Broken {
    /// It cannot be read, or is too large, or not UTF-8.
    Unreadable(LoadError),
    /// It is not there.
    Missing(PathBuf),
    /// A line is not what was expected there; it counts from 1.
    Line(PathBuf, usize, String),
}

impl fmt::Display for Broken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Unreadable(error) => write!(to, "{error}"),
            Broken::Missing(path) => write!(to, "{}: there is no recording", path.display()),
            Broken::Line(path, line, what) => {
                write!(to, "{}:{line}: expected {what}", path.display())
            }
        }
    }
}

/// The digest by which a recording knows its scenario.
pub fn scenario_digest(scenario: &ScenarioBuf) -> u64 {
    let mut digest = Fnv::new();
    digest.bytes(&scenario.to_bytes());
    digest.value()
}

/// Where the recording of a scenario's file is.
pub fn place(scenario: &Path) -> PathBuf {
    scenario.with_extension(EXTENSION)
}

/// Recordings in these folders, or at these places, whose scenario is not there.
///
/// # Errors
/// A folder cannot be read.
pub fn orphans(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        match find_ending(path, OsStr::new(EXTENSION)) {
            Ok(files) => found.extend(
                files
                    .into_iter()
                    .filter(|file| !file.with_extension(TEXT_EXTENSION).exists()),
            ),
            Err(error) if error.is_empty_folder() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Tells them on stdout: how a command ends that met any.
pub fn orphans_told(paths: &[PathBuf]) -> Exit {
    match orphans(paths) {
        Ok(found) if found.is_empty() => Exit::Agree,
        Ok(found) => {
            for file in found {
                println!("{}: there is no such scenario", file.display());
            }
            Exit::Differ
        }
        Err(error) => {
            eprintln!("lgdiff: {error}");
            Exit::Usage
        }
    }
}

/// Reads the recording of a scenario's file.
///
/// # Errors
/// It is not there, cannot be read, or is none.
pub fn read(scenario: &Path) -> Result<Recording, Broken> {
    let path = place(scenario);
    if let Err(error) = fs::metadata(&path)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Err(Broken::Missing(path));
    }
    let text = read_text(&path).map_err(Broken::Unreadable)?;
    Recording::parse(&text).map_err(|(line, what)| Broken::Line(path, line, what))
}

impl Recording {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The first line that is wrong, counted from 1, and what was expected there.
    pub fn parse(text: &str) -> Result<Recording, (usize, String)> {
        let mut lines = text.split_inclusive('\n').enumerate();
        let mut head = |begin: &str, digits: usize| {
            let (at, line) = lines.next().unwrap_or((0, ""));
            line.strip_prefix(begin)
                .and_then(|rest| rest.strip_suffix('\n'))
                .filter(|rest| digits == 0 || is_hex(rest, digits))
                .map(str::to_owned)
                .ok_or_else(|| match digits {
                    0 => (at + 1, begin.to_owned()),
                    _ => (at + 1, format!("{begin}and {digits} hex digits")),
                })
        };
        let format = format!("lguest recording {FORMAT}");
        if !head(&format, 0)?.is_empty() {
            return Err((1, format));
        }
        let original = head("original ", 64)?;
        let scenario = head("scenario ", 16)?;
        let scenario = u64::from_str_radix(&scenario, 16).unwrap_or_default();
        let mut modes: Vec<(PagingMode, String, usize)> = Vec::new();
        for (at, line) in lines {
            let begins = [PagingMode::NoPae, PagingMode::Pae]
                .into_iter()
                .find(|mode| line.strip_suffix('\n') == Some(&heading(*mode)));
            match (begins, modes.last_mut()) {
                (Some(mode), None) => modes.push((mode, String::new(), at + 1)),
                (Some(PagingMode::Pae), Some((PagingMode::NoPae, ..))) => {
                    modes.push((PagingMode::Pae, String::new(), at + 1));
                }
                (None, Some((_, lines, _))) => lines.push_str(line),
                (None, None) => return Err((at + 1, "mode nopae or mode pae".into())),
                (Some(_), Some(_)) => return Err((at + 1, "no further mode".into())),
            }
        }
        Ok(Recording {
            original,
            scenario,
            modes,
        })
    }

    /// The lines for a mode, and the number of lines of the file before them.
    pub fn of(&self, mode: PagingMode) -> Option<(&str, usize)> {
        self.modes
            .iter()
            .find(|(of, ..)| *of == mode)
            .map(|(_, lines, before)| (&lines[..], *before))
    }
}

fn heading(mode: PagingMode) -> String {
    format!("mode {}", mode_name(mode))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Recording {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "lguest recording {FORMAT}")?;
        writeln!(to, "original {}", self.original)?;
        writeln!(to, "scenario {:016x}", self.scenario)?;
        for (mode, lines, _) in &self.modes {
            writeln!(to, "{}", heading(*mode))?;
            to.write_str(lines)?;
        }
        Ok(())
    }
}
