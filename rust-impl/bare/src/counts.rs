// SPDX-License-Identifier: GPL-2.0-or-later
//! What was done in one paging mode, and how it is told.

use crate::say;

/// Places of added entries that are told apart.
const PLACES: usize = 24;

/// What was done in one paging mode.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Scenarios.
    pub scenarios: u32,
    /// Accesses in unaltered tables.
    pub unaltered: u32,
    /// Accesses in tables with one entry more, for the code of user mode: no page of the guest's could hold it.
    pub with_user_code: u32,
    /// Accesses in tables with one entry more, for the Switcher's pages: they were not there as the code needs them.
    pub with_switcher: u32,
    /// Accesses in tables with one bit changed on purpose.
    pub changed: u32,
    /// Of all these: those that a scenario has as a step, before and after it; the others are generated.
    pub steps: u32,
    /// Of all these: stores.
    pub writes: u32,
    /// Of all these: instruction fetches.
    pub fetches: u32,
    /// Of all these: from ring 3.
    pub user: u32,
    /// Of all these: page faults, by the three low bits of the error code.
    pub faults: [u32; 8],
    /// Of all these: page faults for a reserved bit.
    pub reserved: u32,
    /// Of all these: page faults for no-execute.
    pub not_executable: u32,
    /// Of all these: accesses to frames that are no memory of ours; what they read is not compared.
    pub foreign: u32,
    /// Accessed bits set in entries above the one that a fault is about.
    pub marked: u32,
    /// Accessed bits that QEMU's emulated MMU set in PAE's top level, where a processor has none.
    pub marked_top: u32,
    /// Faults for a reserved bit that QEMU's emulated MMU told without the bit for a present entry.
    pub reserved_as_absent: u32,
    /// Entries added.
    pub added: Added,
    /// Batches for which no entry was free.
    pub no_room: u32,
    /// Looks at every table.
    pub summed: u32,
    /// Scenarios held to their recordings, line by line, and to sums of the original.
    pub held: [u32; 2],
    /// Differences.
    pub differences: u32,
}

/// Where entries were added: level from the top, first address covered, how often.
#[derive(Clone, Copy, Default)]
pub struct Added {
    places: [(u32, u32, u32); PLACES],
    elsewhere: u32,
}

impl Added {
    /// Takes note of one.
    pub fn note(&mut self, level: usize, covers: u32) {
        let level = level as u32;
        let fits =
            |place: &&mut (u32, u32, u32)| place.2 == 0 || (place.0, place.1) == (level, covers);
        match self.places.iter_mut().find(fits) {
            Some(place) => *place = (level, covers, place.2 + 1),
            None => self.elsewhere += 1,
        }
    }

    fn tell(&self, mode: &str, levels: u32) {
        for (level, covers, times) in self.places.iter().filter(|place| place.2 != 0) {
            say!(
                "ADDED {mode} level {} of {levels} for {covers:#010x}: {times} times",
                level + 1
            );
        }
        say!("ADDED {mode} elsewhere: {} times", self.elsewhere);
    }
}

impl Counts {
    /// All accesses.
    pub fn accesses(&self) -> u32 {
        self.unaltered + self.with_user_code + self.with_switcher + self.changed
    }

    /// Tells all of it.
    pub fn tell(&self, pae: bool) {
        let mode = mode_name(pae);
        say!(
            "TOTAL {mode} scenarios={} accesses={} generated={} differences={}",
            self.scenarios,
            self.accesses(),
            self.accesses() - self.steps,
            self.differences
        );
        say!(
            "TOTAL {mode} held: to_recordings={} to_sums={}",
            self.held[0],
            self.held[1]
        );
        say!(
            "TOTAL {mode} tables: unaltered={} with_user_code={} with_switcher={} changed={}",
            self.unaltered,
            self.with_user_code,
            self.with_switcher,
            self.changed
        );
        say!(
            "TOTAL {mode} kinds: writes={} fetches={} ring3={}",
            self.writes,
            self.fetches,
            self.user
        );
        say!(
            "TOTAL {mode} faults: by_code={:?} reserved={} not_executable={}",
            self.faults,
            self.reserved,
            self.not_executable
        );
        say!(
            "TOTAL {mode} others: foreign={} marked_above_faults={} no_room={} summed={}",
            self.foreign,
            self.marked,
            self.no_room,
            self.summed
        );
        say!(
            "TOTAL {mode} QEMU's own ways: marked_at_pae_top={} reserved_as_absent={}",
            self.marked_top,
            self.reserved_as_absent
        );
        self.added.tell(mode, if pae { 3 } else { 2 });
    }
}

/// The paging mode's name.
pub fn mode_name(pae: bool) -> &'static str {
    if pae { "pae" } else { "nopae" }
}
