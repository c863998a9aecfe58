// SPDX-License-Identifier: GPL-2.0-or-later
//! The verdict on a scenario file: do original and port agree, and did it come as the file expects?

use std::fmt;
use std::path::Path;

use lguest_engine::{Care, PagingMode, Verb};
use lguest_shadow::Mixed;

use crate::drive::{Counts, Drive, End, Given, Run, run};
use crate::exit::Exit;
use crate::findings;
use crate::hardened;
use crate::load::{LoadError, Why};
use crate::recording::{self, Fault, of_port};
use crate::report::{Divergence, investigate};
use crate::rig::{Hosts, Subject};
use crate::scenario_buf::ScenarioBuf;
use crate::trace::lanes::{Lanes, lanes};
use crate::trace::verify::replay;
use crate::trace::{Detail, Failure, Import, Item, Reader, TraceError};
use crate::watch::{Breach, Often, Watchable, Watched};

/// What became of a scenario in one mode.
pub enum Verdict {
    /// It came as expected.
    Pass(Counts, End),
    /// The sides differ.
    Differ(Box<Divergence>),
    /// A side does otherwise than was recorded on another host, or the sides differ on the way.
    Otherwise(Box<Failure>),
    /// The sides agree, but it should do harm to the host, as a finding says, and does not.
    FindingGone(End),
    /// The sides agree, and it does harm to the host that the file does not name.
    Unexplained(End),
    /// The sides agree, and an oracle tells of a fault of both that no finding explains.
    Breach(Breach, PagingMode),
    /// The sides differed, and did not when run again: the rig is broken.
    Unsteady,
    /// There is no original to compare with.
    NoOriginal,
    /// There is none, and the port does in so many steps what was recorded of it.
    AsRecorded(usize),
    /// There is none, and the port and the recording do not go together.
    NotAsRecorded(Box<Fault>),
}

impl Verdict {
    /// It came as expected.
    pub fn passed(&self) -> bool {
        matches!(self, Verdict::Pass(..) | Verdict::AsRecorded(_))
    }

    /// There was something to hold a side to.
    pub fn tested(&self) -> bool {
        match self {
            Verdict::NoOriginal => false,
            Verdict::NotAsRecorded(fault) => !fault.is_missing(),
            _ => true,
        }
    }

    /// Results recorded on another host that were verified on each side.
    pub fn verified(&self) -> u64 {
        match self {
            Verdict::Pass(counts, _) => counts.verified,
            _ => 0,
        }
    }

