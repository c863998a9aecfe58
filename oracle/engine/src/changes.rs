// SPDX-License-Identifier: GPL-2.0-or-later
//! What a step changed of entries and references, found by holding all that there is against all that there was.

use core::fmt::{self, Write};

use crate::FrameName;
use crate::side::{Machinery, Side};

/// An entry that is not zero, by where it stands.
///
/// Frames are told apart by name alone, so that hosts with other frame numbers see the same changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Slot and indexes, see [`Place`]; entries are listed with these rising.
    place: Place,
    flags: u64,
    name: FrameName,
}

/// References held on one data frame, which is counted from the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    frame: u32,
    count: i32,
    name: FrameName,
}

impl Entry {
    /// Fills scratch that nothing was written to.
    pub const NONE: Entry = Entry {
        place: Place(0),
        flags: 0,
        name: FrameName::Regs,
    };
}

impl Held {
    /// Fills scratch that nothing was written to.
    pub const NONE: Held = Held {
        frame: 0,
        count: 0,
        name: FrameName::Regs,
    };
}

/// Slot (2 bits), index in the top level (10), one more than the index in the middle (10) and in the lowest (11) level,
/// 0 where the walk does not go so far: an entry stands before those below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place(u64);

const SLOT: u32 = 31;
const TOP: u32 = 21;
const MIDDLE: u32 = 11;

impl Place {
    /// Whether `below` is reached through the entry at this place.
    fn leads_to(self, below: Place) -> bool {
        let bits = if self.0 & 0x7ff != 0 {
            return false;
        } else if self.0 >> MIDDLE & 0x3ff != 0 {
            MIDDLE
        } else {
            TOP
        };
        self.0 >> bits == below.0 >> bits && self != below
    }
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.0 >> SLOT, self.0 >> TOP & 0x3ff)?;
        if let Some(middle) = (self.0 >> MIDDLE & 0x3ff).checked_sub(1) {
            write!(to, "/{middle}")?;
        }
        if let Some(lowest) = (self.0 & 0x7ff).checked_sub(1) {
            write!(to, "/{lowest}")?;
        }
        Ok(())
    }
}

/// All entries and references at one time, in room of the caller's.
pub struct Seen<'a> {
    entries: &'a mut [Entry],
    held: &'a mut [Held],
    entries_len: usize,
    held_len: usize,
    /// There are more than there is room for.
    full: bool,
}

impl<'a> Seen<'a> {
    /// Nothing at all.
    pub fn new(entries: &'a mut [Entry], held: &'a mut [Held]) -> Self {
        Seen {
            entries,
            held,
            entries_len: 0,
            held_len: 0,
            full: false,
        }
    }

    /// Looks at a side.
    pub fn look<S: Side>(&mut self, side: &S) {
        self.entries_len = 0;
        self.held_len = 0;
        self.full = false;
        let host = side.host();
        for (slot, of) in (0..).zip(side.state().slots) {
            // As the whole observation does: the slots of a guest that is gone name tables that are free.
            if host.name(of.pgdir >> 12) == FrameName::Table {
                self.table(host, side.pae(), of.pgdir >> 12, slot << SLOT, 0);
            }
        }
        for (frame, held) in (0..).zip(host.all_held()) {
            if held.get() == 0 {
                continue;
            }
            let name = host.name(host.data_frames().0.wrapping_add(frame));
            let count = held.get();
            match self.held.get_mut(self.held_len) {
                Some(place) => *place = Held { frame, count, name },
                None => return self.full = true,
            }
            self.held_len += 1;
        }
    }

    fn table<H: Machinery>(&mut self, host: &H, pae: bool, pfn: u32, above: u64, depth: u32) {
        let Some(words) = host.table(pfn) else {
            return;
        };
        let lowest = depth == if pae { 2 } else { 1 };
        let size = if pae { 2 } else { 1 };
        for (index, words) in (0..).zip(words.chunks_exact(size)) {
            let value = words
                .iter()
                .rev()
                .fold(0, |value, word| value << 32 | u64::from(word.get()));
            if value == 0 {
                continue;
            }
            let place = match depth {
                0 => above | index << TOP,
                1 if pae => above | (index + 1) << MIDDLE,
                _ => above | (index + 1),
            };
            let to_pfn = ((value & 0x000f_ffff_ffff_f000) >> 12) as u32;
            let entry = Entry {
                place: Place(place),
                flags: value & 0xfff0_0000_0000_0fff,
                name: host.name(to_pfn),
            };
            match self.entries.get_mut(self.entries_len) {
                Some(room) => *room = entry,
                None => return self.full = true,
            }
            self.entries_len += 1;
            if !lowest && value & 1 != 0 && entry.name == FrameName::Table {
                self.table(host, pae, to_pfn, place, depth + 1);
            }
        }
    }

    fn entries(&self) -> &[Entry] {
        self.entries.get(..self.entries_len).unwrap_or_default()
    }

    fn held(&self) -> &[Held] {
        self.held.get(..self.held_len).unwrap_or_default()
    }

    /// Writes what is otherwise now than it was `before`, a semicolon before each.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn changes(&self, before: &Seen<'_>, to: &mut impl Write) -> fmt::Result {
        if self.full || before.full {
            return to.write_str("; too many entries or references to list");
        }
        let mut gone = None;
        merge(
            before.entries(),
            self.entries(),
            |entry| entry.place,
            |old, new| match (old, new) {
                (Some(old), None) => {
                    // With the way to them, all entries of a table are gone.
                    if gone.is_some_and(|gone: Place| gone.leads_to(old.place)) {
                        return Ok(());
                    }
                    gone = Some(old.place);
                    write!(to, "; -{}", old.place)
                }
                (old, Some(new)) => {
                    let sign = if old.is_some() { '=' } else { '+' };
                    write!(to, "; {sign}{} {:#x} {}", new.place, new.flags, new.name)
                }
                (None, None) => Ok(()),
            },
        )?;
        merge(
            before.held(),
            self.held(),
            |held| held.frame,
            |old, new| match (old, new) {
                (_, Some(new)) => write!(to, "; held {} = {}", new.name, new.count),
                (Some(old), None) => write!(to, "; held {} = 0", old.name),
                (None, None) => Ok(()),
            },
        )
    }
}

/// Walks two lists that rise by `key` together, and hands on what is not in both alike.
fn merge<T: Copy + PartialEq, K: Ord>(
    mut old: &[T],
    mut new: &[T],
    key: impl Fn(&T) -> K,
    mut differ: impl FnMut(Option<T>, Option<T>) -> fmt::Result,
) -> fmt::Result {
    loop {
        match (old.split_first(), new.split_first()) {
            (None, None) => return Ok(()),
            (Some((a, rest)), None) => {
                differ(Some(*a), None)?;
                old = rest;
            }
            (None, Some((b, rest))) => {
                differ(None, Some(*b))?;
                new = rest;
            }
            (Some((a, rest_a)), Some((b, rest_b))) => {
                let (of_a, of_b) = (key(a), key(b));
                if of_a < of_b {
                    differ(Some(*a), None)?;
                    old = rest_a;
                } else if of_b < of_a {
                    differ(None, Some(*b))?;
                    new = rest_b;
                } else {
                    if a != b {
                        differ(Some(*a), Some(*b))?;
                    }
                    (old, new) = (rest_a, rest_b);
                }
            }
        }
    }
}
