// SPDX-License-Identifier: GPL-2.0-or-later
//! What llvm-cov exports: lines and arms with their counts.

use std::collections::BTreeMap;

use serde_json::Value;

/// One direction of a condition of the original.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Arm {
    /// The line of the original that the condition stands on, or the macro that it is in.
    pub line: u64,
    /// Which of that line's conditions, from 1, from left to right.
    pub condition: usize,
    /// The direction: what the condition is then.
    pub when: bool,
    /// Times that it was taken.
    pub taken: u64,
}

/// Covered things, and all that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Covered {
    /// Those that were reached.
    pub reached: u64,
    /// All of them.
    pub total: u64,
}

impl Covered {
    /// One more.
    pub fn add(&mut self, taken: bool) {
        self.reached += u64::from(taken);
        self.total += 1;
    }

    /// Those that were not reached.
    pub fn missed(self) -> u64 {
        self.total.saturating_sub(self.reached)
    }
}

/// Numbers of an array, as llvm-cov has them: places, counts, files, kind.
fn numbers(value: &Value) -> Vec<u64> {
    let array = value.as_array().map(Vec::as_slice).unwrap_or_default();
    array
        .iter()
        .map(|n| n.as_u64().unwrap_or_default())
        .collect()
}

/// The kind of a region that a macro was expanded in.
const EXPANSION: u64 = 1;

/// All arms of the one source whose name ends with `source`, from an export as JSON.
///
/// A condition in a macro belongs to the line that uses the macro, as often as it is used. Those of inlined functions
/// are not the original's own. `read` gives the text of a file; a constant for a condition, as in `while (0)`, has no
/// arms.
///
/// # Errors
/// The export is not of the form that is known.
pub fn arms(
    export: &Value,
    source: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Arm>, String> {
    let functions = export["data"][0]["functions"]
        .as_array()
        .ok_or("no functions in the export")?;
    let mut texts = BTreeMap::new();
    // Place in the original (a macro's conditions in their order there), and the counts of true and false.
    let mut conditions = BTreeMap::new();
    for function in functions {
        let files: Vec<&str> = function["filenames"]
            .as_array()
            .ok_or("a function without files")?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let regions: Vec<Vec<u64>> = function["regions"]
            .as_array()
            .ok_or("a function without regions")?
            .iter()
            .map(numbers)
            .collect();
        for branch in function["branches"].as_array().into_iter().flatten() {
            let [line, column, line_end, column_end, yes, no, file, ..] = numbers(branch)[..]
            else {
                return Err(format!("a branch of another form: {branch}"));
            };
            let name = *files.get(file as usize).ok_or("a file that is not there")?;
            let text = texts
                .entry(name)
                .or_insert_with(|| read(name).unwrap_or_default());
            if line == line_end && is_constant(text, line, column, column_end) {
                continue;
            }
            let Some((at, at_column)) = used_at(&regions, &files, source, file, (line, column))
            else {
                continue;
            };
            let counts = conditions
                .entry((at, at_column, file != 0, line, column))
                .or_insert((0, 0));
            *counts = (counts.0 + yes, counts.1 + no);
        }
    }
    let mut arms: Vec<Arm> = Vec::new();
    for ((line, ..), (yes, no)) in conditions {
        let condition = match arms.last() {
            Some(last) if last.line == line => last.condition + 1,
            _ => 1,
        };
        for (when, taken) in [(true, yes), (false, no)] {
            arms.push(Arm {
                line,
                condition,
                when,
                taken,
            });
        }
    }
    if arms.is_empty() {
        return Err(format!("no branch of {source} in the export"));
    }
    Ok(arms)
}

/// Where in the source a place in `file` comes from: out of the expansions of macros, one by one.
fn used_at(
    regions: &[Vec<u64>],
    files: &[&str],
    source: &str,
    mut file: u64,
    mut place: (u64, u64),
) -> Option<(u64, u64)> {
    for _ in 0..=files.len() {
        if files.get(file as usize)?.ends_with(source) {
            return Some(place);
        }
        let around = regions
            .iter()
            .find(|r| r.len() > 7 && r[7] == EXPANSION && r[6] == file)?;
        place = (around[0], around[1]);
        file = around[5];
    }
    None
}

fn is_constant(text: &str, line: u64, from: u64, to: u64) -> bool {
    let condition = text
        .lines()
        .nth(line as usize - 1)
        .and_then(|line| line.get(from as usize - 1..to as usize - 1));
    condition.is_some_and(|condition| condition.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lines and arms of an export in lcov's form, and the missed lines by file.
#[derive(Default)]
pub struct Lcov {
    /// Lines that hold code.
    pub lines: Covered,
    /// Arms of branches, as the compiler gave them.
    pub arms: Covered,
    /// Lines that were never run.
    pub missed: BTreeMap<String, Vec<u64>>,
}

/// Reads an export in lcov's form.
///
/// # Errors
/// It holds no line of code.
pub fn lcov(text: &str) -> Result<Lcov, String> {
    let mut found = Lcov::default();
    let mut file = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("SF:") {
            file = name;
        } else if let Some(data) = line.strip_prefix("DA:") {
            let (line, count) = data.split_once(',').ok_or("a DA line of another form")?;
            found.lines.add(count != "0");
            if count == "0" {
                let line = line.parse().map_err(|_| "a DA line without a number")?;
                found.missed.entry(file.to_owned()).or_default().push(line);
            }
        } else if let Some(data) = line.strip_prefix("BRDA:") {
            let count = data.rsplit(',').next().unwrap_or_default();
            found.arms.add(!matches!(count, "0" | "-"));
        }
    }
    if found.lines.total == 0 {
        return Err("no line of code in the export".into());
    }
    Ok(found)
}
