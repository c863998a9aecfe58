// SPDX-License-Identifier: GPL-2.0-or-later
//! The findings: faults of the original that are known, and how each shows.

use lguest_engine::Left;
use lguest_shadow::{BugKind, Fix};

use crate::class::{Class, Kind};
use crate::drive::End;
use crate::watch::{Breach, Oracle, justified, memory, references, switcher, told};

/// How a finding shows at the end of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    /// The host crashes so.
    Bug(BugKind),
    /// The guest cannot be made, and tables stay behind.
    LeftByStart,
    /// References stay behind, each taken for an entry that was then stored as absent; fewer than were taken so where
    /// C2 gave some of them back. Of which call they come the oracles tell, by frame.
    Orphans,
}

/// Each finding by its id; `corpora/findings` has a scenario or more for each.
const FINDINGS: [(&str, Shows); 6] = [
    ("C1", Shows::Bug(BugKind::OutsidePage)),
    ("C2", Shows::Bug(BugKind::PutNotHeld)),
    ("C3", Shows::Bug(BugKind::NullEntry)),
    ("C18", Shows::Bug(BugKind::Lockup)),
    ("C7b", Shows::LeftByStart),
    ("C23", Shows::Orphans),
];

impl Shows {
    fn in_end(self, end: &End) -> bool {
        match (self, end) {
            (Shows::Bug(kind), End::Bug(bug)) => bug.kind() == kind,
            (Shows::LeftByStart, End::NoGuest(_, left)) => left.tables != 0 && left.references == 0,
            (Shows::Orphans, End::Breach(left, orphaned)) => {
                left.tables == 0 && (1..=*orphaned).contains(&left.references)
            }
            _ => false,
        }
    }
}

/// The ids of all findings, in order.
pub const IDS: [&str; 12] = [
    "C1", "C2", "C3", "C7b", "C9", "C17", "C18", "C23", "C24", "C25", "C26", "C27",
];

/// How a finding shows to the oracles.
struct Told {
    id: &'static str,
    oracle: Oracle,
    /// The verbs at which it arises; any if there is none.
    verbs: &'static [&'static str],
    what: &'static str,
    /// It is what comes of the same finding, told before.
    comes_of_it: bool,
}

const fn cause(
    id: &'static str,
    oracle: Oracle,
    verbs: &'static [&'static str],
    what: &'static str,
) -> Told {
    Told {
        id,
        oracle,
        verbs,
        what,
        comes_of_it: false,
    }
}

const fn outcome(id: &'static str, verbs: &'static [&'static str], what: &'static str) -> Told {
    Told {
        comes_of_it: true,
        ..cause(id, Oracle::Crash, verbs, what)
    }
}

/// Calls that pin the stack.
const PINNING: &[&str] = &[
    "SET_STACK",
    "FLUSH_TLB",
    "SET_PMD",
    "LGUEST_INIT",
    "NEW_PGTABLE",
];
/// Steps in which the guest runs.
const RUNNING: &[&str] = &["run", "access"];

const TOLD: &[Told] = &[
    cause("C1", Oracle::Crash, &["SET_PGD"], "outside_page"),
    cause("C2", Oracle::References, &["SET_PTE"], references::OUTLIVES),
    outcome("C2", &[], "put_not_held"),
    cause("C3", Oracle::Switcher, &["SET_PGD"], switcher::LOST),
    outcome("C3", RUNNING, "null_entry"),
    cause(
        "C9",
        Oracle::Told,
        &["FLUSH_TLB", "NEW_PGTABLE"],
        told::OUTLIVED,
    ),
    cause("C17", Oracle::Told, &["SET_PTE", "SET_PGD"], told::TWIN),
    cause("C18", Oracle::Crash, PINNING, "lockup"),
    cause("C23", Oracle::References, &["SET_PTE"], references::ORPHAN),
    cause("C24", Oracle::Switcher, RUNNING, switcher::READ_ONLY),
    cause("C25", Oracle::Justified, &["SET_PTE"], justified::WRITABLE),
    cause("C25", Oracle::Justified, &["SET_PTE"], justified::UNASKED),
    cause("C26", Oracle::Switcher, RUNNING, switcher::NO_TEXT),
    cause("C27", Oracle::Memory, &["access"], memory::STALE),
];

/// The finding that explains the `i`-th of the breaches of a scenario, if one does.
pub fn explains_breach(breaches: &[Breach], i: usize) -> Option<&'static str> {
    let breach = breaches.get(i)?;
    let is = |told: &&Told| {
        told.oracle == breach.oracle
            && told.what == breach.what
            && (told.verbs.is_empty() || told.verbs.contains(&breach.verb))
            && (!told.comes_of_it || (0..i).any(|j| explains_breach(breaches, j) == Some(told.id)))
    };
    TOLD.iter().find(is).map(|told| told.id)
}