    /// How a command ends that came to it.
    pub fn exit(&self) -> Exit {
        match self {
            Verdict::Pass(..) | Verdict::AsRecorded(_) => Exit::Agree,
            Verdict::Differ(_)
            | Verdict::Otherwise(_)
            | Verdict::Unexplained(_)
            | Verdict::Breach(..)
            | Verdict::NotAsRecorded(_) => Exit::Differ,
            Verdict::FindingGone(_) => Exit::FindingGone,
            Verdict::Unsteady => Exit::Rig,
            Verdict::NoOriginal => Exit::Nothing,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass(counts, end) if counts.verified != 0 => write!(
                to,
                "agree: {} steps, {} recorded results and {} reads verified, {end}",
                counts.steps, counts.verified, counts.reads
            ),
            Verdict::Pass(counts, end) => write!(to, "agree: {} steps, {end}", counts.steps),
            Verdict::Otherwise(failure) => write!(to, "OTHERWISE\n{failure}"),
            Verdict::Differ(found) => write!(to, "DIFFER\n{}", found.text),
            Verdict::FindingGone(end) => write!(to, "the finding does not show: {end}"),
            Verdict::Unexplained(end) => {
                write!(to, "harm to the host that no finding explains: {end}")
            }
            Verdict::Breach(breach, mode) => write!(to, "BREACH\n{}", breach.text(*mode)),
            Verdict::Unsteady => {
                write!(to, "differed once and not again: the rig itself is broken")
            }
            Verdict::NoOriginal => write!(to, "there is no original to compare with"),
            Verdict::AsRecorded(lines) => write!(to, "as recorded: {lines} lines"),
            Verdict::NotAsRecorded(fault) => write!(to, "NOT AS RECORDED\n{fault}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Lived => write!(to, "the guest lived"),
            End::Killed => write!(to, "the guest was killed"),
            End::Bug(bug) => write!(to, "the host crashes ({})", bug.kind().name()),
            End::NoGuest(errno, left) => {
                write!(
                    to,
                    "no guest (errno {errno}); left: {} tables, {} references",
                    left.tables, left.references
                )
            }
            End::Breach(left, _) => write!(
                to,
                "left behind: {} tables, {} references",
                left.tables, left.references
            ),
        }
    }
}

/// What came of a scenario.
pub struct OfScenario {
    /// What became of it.
    pub verdict: Verdict,
    /// The hardened port ran, and parted from the original by these fixes; none if it did not part.
    pub hardened: Option<u32>,
}

/// Runs a scenario on both sides in one mode, with everything compared after each step, and then on the hardened port.
pub fn verify(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Verdict {
    verify_all(hosts, scenario, mode).verdict
}

/// The same, and what the hardened port did.
pub fn verify_all(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> OfScenario {
    let verdict = verify_both(hosts, scenario, mode);
    if !verdict.passed() {
        let hardened = None;
        return OfScenario { verdict, hardened };
    }
    let of = verify_hardened(hosts, scenario, mode, 0);
    match of.verdict {
        Verdict::Pass(..) => OfScenario { verdict, ..of },
        _ => of,
    }
}

/// Runs a scenario on the port with its fixes but those in the mask `without`, as far as it agrees side by side with
/// the original: it passes if the oracles tell of nothing that is not kept on purpose, the host takes no harm, and its
/// fixes explain where the two part.
pub fn verify_hardened(
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    without: u32,
) -> OfScenario {
    let fixes = Mixed::ALL.without(without);
    let care = care_for(scenario);
    let Some(verified) = hardened::verify(hosts, scenario, mode, fixes, care) else {
        return OfScenario {
            verdict: Verdict::NoOriginal,
            hardened: None,
        };
    };
    let judged = verified.judged;
    let hardened = Some(judged.fixes.unwrap_or(0));
    let first = judged.breaches.into_iter().next().map(Box::new);
    let verdict = match first.or(judged.difference) {
        _ if judged.unsteady => Verdict::Unsteady,
        Some(found) => Verdict::Differ(found),
        None => Verdict::Pass(verified.counts, verified.end),
    };
    OfScenario { verdict, hardened }
}

/// Runs a scenario on both sides in one mode, with everything compared after each step.
pub fn verify_both(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Verdict {
    if scenario.steps.iter().any(|step| step.verb == Verb::Expect) {
        return verify_recorded(hosts, scenario, mode);
    }
    let run = match mode {
        PagingMode::Pae => hosts.pae(Care::Full).map(|both| watched(both, scenario)),
        _ => hosts.nopae(Care::Full).map(|both| watched(both, scenario)),
    };
    let Some((run, breaches)) = run else {
        return Verdict::NoOriginal;
    };
    let end = match run.end {
        Ok(end) => end,
        Err(_) => {
            return investigate(hosts, scenario, mode)
                .map_or(Verdict::Unsteady, |found| Verdict::Differ(Box::new(found)));
        }
    };
    if let Some(breach) = findings::unexplained(&breaches).next() {
        return Verdict::Breach(*breach, mode);
    }
    match scenario.machine.expect.id() {
        Some(id) if findings::is_told(id, &breaches) => Verdict::Pass(run.counts, end),
        _ => judge(scenario, run.counts, end),
    }
}

/// A scenario under the oracles, which look at everything after each step: how it ran, and what they told.
pub fn watched<D: Watchable>(drive: D, scenario: &ScenarioBuf) -> (Run, Vec<Breach>) {
    let mut drive = Watched::new(drive, Often::EachStep);
    let steps = &mut Given(scenario.steps.iter());
    let run = run(
        &mut drive,
        &scenario.machine,
        &scenario.pages,
        steps,
        |_, _, _| {},
    );
    (run, drive.breaches().to_vec())
}

/// Holds the port to the recording of the scenario in `file`, without the original.
pub fn verify_by_recording(
    hosts: &Hosts,
    file: &Path,
    scenario: &ScenarioBuf,
    mode: PagingMode,
) -> Verdict {
    let found = of_port(hosts, scenario, mode);
    match recording::hold(file, scenario, mode, "port", &found) {
        Ok(()) => Verdict::AsRecorded(found.lines().count()),
        Err(fault) => Verdict::NotAsRecorded(Box::new(fault)),
    }
}

fn judge(scenario: &ScenarioBuf, counts: Counts, end: End) -> Verdict {
    match scenario.machine.expect.id() {
        None if findings::harms(&end) => Verdict::Unexplained(end),
        Some(id) if !findings::shows(id, &end) => Verdict::FindingGone(end),
        _ => Verdict::Pass(counts, end),
    }
}

/// Steps up to which everything is compared after each.
const FEW: usize = 4096;

/// Everything after each step, where that can be borne.
fn care_for(scenario: &ScenarioBuf) -> Care {
    match scenario.steps.len() {
        0..=FEW => Care::Full,
        _ => Care::Cheap,
    }
}

/// The same for a scenario in which results of another host are recorded: both sides are held to them too.
fn verify_recorded(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Verdict {
    let Some(mut lanes) = lanes(hosts, Subject::Both, mode, care_for(scenario)) else {
        return Verdict::NoOriginal;
    };
    let mut items = (1..).zip(&scenario.steps).map(|(line, step)| {
        let step = *step;
        Ok(Item { line, step })
    });
    let reads =
        |step: &lguest_engine::Step| step.verb == Verb::Expect && step.args[0] == u32::from(b'r');
    let reads = scenario.steps.iter().any(reads);
    let (machine, pages) = (&scenario.machine, &scenario.pages);
    let Ok(done) = replay(&mut *lanes, machine, pages, &mut items, reads) else {
        return Verdict::Unsteady;
    };
    drop(lanes);
    let breach = findings::unexplained(&done.breaches).next();
    match (done.end, breach) {
        (Ok(_), Some(breach)) => Verdict::Breach(*breach, mode),
        (Ok(end), None) => judge(scenario, done.counts, end),
        (Err(failure), _) => otherwise(failure, || investigate(hosts, scenario, mode)),
    }
}

fn otherwise(failure: Failure, again: impl FnOnce() -> Option<Divergence>) -> Verdict {
    let found = match failure {
        Failure::Differ(..) => again(),
        Failure::Mismatch(_) => None,
    };
    match found {
        Some(found) => Verdict::Differ(Box::new(found)),
        None => Verdict::Otherwise(Box::new(failure)),
    }
}

/// What came of a trace.
pub struct OfTrace {
    /// The mode that it was recorded in.
    pub mode: PagingMode,
    /// What became of it; harm to the host is what was recorded, and none is missed.
    pub verdict: Verdict,
    /// What a reader should know, with the line.
    pub notes: Vec<(u64, String)>,
    /// The hardened port ran, and did otherwise than was recorded by these fixes.
    pub hardened: Option<u32>,
}

/// Replays a trace on both sides, or on the port alone if there is no original, and holds them to it; then the
/// hardened port, which must do as the real host did.
///
/// # Errors
/// It cannot be read, or is no trace that can be replayed.
pub fn verify_trace(hosts: &Hosts, path: &Path) -> Result<OfTrace, LoadError> {
    let sides = match lguest_c_reference::reference() {
        Some(_) => Subject::Both,
        None => Subject::Faithful,
    };
    let of = verify_trace_on(hosts, path, sides)?;
    if !of.verdict.passed() {
        return Ok(of);
    }
    let hardened = verify_trace_on(hosts, path, Subject::Hardened { without: 0 })?;
    if !hardened.verdict.passed() {
        return Ok(hardened);
    }
    // The importer's notes are the same in both.
    let mut notes = of.notes;
    for note in hardened.notes {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(OfTrace {
        verdict: of.verdict,
        notes,
        ..hardened
    })
}

/// Replays a trace on what `subject` names, and holds that to it.
///
/// # Errors
/// It cannot be read, or is no trace that can be replayed.
pub fn verify_trace_on(hosts: &Hosts, path: &Path, subject: Subject) -> Result<OfTrace, LoadError> {
    let broken = |error| LoadError::new(path, Why::Trace(error));
    let reader = Reader::open(path).map_err(|e| LoadError::new(path, Why::Unreadable(e)))?;
    let mut import = Import::new(reader, Detail::Reads).map_err(broken)?;
    let machine = import.machine;
    let (verdict, fixes) = match lanes(hosts, subject, machine.mode, Care::Cheap) {
        Some(mut lanes) => hold(&mut *lanes, &mut import, subject).map_err(broken)?,
        None => (Verdict::NoOriginal, 0),
    };
    Ok(OfTrace {
        mode: machine.mode,
        verdict,
        notes: import.notes,
        hardened: matches!(subject, Subject::Hardened { .. }).then_some(fixes),
    })
}

fn hold(
    lanes: &mut dyn Lanes,
    import: &mut Import,
    subject: Subject,
) -> Result<(Verdict, u32), TraceError> {
    let machine = import.machine;
    let done = replay(lanes, &machine, &[], import, true)?;
    let mut acted = 0;
    for (line, fixes) in done.departures {
        acted |= fixes;
        let what = format!(
            "the hardened port does otherwise than was recorded, by fix {}",
            hardened::names(fixes)
        );
        import.notes.push((line, what));
    }
    for (i, line) in done.told_at.iter().enumerate() {
        if let Some(id) = findings::explains_breach(&done.breaches, i) {
            let what = done.breaches[i].what;
            let note = format!("finding {id} shows: {what}");
            import.notes.push((*line, note));
        }
    }
    let breach = match subject {
        Subject::Hardened { .. } => findings::unmended(&done.breaches).next().map(|told| told.0),
        _ => findings::unexplained(&done.breaches).next(),
    };
    let verdict = match (done.end, breach) {
        (Err(failure), _) => otherwise(failure, || None),
        (Ok(_), Some(breach)) => Verdict::Breach(*breach, machine.mode),
        (Ok(end), None) => Verdict::Pass(done.counts, end),
    };
    Ok((verdict, acted))
}
