// SPDX-License-Identifier: GPL-2.0-or-later
//! What the image is given to run: scenarios in their strict binary form, each with what must come of it.
//!
//! The tool that writes it includes this file too. Little endian; a header of 16 bytes (magic, number of items u32,
//! 4 zero bytes), then the items: a header of [`ITEM_LEN`] bytes, the name and the scenario, each filled up to eight.

/// The first bytes.
pub const MAGIC: [u8; 8] = *b"LGBARE02";
/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Bytes of an item's header.
pub const ITEM_LEN: usize = 32;

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
    /// Digest of what its steps returned on the original.
    pub outcomes: u64,
    /// Digest of everything that could be seen of the original from time to time.
    pub states: u64,
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
        let tail = self.rest.get(ITEM_LEN..)?;
        let name = core::str::from_utf8(tail.get(..name_len)?).ok()?;
        let tail = tail.get(padded(name_len)..)?;
        let item = Item {
            name,
            scenario: tail.get(..len)?,
            pae: word(self.rest, 8)? != 0,
            every: word(self.rest, 12)?,
            outcomes: long(self.rest, 16)?,
            states: long(self.rest, 24)?,
        };
        self.rest = tail.get(padded(len)..)?;
        self.left = left;
        Some(item)
    }
}
