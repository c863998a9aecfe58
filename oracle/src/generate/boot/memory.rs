// SPDX-License-Identifier: GPL-2.0-or-later
//! The page allocator of the modelled guest kernel.

use lguest_engine::Mapping;

use super::super::launcher::Launcher;
use super::super::rng::Rng;

/// Guest pages that are not the kernel's own from the start.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Pages {
    data: Vec<u16>,
    tables: Vec<u16>,
    files: Vec<u16>,
    refs: Vec<u8>,
}

impl Pages {
    /// Shares out the pages from `first` to below `end`. Read-only ones hold files, missing ones are left alone.
    pub fn reset(&mut self, first: u32, end: u32, launcher: &Launcher) {
        self.data.clear();
        self.tables.clear();
        self.files.clear();
        self.refs.clear();
        self.refs.resize(end as usize, 0);
        let last_table = first + (end - first) / 2;
        for page in first..end {
            let list = match launcher.mapping(page.into()) {
                Mapping::Absent => continue,
                Mapping::ReadOnly => &mut self.files,
                Mapping::Writable if page < last_table => &mut self.tables,
                _ => &mut self.data,
            };
            list.push(page as u16);
        }
    }

    /// A page for a table; all zero, for tables are emptied before they are given back.
    pub fn table(&mut self) -> Option<u16> {
        self.tables.pop()
    }

    pub fn put_table(&mut self, page: u16) {
        self.tables.push(page);
    }

    /// A page of anonymous memory.
    pub fn data(&mut self, rng: &mut Rng) -> Option<u16> {
        if self.data.is_empty() {
            return None;
        }
        let pick = rng.below(self.data.len() as u32) as usize;
        let page = self.data.swap_remove(pick);
        self.refs[usize::from(page)] = 1;
        Some(page)
    }

    /// A page of a file, which nobody writes to.
    pub fn file(&mut self, rng: &mut Rng) -> Option<u16> {
        if self.files.is_empty() {
            let page = self.data(rng)?;
            self.files.push(page);
        }
        let pick = rng.below(self.files.len() as u32) as usize;
        let page = self.files[pick];
        self.get(page);
        Some(page)
    }

    /// One more mapping of the page.
    pub fn get(&mut self, page: u16) {
        let refs = &mut self.refs[usize::from(page)];
        *refs = refs.saturating_add(1);
    }

    /// More than one mapping of the page.
    pub fn shared(&self, page: u16) -> bool {
        self.refs[usize::from(page)] > 1
    }

    /// One mapping less; files stay in memory.
    pub fn put(&mut self, page: u16) {
        let refs = &mut self.refs[usize::from(page)];
        *refs = refs.saturating_sub(1);
        if *refs == 0 && !self.files.contains(&page) {
            self.data.push(page);
        }
    }
}
