// SPDX-License-Identifier: GPL-2.0-or-later
//! **References.** The references that the shadow code holds on a frame are the present entries that name it; nothing is
//! left when the guest is gone.
//!
//! To show: after each step, of each frame that a pin, a put or an entry touched, that the host's count is the number of
//! entries; in full, of every frame, and that every table that is held can be reached from a slot.

use lguest_engine::{Machinery, Side};

use super::doing::Doing;
use super::mirror::{Mirror, Touch};
use crate::sim::SimHost;

/// A count that is wrong: the frame, the references held, and what is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Wrong {
    /// The frame.
    pub pfn: u32,
    /// References held on it.
    pub held: i32,
    /// Who touched it first in this step.
    pub verb: Doing,
    /// What is wrong.
    pub what: &'static str,
}

/// An entry that was stored as absent although its page was pinned for it.
pub const ORPHAN: &str = "a reference was taken for an entry that is absent";
/// The reference of an entry was put back, and the entry stayed.
pub const OUTLIVES: &str = "an entry outlives its reference";
/// More references than entries for another reason.
pub const LEAKED: &str = "more references than entries";
/// A table that nobody can find.
pub const LOST_TABLE: &str = "a table is held that no slot leads to";

/// The first of the touched frames whose count is wrong; `orphans` were pinned for entries that are absent, `verb` says
/// what touched a frame.
pub fn touched(
    host: &SimHost,
    mirror: &Mirror,
    orphans: &[(u32, Doing)],
    verb: impl Fn(&Touch) -> Doing,
) -> Option<Wrong> {
    let wrong = |touch: &Touch| one(host, mirror, touch.pfn, || verb(touch), orphans);
    mirror.touched.iter().filter_map(wrong).next()
}

/// The counts of all touched frames are right, and each of them is a frame: nearly always, and so this is asked first.
#[inline(always)]
pub fn touched_are_right(host: &SimHost, mirror: &Mirror) -> bool {
    let (first, _) = host.data_frames();
    let (held, due) = (host.all_held(), mirror.all_due());
    mirror.touched.iter().all(|touch| {
        let k = touch.pfn.wrapping_sub(first) as usize;
        match (held.get(k), due.get(k)) {
            (Some(held), Some(due)) => held.get() == *due,
            _ => false,
        }
    })
}

/// What is wrong with the count of one frame.
#[inline]
fn one(
    host: &SimHost,
    mirror: &Mirror,
    pfn: u32,
    verb: impl Fn() -> Doing,
    orphans: &[(u32, Doing)],
) -> Option<Wrong> {
    let (held, due) = (host.held(pfn), mirror.due(pfn));
    if held == due {
        return None;
    }
    let orphan = orphans.iter().find(|(of, _)| *of == pfn);
    let (verb, what) = match orphan {
        _ if held < due => (verb(), OUTLIVES),
        Some((_, verb)) => (*verb, ORPHAN),
        None => (verb(), LEAKED),
    };
    Some(Wrong {
        pfn,
        held,
        verb,
        what,
    })
}

/// The same for every frame there is.
pub fn all(host: &SimHost, mirror: &Mirror, verb: Doing) -> Option<Wrong> {
    let (first, _) = host.data_frames();
    let (held, due) = (host.all_held(), mirror.all_due());
    // All of them at once, for they are nearly always right.
    let differs = |sum, (held, due): (&std::cell::Cell<i32>, &i32)| sum | (held.get() ^ due);
    if held.iter().zip(due).fold(0, differs) == 0 {
        return None;
    }
    let mut counts = held.iter().zip(due);
    let k = counts.position(|(held, due)| held.get() != *due)?;
    one(host, mirror, first + k as u32, || verb, &[])
}

/// How many tables the slots lead to; counted from what is there, not from what was noted.
pub fn reachable<S: Side<Host = SimHost>>(side: &S, roots: &[u32; 4]) -> u32 {
    let mut tables = 0;
    for root in roots.iter().filter(|root| **root != 0) {
        tables += 1;
        below(side, *root, if side.pae() { 2 } else { 1 }, &mut tables);
    }
    tables
}

fn below<S: Side<Host = SimHost>>(side: &S, table: u32, levels: u32, tables: &mut u32) {
    let Some(words) = side.host().table(table >> 12) else {
        return;
    };
    let size = if side.pae() { 2 } else { 1 };
    for block in words.chunks_exact(16) {
        // Most blocks hold no entry that is present.
        if block.iter().fold(0, |sum, word| sum | word.get()) & 1 == 0 {
            continue;
        }
        for word in block
            .iter()
            .step_by(size)
            .filter(|word| word.get() & 1 != 0)
        {
            *tables += 1;
            if levels > 1 {
                below(side, word.get() & !0xfff, levels - 1, tables);
            }
        }
    }
}
