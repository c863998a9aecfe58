// SPDX-License-Identifier: GPL-2.0-or-later
//! Two walkers of the oracles' own, which share no code with the port or with the rig's processor: one of shadow
//! tables, one of the guest's.

use lguest_engine::{FrameWords, Machinery};

use crate::sim::SimHost;

/// Bit of an entry: present.
pub const PRESENT: u64 = 1;
/// Bit of an entry: it may be written.
pub const WRITE: u64 = 2;
/// Bit of an entry: user mode may use it.
pub const USER: u64 = 4;
/// Bit of an entry, three levels: not executable.
pub const NX: u64 = 1 << 63;

/// The frame that an entry names, as far as frames go.
pub fn frame(entry: u64) -> u32 {
    (entry >> 12) as u32
}

/// A shadow's entry for one address.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    /// Physical address of the lowest-level entry.
    pub pa: u32,
    /// Its value.
    pub value: u64,
    /// Rights that all levels above it give.
    pub above: u64,
}

/// The entry at physical address `pa`.
#[inline]
pub fn entry(host: &SimHost, pa: u32, pae: bool) -> Option<u64> {
    let page = host.table(pa >> 12)?;
    let at = (pa & 0xfff) as usize / 4;
    let low = u64::from(page[at & 1023].get());
    if !pae {
        return Some(low);
    }
    Some(u64::from(page[(at + 1) & 1023].get()) << 32 | low)
}

/// The lower half of an entry above the lowest level: addresses of tables have 32 bits.
#[inline]
fn upper(host: &SimHost, pa: u32) -> Option<u32> {
    let page = host.table(pa >> 12)?;
    Some(page[(pa & 0xfff) as usize / 4].get())
}

/// The entry that names the lowest-level table for an address in the shadow whose top level is at `root`: that table, and
/// the rights that all levels above it give; nothing where a table is missing.
fn lowest(host: &SimHost, root: u32, pae: bool, vaddr: u32) -> Option<u32> {
    let present = |entry: &u32| u64::from(*entry) & PRESENT != 0;
    let table = if pae {
        let top = upper(host, root + (vaddr >> 30) * 8).filter(present)?;
        upper(host, (top & !0xfff) + (vaddr >> 21 & 0x1ff) * 8)
    } else {
        upper(host, root + (vaddr >> 22) * 4)
    };
    // In three levels the top one has no rights to give.
    table.filter(present)
}

/// What an entry that names a table says: where it is, and the rights that it gives.
fn split(entry: u32) -> (u32, u64) {
    (entry & !0xfff, u64::from(entry) & (WRITE | USER))
}

/// Looks an address up in the shadow whose top level is at `root`; nothing where a table is missing.
pub fn shadow(host: &SimHost, root: u32, pae: bool, vaddr: u32) -> Option<Reached> {
    let (table, above) = split(lowest(host, root, pae, vaddr)?);
    let pa = if pae {
        table + (vaddr >> 12 & 0x1ff) * 8
    } else {
        table + (vaddr >> 12 & 0x3ff) * 4
    };
    let value = entry(host, pa, pae)?;
    Some(Reached { pa, value, above })
}

/// The same for addresses that lie together, in one shadow.
///
/// What is known of the table last used lies in fields of its own: a part written narrow and taken out whole would make
/// the processor wait.
pub struct Near<'h> {
    host: &'h SimHost,
    root: u32,
    pae: bool,
    /// The part of the addresses that the table last used is for; none has this number at first.
    region: u32,
    /// Its words, if there is one.
    words: Option<&'h FrameWords>,
    /// Its physical address.
    table: u32,
    /// Rights that all levels above it give.
    above: u64,
}

impl<'h> Near<'h> {
    /// In the shadow whose top level is at `root`.
    pub fn new(host: &'h SimHost, root: u32, pae: bool) -> Self {
        Near {
            host,
            root,
            pae,
            region: u32::MAX,
            words: None,
            table: 0,
            above: 0,
        }
    }

