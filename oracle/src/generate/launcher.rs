// SPDX-License-Identifier: GPL-2.0-or-later
//! What a generator knows of the launcher's mapping of guest memory: the page records and its own host events.

use lguest_engine::{Event, Machine, Mapping, PageRecord, Step, Verb};

/// The launcher's mapping of each backed guest page.
#[derive(Clone, Debug, Default)]
pub(super) struct Launcher {
    pages: Vec<Mapping>,
}

impl Launcher {
    /// The mapping that a scenario starts with.
    pub fn reset(&mut self, machine: &Machine, records: &[PageRecord]) {
        self.pages.clear();
        self.pages
            .resize(machine.backed() as usize, Mapping::Writable);
        for record in records {
            let first = record.first as usize;
            self.pages[first..first + record.count as usize].fill(record.mapping);
        }
    }

    /// How a page is mapped; not at all if there is no memory for it.
    #[inline]
    pub fn mapping(&self, page: u64) -> Mapping {
        usize::try_from(page)
            .ok()
            .and_then(|page| self.pages.get(page))
            .copied()
            .unwrap_or(Mapping::Absent)
    }

    /// A pin or copy succeeds.
    #[inline]
    pub fn allows(&self, page: u64, write: bool) -> bool {
        match self.mapping(page) {
            Mapping::Absent => false,
            Mapping::ReadOnly => !write,
            Mapping::Writable | Mapping::CopyOnWrite => true,
        }
    }

    /// Takes note of a host event.
    pub fn happen(&mut self, event: Event) {
        let (page, to) = match event {
            Event::Write { .. } => return,
            Event::Unmap(page) => (page, Mapping::Absent),
            Event::Protect(page) => (page, Mapping::ReadOnly),
            Event::Unprotect(page) => (page, Mapping::Writable),
            Event::Share(page) => (page, Mapping::CopyOnWrite),
        };
        if let Some(mapping) = self.pages.get_mut(page as usize) {
            // Nothing maps a page again, and what is read-only stays so when it is shared.
            match (*mapping, to) {
                (Mapping::Absent, _) | (Mapping::ReadOnly, Mapping::CopyOnWrite) => {}
                _ => *mapping = to,
            }
        }
    }

    /// Takes note of the host event that a step is, if it is one.
    #[inline(always)]
    pub fn note(&mut self, step: &Step) {
        let page = step.args[0];
        match step.verb {
            Verb::Unmap => self.happen(Event::Unmap(page)),
            Verb::Protect => self.happen(Event::Protect(page)),
            Verb::Unprotect => self.happen(Event::Unprotect(page)),
            Verb::Share => self.happen(Event::Share(page)),
            _ => {}
        }
        if let Some(during) = step.quals.during {
            self.happen(during.event);
        }
    }
}
