// SPDX-License-Identifier: GPL-2.0-or-later
//! Holds a side's lines to those that were recorded of the original.

use std::fmt;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;
use similar::TextDiff;

use super::file::{Broken, place, read, scenario_digest};
use crate::rig::{mode_name, modes};
use crate::scenario_buf::ScenarioBuf;

/// Why a side and a recording do not go together.
#[derive(Debug)]
pub enum Fault {
    /// There is none, or its file is none.
    Broken(Broken),
    /// It is of another original than the pinned one; the file and the line of the header.
    OtherOriginal(PathBuf, String),
    /// The scenario was edited since.
    Stale(PathBuf),
    /// It has not just the modes that the scenario is for.
    OtherModes(PathBuf),
    /// The side did otherwise.
    Otherwise {
        /// The recording.
        path: PathBuf,
        /// The first line of the file that is not as found, from 1.
        line: usize,
        /// A unified diff, `-` as recorded, `+` as found.
        diff: String,
    },
}

impl Fault {
    /// There is no recording at all.
    pub fn is_missing(&self) -> bool {
        matches!(self, Fault::Broken(Broken::Missing(_)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Broken(broken) => write!(to, "{broken}"),
            Fault::OtherOriginal(path, sha256) => write!(
                to,
                "{}:2: expected original {}, found {sha256}",
                path.display(),
                pinned()
            ),
            Fault::Stale(path) => write!(
                to,
                "{}:3: the scenario is not the one that was recorded: it was edited since",
                path.display()
            ),
            Fault::OtherModes(path) => write!(
                to,
                "{}: expected the modes that the scenario is for",
                path.display()
            ),
            Fault::Otherwise { path, line, diff } => {
                write!(to, "{}:{line}: not as recorded\n{diff}", path.display())
            }
        }
    }
}

/// SHA-256 of the original that this project is about.
fn pinned() -> &'static str {
    include_str!("../../../c-reference/upstream.toml")
        .lines()
        .find_map(|line| line.strip_prefix("sha256 = \"")?.strip_suffix('"'))
        .unwrap_or_default()
}

/// Holds `found`, the lines of `side` in one mode, to the recording of the scenario in `file`.
///
/// # Errors
/// What is wrong.
pub fn hold(
    file: &Path,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    side: &str,
    found: &str,
) -> Result<(), Fault> {
    let path = place(file);
    let recording = read(file).map_err(Fault::Broken)?;
    if recording.original != pinned() {
        return Err(Fault::OtherOriginal(path, recording.original));
    }
    if recording.scenario != scenario_digest(scenario) {
        return Err(Fault::Stale(path));
    }
    let recorded = recording.modes.iter().map(|(mode, ..)| *mode);
    if !recorded.eq(modes(scenario.machine.mode).iter().copied()) {
        return Err(Fault::OtherModes(path));
    }
    let (lines, before) = recording.of(mode).unwrap_or_default();
    if lines == found {
        return Ok(());
    }
    let alike = lines
        .split('\n')
        .zip(found.split('\n'))
        .take_while(|(a, b)| a == b)
        .count();
    let name = format!("recorded of the original, {}", mode_name(mode));
    Err(Fault::Otherwise {
        path,
        line: before + alike + 1,
        diff: TextDiff::from_lines(lines, found)
            .unified_diff()
            .context_radius(1)
            .header(&name, side)
            .to_string(),
    })
}
