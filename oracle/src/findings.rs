// SPDX-License-Identifier: GPL-2.0-or-later
//! The findings: faults of the original that are known, and how each shows.

use lguest_engine::Left;
use lguest_shadow::BugKind;

use crate::drive::End;

/// How a finding shows at the end of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    /// The host crashes so.
    Bug(BugKind),
    /// The guest cannot be made, and tables stay behind.
    LeftByStart,
    /// References stay behind, each taken for an entry that was then stored as absent.
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
                left.tables == 0 && left.references == *orphaned
            }
            _ => false,
        }
    }
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