/// The breaches of a scenario that no finding explains.
pub fn unexplained(breaches: &[Breach]) -> impl Iterator<Item = &Breach> {
    (0..breaches.len())
        .filter(|i| explains_breach(breaches, *i).is_none())
        .map(|i| &breaches[i])
}

/// Findings that no fix mends. C27: without word from the host of each copy-on-write break, a cure would have to have
/// every page for writing that is only read; and nobody but the guest reads what it overwrote.
pub const KEPT: &[&str] = &["C27"];

/// The breaches of a scenario on the hardened port that nothing which it keeps explains, each with the finding that it
/// would show on a port without fixes.
pub fn unmended(breaches: &[Breach]) -> impl Iterator<Item = (&Breach, Option<&'static str>)> {
    let explained = |i| (&breaches[i], explains_breach(breaches, i));
    (0..breaches.len())
        .map(explained)
        .filter(|(_, id)| id.is_none_or(|id| !KEPT.contains(&id)))
}

/// The fix that mends a finding; none if it is kept.
pub fn mended_by(id: &str) -> Option<Fix> {
    match id {
        // Another end of what C3 begins.
        "C26" => Some(Fix::C3),
        _ => Fix::ALL.into_iter().find(|fix| fix.id() == id),
    }
}

/// The finding that a class looks like, if one does.
pub fn like(class: &Class) -> Option<&'static str> {
    let told = TOLD.iter().find(|told| {
        let (kind, observable) = told.oracle.observable(told.what);
        kind == class.kind
            && observable == class.observable
            && (told.verbs.is_empty() || told.verbs.contains(&class.verb))
    });
    let shows = |(_, shows): &&(&str, Shows)| match shows {
        Shows::Bug(kind) => class.kind == Kind::HostBug && class.observable == kind.name(),
        Shows::LeftByStart => {
            (class.verb, class.observable.as_str()) == ("init_guest_pagetable", "tables are left")
        }
        Shows::Orphans => {
            (class.verb, class.observable.as_str()) == ("destroy", "references are left")
        }
    };
    let shown = || FINDINGS.iter().find(shows).map(|(id, _)| *id);
    told.map(|told| told.id).or_else(shown)
}

/// The findings that explain something of a scenario: what the oracles told of it, or what it left behind.
pub fn causes<'a>(end: &'a End, breaches: &'a [Breach]) -> impl Iterator<Item = &'static str> + 'a {
    let told = |id: &&'static str| is_told(id, breaches) || explains(end) == Some(id);
    IDS.into_iter().filter(told)
}

/// Whether the finding of this id shows among the breaches.
pub fn is_told(id: &str, breaches: &[Breach]) -> bool {
    (0..breaches.len()).any(|i| explains_breach(breaches, i) == Some(id))
}

/// Whether a scenario's end is what the finding of this id looks like.
pub fn shows(id: &str, end: &End) -> bool {
    FINDINGS
        .iter()
        .any(|(known, shows)| *known == id && shows.in_end(end))
}

/// The findings that show as a scenario's end does.
pub fn shown(end: &End) -> impl Iterator<Item = &'static str> {
    FINDINGS
        .iter()
        .filter(move |(_, shows)| shows.in_end(end))
        .map(|(id, _)| *id)
}

/// The finding that explains what a scenario leaves behind, if one does.
pub fn explains(end: &End) -> Option<&'static str> {
    FINDINGS
        .iter()
        .find(|(_, shows)| !matches!(shows, Shows::Bug(_)) && shows.in_end(end))
        .map(|(id, _)| *id)
}

/// Whether some finding looks like a scenario's end.
pub fn known(end: &End) -> bool {
    FINDINGS.iter().any(|(_, shows)| shows.in_end(end))
}

/// Whether the host comes to harm, known or not.
pub fn harms(end: &End) -> bool {
    match end {
        End::Lived | End::Killed => false,
        End::NoGuest(_, left) => *left != Left::default(),
        End::Bug(_) | End::Breach(..) => true,
    }
}
