// SPDX-License-Identifier: GPL-2.0-or-later
//! A property of scenarios that a test found broken: the scenario that breaks it, made small and kept as a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Budget, Goal, minimize};
use crate::scenario_buf::ScenarioBuf;
use crate::text::print;
use crate::witness::write_whole;

/// Work that is spent on it at most: some seconds.
const WORK: u64 = 2_000_000;

/// Minimizes a scenario in which the goal shows that a property is broken, and writes it to `folder/NAME.scn` under
/// what `why` says of it: the path, and that.
///
/// # Errors
/// The file cannot be written.
pub fn keep(
    folder: &Path,
    name: &str,
    scenario: &ScenarioBuf,
    goal: &mut dyn Goal,
    why: &mut dyn FnMut(&ScenarioBuf) -> String,
) -> io::Result<(PathBuf, String)> {
    let budget = Budget {
        work: Some(WORK),
        ..Budget::default()
    };
    let smallest = minimize(scenario, goal, &budget, &|_| {})
        .map_or_else(|| scenario.clone(), |minimized| minimized.scenario);
    let why = why(&smallest);
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{name}.scn"));
    let mut text: String = why.lines().map(|line| format!("# {line}\n")).collect();
    text.push_str(&print(&smallest));
    write_whole(&path, text.as_bytes())?;
    Ok((path, why))
}