    /// Looks an address up.
    #[inline]
    pub fn look(&mut self, vaddr: u32) -> Option<Reached> {
        let region = vaddr >> if self.pae { 21 } else { 22 };
        if self.region != region {
            self.go(region, vaddr);
        }
        let words = self.words?;
        let (at, high) = if self.pae {
            let at = (vaddr >> 12 & 0x1ff) as usize * 2;
            (at, u64::from(words.get(at + 1)?.get()) << 32)
        } else {
            ((vaddr >> 12 & 0x3ff) as usize, 0)
        };
        Some(Reached {
            pa: self.table + 4 * at as u32,
            value: high | u64::from(words.get(at)?.get()),
            above: self.above,
        })
    }

    fn go(&mut self, region: u32, vaddr: u32) {
        self.region = region;
        self.words = None;
        if let Some(entry) = lowest(self.host, self.root, self.pae, vaddr) {
            (self.table, self.above) = split(entry);
            self.words = self.host.table(entry >> 12);
        }
    }
}

/// What a guest says of one of its pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Number of the guest-physical page.
    pub page: u64,
    /// Rights, as bits of an entry.
    pub rights: u64,
}

/// What a guest's own entry says, if it is present.
pub fn told(entry: u64, pae: bool) -> Option<Told> {
    let bits = if pae {
        0x000f_ffff_ffff_f000
    } else {
        0xffff_f000
    };
    (entry & PRESENT != 0).then_some(Told {
        page: (entry & bits) >> 12,
        rights: entry & (WRITE | USER),
    })
}

/// What a guest's tables say, and the pages that they stand on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// The translation, if there is one.
    pub told: Option<Told>,
    /// Guest-physical pages of the entries that were read.
    pub tables: [u32; 3],
    /// How many these are.
    pub levels: usize,
}

/// Looks an address up in the guest's own tables below `gpgdir`, as the launcher sees them now.
///
/// Inlined, so that what is said stays in registers: written narrow and copied wide it would make the processor wait.
#[inline(always)]
pub fn guest(host: &SimHost, gpgdir: u32, pae: bool, vaddr: u32) -> Said {
    let len = if pae { 8 } else { 4 };
    let read = |at: u32| -> u64 {
        let mut bytes = [0; 8];
        if at & (len - 1) == 0 {
            // As nearly always.
            let Some(words) = host.page_words(at >> 12) else {
                return 0;
            };
            let word = |i: usize| u64::from(words[i & 1023].get());
            let first = (at & 0xfff) as usize / 4;
            let high = if pae { word(first + 1) } else { 0 };
            return high << 32 | word(first);
        }
        if host.guest_read(at, &mut bytes[..len as usize]) {
            u64::from_le_bytes(bytes)
        } else {
            0
        }
    };
    let below = |entry: u64, index: u32| {
        (entry & PRESENT != 0).then(|| (frame(entry) << 12).wrapping_add(index * len))
    };
    // The levels one by one, and no list that is filled on the way: it would be copied as it was written.
    let indexes = if pae {
        [vaddr >> 30, vaddr >> 21 & 0x1ff, vaddr >> 12 & 0x1ff]
    } else {
        [vaddr >> 22, vaddr >> 12 & 0x3ff, 0]
    };
    let first = gpgdir.wrapping_add(indexes[0] * len);
    let top = read(first);
    let second = below(top, indexes[1]);
    let table = second.map_or(0, read);
    let third = below(table, indexes[2]).filter(|_| pae);
    let entry = if pae { third.map_or(0, read) } else { table };
    Said {
        told: told(entry, pae),
        tables: [
            first >> 12,
            second.unwrap_or(0) >> 12,
            third.unwrap_or(0) >> 12,
        ],
        levels: 1 + usize::from(second.is_some()) + usize::from(third.is_some()),
    }
}
