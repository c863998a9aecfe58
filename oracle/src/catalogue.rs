// SPDX-License-Identifier: GPL-2.0-or-later
//! The findings of the corpora: read with their headings, verified one by one, and put in a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;

use crate::drive::{Drive, Given, run};
use crate::exit::Exit;
use crate::harm::{Crashed, class_of};
use crate::heading::{Heading, parse};
use crate::load::{find, load, read_text};
use crate::rig::{Hosts, mode_name};
use crate::scenario_buf::ScenarioBuf;
use crate::verify::{Verdict, verify_both, verify_hardened};

/// A finding and the scenario that shows it.
pub struct Finding {
    /// Its file.
    pub file: PathBuf,
    /// What its heading says.
    pub heading: Heading,
    /// The scenario.
    pub scenario: ScenarioBuf,
}

/// Reads all findings of a folder, by id and then by file.
///
/// # Errors
/// A file is none, or says one thing in its heading and another below.
pub fn read(folder: &Path) -> Result<Vec<Finding>, String> {
    let mut all = Vec::new();
    for file in find(folder).map_err(|error| error.to_string())? {
        let text = read_text(&file).map_err(|error| error.to_string())?;
        let heading = parse(&text).map_err(|error| format!("{}:{error}", file.display()))?;
        let scenario = load(&file).map_err(|error| error.to_string())?;
        let wrong = |what: String| Err(format!("{}: {what}", file.display()));
        if scenario.machine.expect.id() != Some(heading.id.as_str()) {
            return wrong(format!("expected `expect finding {}`", heading.id));
        }
        let mode = mode_name(scenario.machine.mode);
        if mode != heading.mode {
            return wrong(format!("the heading's mode is not the machine's, {mode}"));
        }
        all.push(Finding {
            file,
            heading,
            scenario,
        });
    }
    let number = |id: &str| -> String { id.chars().filter(char::is_ascii_digit).collect() };
    all.sort_by_key(|f| {
        let number: u32 = number(&f.heading.id).parse().unwrap_or(u32::MAX);
        (number, f.heading.id.clone(), f.file.clone())
    });
    Ok(all)
}

/// Checks one finding in one mode.
///
/// # Errors
/// What is wrong, and how the command ends for it.
pub fn verify(hosts: &Hosts, finding: &Finding, mode: PagingMode) -> Result<(), (String, Exit)> {
    let scenario = &finding.scenario;
    let due = format!("{} {}", mode_name(mode), finding.heading.class);
    let shows = |name: &str, got: Option<String>| match got {
        Some(class) if class == due => Ok(()),
        Some(class) => Err((
            format!("shows otherwise on the {name}: {class}; expected {due}"),
            Exit::FindingGone,
        )),
        None => Err((
            format!("no longer shows on the {name}; expected {due}"),
            Exit::FindingGone,
        )),
    };
    let pae = mode == PagingMode::Pae;
    let original = hosts.original_alone(pae);
    shows(
        "original",
        original.and_then(|mut side| harm_of(&mut side, scenario, mode)),
    )?;
    let faithful = match pae {
        true => harm_of(&mut hosts.port_pae(), scenario, mode),
        false => harm_of(&mut hosts.port_nopae(), scenario, mode),
    };
    shows("faithful port", faithful)?;
    let fine = |verdict: Verdict, what: &str| match verdict {
        Verdict::Pass(..) => Ok(()),
        other => Err((format!("{what}: {other}"), other.exit())),
    };
    fine(verify_both(hosts, scenario, mode), "original and port")?;
    fine(
        verify_hardened(hosts, scenario, mode, 0),
        "on the hardened port",
    )?;
    // The fix that is named is the one that mends it: with that alone off, it shows again.
    let without = finding.heading.fix.bit();
    let got = match verify_hardened(hosts, scenario, mode, without) {
        Verdict::Differ(found) => Some(found.class.to_string()),
        _ => None,
    };
    shows("hardened port without its fix", got)
}

/// The class of the harm that a scenario does on one side.
fn harm_of<D: Drive>(drive: &mut D, scenario: &ScenarioBuf, mode: PagingMode) -> Option<String> {
    let mut crashed = Crashed::default();
    let done = run(
        drive,
        &scenario.machine,
        &scenario.pages,
        &mut Given(scenario.steps.iter()),
        |_, step, outcome| crashed.see(step, outcome),
    );
    let class = class_of(mode, &done.end.ok()?, crashed)?;
    Some(class.to_string())
}

/// What stands above the table.
const PREFACE: &str = "<!-- made by `cargo run --release -- findings`; the words are in the headings of the scenarios -->\n\
# Findings\n\
\n\
Faults of the original that harm its host. Each scenario shows one on the original and on the faithful port alike, in\n\
the class that is named; the hardened port is free of it, and shows it again when the fix of that id is switched off.\n\
`lgdiff findings` checks all of this. What they mean for a host is told in [SECURITY.md](SECURITY.md).\n\n";

/// The findings as a table.
pub fn table(all: &[Finding]) -> String {
    let mut text = PREFACE.to_owned();
    text.push_str("| id | what | C lines | mode | who | the original | the hardened port | class | scenario |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for finding in all {
        let h = &finding.heading;
        let name = finding
            .file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        // A String takes whatever is written to it.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | `{}` | [{}]({name}) |",
            h.id,
            cell(&h.title),
            h.lines,
            h.mode,
            cell(&h.trigger),
            cell(&h.original),
            cell(&h.hardened),
            h.class,
            name.trim_end_matches(".scn")
        );
    }
    text
}

/// A text that can stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
