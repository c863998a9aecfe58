// SPDX-License-Identifier: GPL-2.0-or-later
//! What the image is given to run: scenarios in their strict binary form, each with what must come of it.
//!
//! The tool that writes it includes this file too. Little endian; a header of 16 bytes (magic, number of items u32,
//! 4 zero bytes), then the items: a header of [`ITEM_LEN`] bytes, then the name, the scenario and the lines of its
//! recording, each filled up to eight.

/// The first bytes.
pub const MAGIC: [u8; 8] = *b"LGBARE03";
/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Bytes of an item's header.
pub const ITEM_LEN: usize = 40;

/// One scenario, in one mode.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// File it comes from, or seed and number of a generated one.
    pub name: &'a str,
    /// Its canonical bytes.
    pub scenario: &'a [u8],
    /// Three-level paging.
    pub pae: bool,
    /// The processor is asked after each step whose number is a multiple of this; 0 for never.
    pub every: u32,
    /// What must come of it.
    pub due: Due<'a>,
}

/// What must come of a scenario.
#[derive(Clone, Copy)]
pub enum Due<'a> {
    /// The lines of its recording.
    Lines(&'a str),
    /// Sums taken from the original: of what its steps returned, and of everything that could be seen now and then.
    Sums(u64, u64),
}

fn padded(len: usize) -> usize {
    len.div_ceil(8) * 8
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The items of a pack, as long as they make sense.
#[derive(Clone, Copy)]
pub struct Items<'a> {
    rest: &'a [u8],
    left: u32,
}

/// Opens a pack; nothing if it is none.
pub fn open(bytes: &[u8]) -> Option<Items<'_>> {
    if bytes.first_chunk() != Some(&MAGIC) {
        return None;
    }
    Some(Items {
        rest: bytes.get(HEADER_LEN..)?,
        left: word(bytes, 8)?,
    })
}

impl Items<'_> {
    /// Items that are still to come.
    pub fn left(&self) -> u32 {
        self.left
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let left = self.left.checked_sub(1)?;
        let len = word(self.rest, 0)? as usize;
        let name_len = word(self.rest, 4)? as usize;
        let lines_len = word(self.rest, 16)? as usize;
        let mut tail = self.rest.get(ITEM_LEN..)?;
        let mut next = |len: usize| {
            let bytes = tail.get(..len)?;
            tail = tail.get(padded(len)..)?;
            Some(bytes)
        };
        let name = core::str::from_utf8(next(name_len)?).ok()?;
        let scenario = next(len)?;
        let lines = core::str::from_utf8(next(lines_len)?).ok()?;
        let item = Item {
            name,
            scenario,
            pae: word(self.rest, 8)? != 0,
            every: word(self.rest, 12)?,
            due: if lines.is_empty() {
                Due::Sums(long(self.rest, 24)?, long(self.rest, 32)?)
            } else {
                Due::Lines(lines)
            },
        };
        self.rest = tail;
        self.left = left;
        Some(item)
    }
}
