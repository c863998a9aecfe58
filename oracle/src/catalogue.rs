// SPDX-License-Identifier: GPL-2.0-or-later
//! The findings of the corpora: read with their headings, verified one by one, and put in a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lguest_engine::{Care, PagingMode};
use lguest_shadow::{Fix, Mixed};

use crate::class::Class;
use crate::drive::{Drive, Given, run};
use crate::exit::Exit;
use crate::findings::{explains_breach, mended_by};
use crate::hardened;
use crate::harm::{Crashed, class_of};
use crate::heading::{Heading, parse};
use crate::load::{find, load, read_text};
use crate::rig::{Hosts, mode_name};
use crate::scenario_buf::ScenarioBuf;
use crate::verify::{Verdict, verify_both, verify_hardened};
use crate::watch::{Breach, Often, Watchable, Watched};

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
    let Heading { id, fix, class, .. } = &finding.heading;
    let due = format!("{} {class}", mode_name(mode));
    if mended_by(id) != *fix {
        let what = format!("{id} is not what the fix of its heading is known to mend");
        return Err((what, Exit::FindingGone));
    }
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
    let original = original.map(|side| told(side, scenario, mode));
    let faithful = match pae {
        true => told(hosts.port_pae(), scenario, mode),
        false => told(hosts.port_nopae(), scenario, mode),
    };
    shows(
        "original",
        original.as_ref().and_then(|told| told.class(id)),
    )?;
    shows("faithful port", faithful.class(id))?;
    // The oracles say the same of both, and nothing besides that another fix would have to mend.
    if original.is_none_or(|told| told.breaches != faithful.breaches) {
        let what = "the oracles tell one thing of the original and another of the port";
        return Err((what.into(), Exit::FindingGone));
    }
    for i in 0..faithful.breaches.len() {
        let other = explains_breach(&faithful.breaches, i);
        if other.is_none_or(|other| mended_by(other) != *fix) {
            let class = faithful.breaches[i].class(mode);
            return Err((format!("shows besides: {class}"), Exit::FindingGone));
        }
    }
    let fine = |verdict: Verdict, what: &str| match verdict {
        Verdict::Pass(..) => Ok(()),
        other => Err((format!("{what}: {other}"), other.exit())),
    };
    fine(verify_both(hosts, scenario, mode), "original and port")?;
    fine(
        verify_hardened(hosts, scenario, mode, 0).verdict,
        "on the hardened port",
    )?;
    let run = |fixes| hardened::verify(hosts, scenario, mode, fixes, Care::Full);
    let kept = run(Mixed::ALL).is_some_and(|verified| verified.judged.kept);
    match fix {
        // The fix that is named is the one that mends it: with that alone off, it shows again.
        Some(fix) if !kept => {
            let without = run(Mixed::ALL.without(fix.bit()));
            let found = without.and_then(|verified| {
                let told = verified.judged.breaches.into_iter();
                let told = told.map(|found| found.class.to_string());
                let all: Vec<_> = verified
                    .harm
                    .iter()
                    .map(Class::to_string)
                    .chain(told)
                    .collect();
                let same = all.iter().find(|class| **class == due);
                same.or(all.first()).cloned()
            });
            shows("hardened port without its fix", found)
        }
        None if kept => Ok(()),
        Some(_) => Err(("still shows on the hardened port".into(), Exit::Differ)),
        None => Err((
            "is mended on the hardened port, and no fix is named".into(),
            Exit::FindingGone,
        )),
    }
}

/// What a scenario shows on one side.
struct Told {
    harm: Option<Class>,
    breaches: Vec<Breach>,
    mode: PagingMode,
}

impl Told {
    /// The class of the harm that it does, or else of the first breach that is the finding's.
    fn class(&self, id: &str) -> Option<String> {
        let of = |i: &usize| explains_breach(&self.breaches, *i) == Some(id);
        let first = (0..self.breaches.len()).find(of);
        let told = || first.map(|i| self.breaches[i].class(self.mode));
        self.harm
            .clone()
            .or_else(told)
            .map(|class| class.to_string())
    }
}

fn told<D: Watchable>(side: D, scenario: &ScenarioBuf, mode: PagingMode) -> Told {
    let mut drive = Watched::new(side, Often::EachStep);
    let mut crashed = Crashed::default();
    let done = run(
        &mut drive,
        &scenario.machine,
        &scenario.pages,
        &mut Given(scenario.steps.iter()),
        |_, step, outcome| crashed.see(step, outcome),
    );
    Told {
        harm: done.end.ok().and_then(|end| class_of(mode, &end, crashed)),
        breaches: drive.breaches().to_vec(),
        mode,
    }
}

/// What stands above the table.
const PREFACE: &str = "<!-- made by `cargo run --release -- findings`; the words are in the headings of the scenarios -->\n\
# Findings\n\
\n\
Faults of the original that harm its host or break what isolates a guest's parts from each other. Each scenario shows one\n\
on the original and on the faithful port alike, in the class that is named; the hardened port is free of it, and shows it\n\
again when the fix of that id, or the one named with it, is switched off. Where the fix is `none`, it is kept.\n\
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
        let id = match h.fix.map(Fix::id) {
            Some(fix) if fix == h.id => fix.to_owned(),
            fix => format!("{} (fix {})", h.id, fix.unwrap_or("none")),
        };
        let _ = writeln!(
            text,
            "| {id} | {} | {} | {} | {} | {} | {} | `{}` | [{}]({name}) |",
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
