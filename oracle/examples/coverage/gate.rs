// SPDX-License-Identifier: GPL-2.0-or-later
//! The gate: what coverage must be, as `corpora/UNREACHED.md` and `corpora/COVERAGE` say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::profile::{Arm, Covered};

/// A row of the list: an arm that no sequence can take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The line of the original.
    pub line: u64,
    /// Which of its conditions, from 1.
    pub condition: usize,
    /// The direction that is never taken.
    pub when: bool,
    /// It holds with two levels.
    pub nopae: bool,
    /// It holds with three.
    pub pae: bool,
}

/// Reads the table of a Markdown file whose rows begin with a line's number: `| 857, 902 | both | true | … |`.
///
/// Of a line with several conditions `551.2` names the second one.
///
/// # Errors
/// A row is of another form; the row.
pub fn listed(markdown: &str) -> Result<Vec<Listed>, String> {
    let mut found = Vec::new();
    for row in markdown.lines().filter(|row| row.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if !cells
            .get(1)
            .is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
        {
            continue;
        }
        let broken = || format!("not a row of lines, mode and true or false: {row}");
        let (nopae, pae) = match *cells.get(2).ok_or_else(broken)? {
            "two levels" => (true, false),
            "PAE" => (false, true),
            "both" => (true, true),
            _ => return Err(broken()),
        };
        let when = match *cells.get(3).ok_or_else(broken)? {
            "true" => true,
            "false" => false,
            _ => return Err(broken()),
        };
        for place in cells[1].split(',').map(str::trim) {
            let (line, condition) = place.split_once('.').unwrap_or((place, "1"));
            found.push(Listed {
                line: line.parse().map_err(|_| broken())?,
                condition: condition.parse().map_err(|_| broken())?,
                when,
                nopae,
                pae,
            });
        }
    }
    if found.is_empty() {
        return Err("the list has no row".into());
    }
    Ok(found)
}

/// Arms that are not taken and not listed, and those that are listed and taken, or not there.
pub fn complaints(mode: &str, arms: &[Arm], listed: &[Listed]) -> Vec<String> {
    let of_mode = |row: &&Listed| if mode == "pae" { row.pae } else { row.nopae };
    let same = |arm: &Arm, row: &Listed| {
        (arm.line, arm.condition, arm.when) == (row.line, row.condition, row.when)
    };
    let name =
        |line, condition, when| format!("{mode}: line {line}, condition {condition}, {when}");
    let mut said = Vec::new();
    for arm in arms.iter().filter(|arm| arm.taken == 0) {
        if !listed.iter().filter(of_mode).any(|row| same(arm, row)) {
            let arm = name(arm.line, arm.condition, arm.when);
            said.push(format!("{arm}: never taken, and not listed"));
        }
    }
    for row in listed.iter().filter(of_mode) {
        let row_name = name(row.line, row.condition, row.when);
        match arms.iter().find(|arm| same(arm, row)) {
            None => said.push(format!("{row_name}: listed, and there is no such arm")),
            Some(arm) if arm.taken != 0 => {
                said.push(format!("{row_name}: listed, and taken {} times", arm.taken));
            }
            _ => {}
        }
    }
    said
}

/// Figures by name, in the order of names.
pub type Figures = BTreeMap<String, Covered>;

/// The figures as they are checked in: `NAME: REACHED of TOTAL` on each line.
pub fn print(figures: &Figures) -> String {
    let mut text = String::new();
    for (name, covered) in figures {
        // A String takes whatever is written to it.
        let _ = writeln!(text, "{name}: {} of {}", covered.reached, covered.total);
    }
    text
}

/// Reads them back.
///
/// # Errors
/// A line is of another form; the line.
pub fn parse(text: &str) -> Result<Figures, String> {
    text.lines()
        .map(|line| {
            let (name, numbers) = line.split_once(": ")?;
            let (reached, total) = numbers.split_once(" of ")?;
            let (reached, total) = (reached.parse().ok()?, total.parse().ok()?);
            Some((name.to_owned(), Covered { reached, total }))
        })
        .zip(text.lines())
        .map(|(figure, line)| figure.ok_or_else(|| format!("not a figure: {line}")))
        .collect()
}

/// Figures of which more is missed than before, or that are gone.
pub fn fallen(now: &Figures, before: &Figures) -> Vec<String> {
    before
        .iter()
        .filter_map(|(name, old)| match now.get(name) {
            None => Some(format!("{name}: is not there any more")),
            Some(new) if new.missed() > old.missed() => Some(format!(
                "{name}: {} of {} are missed, {} were before",
                new.missed(),
                new.total,
                old.missed()
            )),
            _ => None,
        })
        .collect()
}
