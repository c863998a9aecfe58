// SPDX-License-Identifier: GPL-2.0-or-later
//! Guest memory as far as a trace tells it: what was read, written back or prepared; zero where nothing is known.

/// The bytes of a page.
type Page = Box<[u8; 4096]>;

/// Guest memory by page, as much of it as a scenario can back.
pub struct GuestMemory {
    pages: Vec<Option<Page>>,
}

impl GuestMemory {
    /// Of so many pages.
    pub fn new(pages: u32) -> Self {
        let mut all = Vec::new();
        all.resize_with(pages as usize, || None);
        GuestMemory { pages: all }
    }

    /// Whether all these bytes have memory.
    pub fn holds(&self, at: u32, len: u32) -> bool {
        let end = u64::from(at) + u64::from(len);
        end <= (self.pages.len() as u64) << 12
    }

    fn byte(&self, at: u32) -> u8 {
        let page = self.pages.get(at as usize >> 12).and_then(Option::as_ref);
        page.map_or(0, |page| page[at as usize & 0xfff])
    }

    /// A little-endian number of up to eight bytes.
    pub fn load(&self, at: u32, len: u32) -> u64 {
        (0..len).rev().fold(0, |sum, i| {
            sum << 8 | u64::from(self.byte(at.wrapping_add(i)))
        })
    }

    /// Stores one.
    pub fn store(&mut self, at: u32, len: u32, value: u64) {
        self.fill(at, &value.to_le_bytes()[..len.min(8) as usize]);
    }

    /// Stores bytes; those beyond the memory are dropped.
    pub fn fill(&mut self, at: u32, bytes: &[u8]) {
        for (i, byte) in bytes.iter().enumerate() {
            let at = at.wrapping_add(i as u32) as usize;
            if let Some(page) = self.pages.get_mut(at >> 12) {
                page.get_or_insert_with(|| Box::new([0; 4096]))[at & 0xfff] = *byte;
            }
        }
    }
}
