// SPDX-License-Identifier: GPL-2.0-or-later
//! What a scenario that was found is called, and the comment above it: both are made of what it stays for.

use std::collections::BTreeSet;

use lguest_engine::PagingMode;

use super::feature::{Feature, Sort};
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;
use crate::text::print;

/// How the name of a file begins whose scenario no person wrote.
pub const FOUND: &str = "found-";
/// Characters of the words in a name, about.
const LONGEST: usize = 56;
/// Features that a comment names.
const NAMED: usize = 6;

/// A name for a scenario that stays for these features, the most telling first; none of those `taken`, to which it is
/// added.
pub fn name(
    scenario: &ScenarioBuf,
    stays_for: &[&Feature],
    taken: &mut BTreeSet<String>,
) -> String {
    let mode = scenario.machine.mode;
    let mut name = FOUND.to_owned();
    if mode != PagingMode::Both {
        name.push_str(mode_name(mode));
        name.push('-');
    }
    match stays_for.first() {
        // An edge's number is that of one build.
        Some(first) if first.sort == Sort::Edge => {
            let verb = crate::class::verb_name(scenario.steps.last());
            name.push_str(&slug(&format!("{verb} takes a path of its own")));
        }
        Some(first) => name.push_str(&slug(&first.words)),
        None => name.push_str("scenario"),
    }
    let mut unique = name.clone();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{name}-{number}");
        number += 1;
    }
    unique
}

/// Words as they stand in a file's name.
fn slug(words: &str) -> String {
    let mut out = String::new();
    for word in words.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        if out.len() + word.len() > LONGEST {
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word.to_ascii_lowercase());
    }
    out
}

/// The text of a scenario that was found, below a comment that says what it stays for.
#[must_use]
pub fn text(scenario: &ScenarioBuf, stays_for: &[&Feature], minimal: bool) -> String {
    let sort = |sort: Sort| stays_for.iter().filter(move |f| f.sort == sort).count();
    let (edges, states) = (sort(Sort::Edge), sort(Sort::State));
    let said: Vec<_> = stays_for
        .iter()
        .filter(|f| !matches!(f.sort, Sort::Edge | Sort::State))
        .collect();
    let mut out = String::from("# Found by fuzzing; no other scenario shows\n");
    for feature in said.iter().take(NAMED) {
        out.push_str(&format!("# * {feature}\n"));
    }
    for (count, what) in [
        (said.len().saturating_sub(NAMED), "more of that sort"),
        (edges, "edges of the original's code"),
        (states, "abstract states"),
    ] {
        if count != 0 {
            out.push_str(&format!("# * {count} {what}\n"));
        }
    }
    if !minimal {
        out.push_str("# not minimal: time\n");
    }
    out.push_str(&print(scenario));
    out
}
