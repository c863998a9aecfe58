// SPDX-License-Identifier: GPL-2.0-or-later
//! The simulated processor: walks shadow tables as x86-32 does, sets accessed and dirty bits, faults.

use crate::side::Machinery;

/// Present.
pub const P: u64 = 1;
/// Writable.
pub const RW: u64 = 2;
/// Open to user mode.
pub const US: u64 = 4;
/// Accessed.
pub const A: u64 = 0x20;
/// Dirty.
pub const D: u64 = 0x40;
/// No-execute; PAE alone.
pub const NX: u64 = 1 << 63;
/// The bit of an error code for a reserved bit in an entry.
const RESERVED: u32 = 8;
/// The bit of an error code for an instruction fetch; told only where no-execute is turned on.
const FETCH: u32 = 0x10;
/// The bits of an entry that hold an address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Of each level from the top: where its index begins in an address, and how many bits it has.
const LEVELS: [(u32, u32); 2] = [(22, 10), (12, 10)];
/// The same with PAE.
const LEVELS_PAE: [(u32, u32); 3] = [(30, 2), (21, 9), (12, 9)];

/// What a processor makes of the bits of PAE entries that not every processor has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Processor {
    /// No-execute is turned on; if not, its bit is reserved.
    pub nx: bool,
    /// Bits of a physical address, 32 to 52: those above are reserved.
    pub width: u32,
}

impl Processor {
    /// The one that reserves the fewest bits.
    pub const WIDEST: Processor = Processor {
        nx: true,
        width: 52,
    };

    /// The bits that no entry below PAE's top level may have if it is present.
    const fn reserved(self) -> u64 {
        let above = u64::MAX << self.width & !NX;
        if self.nx { above } else { above | NX }
    }
}

/// What an access asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// It stores.
    pub write: bool,
    /// It comes from user mode (ring 3); the guest kernel runs in ring 1, which paging takes for a supervisor.
    pub user: bool,
}

impl Request {
    /// The page-fault error code for it: bit 0 a protection fault, bit 1 a write, bit 2 from user mode.
    fn fault(self, protection: bool) -> u32 {
        u32::from(protection) | u32::from(self.write) << 1 | u32::from(self.user) << 2
    }
}

/// Physical address of the entry for `vaddr` at a level whose table is at `table`.
fn entry_at(table: u32, vaddr: u32, shift: u32, bits: u32, size: u32) -> u32 {
    let index = (vaddr >> shift) & ((1 << bits) - 1);
    table.wrapping_add(index.wrapping_mul(size))
}

/// The value of the entry at physical address `pa`; nothing if that is in no table.
#[inline]
pub fn entry<H: Machinery>(host: &H, pa: u32, pae: bool) -> Option<u64> {
    let words = host.table(pa >> 12)?;
    let word = (pa as usize >> 2) & 1023;
    let low = u64::from(words[word].get());
    if pae {
        Some(low | u64::from(words[(word + 1) & 1023].get()) << 32)
    } else {
        Some(low)
    }
}

/// Sets bits in the low word of the entry at `pa`.
fn set_bits<H: Machinery>(host: &H, pa: u32, bits: u64) {
    if let Some(words) = host.table(pa >> 12) {
        let cell = &words[(pa as usize >> 2) & 1023];
        cell.set(cell.get() | bits as u32);
    }
}

/// The chain of entries for an address, top level first: physical address and value of each.
///
/// It ends with the first entry that is not present or names no table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Entries in the order of the walk.
    pub entries: [(u32, u64); 3],
    /// How many of them there are.
    pub len: usize,
    /// The last one is that of the page itself.
    pub complete: bool,
}

/// Reads the entries for `vaddr` below the top level at physical address `root`.
#[inline]
pub fn chain<H: Machinery>(host: &H, root: u32, pae: bool, vaddr: u32) -> Chain {
    let mut found = Chain::default();
    let levels: &[(u32, u32)] = if pae { &LEVELS_PAE } else { &LEVELS };
    let size = if pae { 8 } else { 4 };
    let mut table = root;
    for (level, &(shift, bits)) in levels.iter().enumerate() {
        let pa = entry_at(table, vaddr, shift, bits, size);
        let Some(value) = entry(host, pa, pae) else {
            return found;
        };
        // Not by index: a kernel's object must have no site that panics.
        if let Some(place) = found.entries.get_mut(level) {
            *place = (pa, value);
        }
        found.len = level + 1;
        if level + 1 == levels.len() {
            found.complete = true;
        } else if value & P == 0 || (value & ADDRESS) >> 32 != 0 {
            return found;
        }
        table = value as u32 & 0xffff_f000;
    }
    found
}

/// The last entry that a walk for `vaddr` comes to: how many lie above it, its physical address and its value.
pub fn last<H: Machinery>(host: &H, root: u32, pae: bool, vaddr: u32) -> Option<(usize, u32, u64)> {
    let chain = chain(host, root, pae, vaddr);
    let above = chain.len.checked_sub(1)?;
    let &(pa, value) = chain.entries.get(above)?;
    Some((above, pa, value))
}

/// The physical address that [`last`] gives, or 0; nothing is kept of what leads there.
#[inline]
pub fn last_at<H: Machinery>(host: &H, root: u32, pae: bool, vaddr: u32) -> u32 {
    if pae {
        last_in(host, root, &LEVELS_PAE, vaddr)
    } else {
        last_in(host, root, &LEVELS, vaddr)
    }
}

#[inline(always)]
fn last_in<H: Machinery>(host: &H, root: u32, levels: &[(u32, u32)], vaddr: u32) -> u32 {
    let pae = levels.len() == LEVELS_PAE.len();
    let (mut table, mut last) = (root, 0);
    for &(shift, bits) in levels {
        let pa = entry_at(table, vaddr, shift, bits, if pae { 8 } else { 4 });
        let Some(value) = entry(host, pa, pae) else {
            break;
        };
        last = pa;
        if value & P == 0 || (value & ADDRESS) >> 32 != 0 {
            break;
        }
        table = value as u32 & 0xffff_f000;
    }
    last
}

/// What came of one attempt at an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Attempt {
    /// The word read or written.
    Word(u32),
    /// The walk led to this frame, which holds no guest memory; all ones where the number has more than 32 bits.
    Foreign(u32),
    /// The error code of the fault.
    Fault(u32),
}

/// Tries an access: the walk, and then the aligned word of the frame that it gave.
///
/// A function of its own: hosts of one type share it whatever side is on them, and so do the processor's caches.
#[inline(never)]
pub fn attempt<H: Machinery>(
    host: &H,
    root: u32,
    pae: bool,
    vaddr: u32,
    request: Request,
    value: u32,
    processor: Processor,
) -> Attempt {
    let pfn = match walk(host, root, pae, vaddr, request, false, processor) {
        Ok(pfn) => pfn,
        Err(errcode) => return Attempt::Fault(errcode),
    };
    let Ok(pfn) = u32::try_from(pfn) else {
        return Attempt::Foreign(u32::MAX);
    };
    let word = (vaddr as usize >> 2) & 1023;
    if !request.write {
        return host
            .load(pfn, word)
            .map_or(Attempt::Foreign(pfn), Attempt::Word);
    }
    if host.store(pfn, word, value) {
        Attempt::Word(value)
    } else {
        Attempt::Foreign(pfn)
    }
}

/// Walks the tables at `root` for one access: the physical page it reaches, or the error code of its fault.
///
/// A and D are set as the processor does, on success alone: whether a walk that faults marks the entries above the one
/// that stops it is left open by the architecture. PAE's top level holds no rights and no accessed bit.
/// `fetch` is for an instruction instead of data; `request` is no write then.
#[inline]
pub fn walk<H: Machinery>(
    host: &H,
    root: u32,
    pae: bool,
    vaddr: u32,
    request: Request,
    fetch: bool,
    processor: Processor,
) -> Result<u64, u32> {
    // Two walks, each with its levels known.
    if pae {
        walk_in(host, root, true, vaddr, request, fetch, processor)
    } else {
        walk_in(host, root, false, vaddr, request, fetch, processor)
    }
}

#[inline(always)]
fn walk_in<H: Machinery>(
    host: &H,
    root: u32,
    pae: bool,
    vaddr: u32,
    request: Request,
    fetch: bool,
    processor: Processor,
) -> Result<u64, u32> {
    let told = if fetch && pae && processor.nx {
        FETCH
    } else {
        0
    };
    let fault = |protection| Err(request.fault(protection) | told);
    let levels: &[(u32, u32)] = if pae { &LEVELS_PAE } else { &LEVELS };
    let size = if pae { 8 } else { 4 };
    let rights_from = usize::from(pae);
    let reserved = if pae { processor.reserved() } else { 0 };
    // Not a `Chain`: the processor would wait for its parts where it is handed on.
    let (mut at, mut values) = ([0; 3], [0; 3]);
    let (mut table, mut rights, mut any, mut leaf) = (root, u64::MAX, 0, 0);
    for (level, &(shift, bits)) in levels.iter().enumerate() {
        let pa = entry_at(table, vaddr, shift, bits, size);
        let Some(value) = entry(host, pa, pae) else {
            return fault(false);
        };
        if value & P == 0 {
            return fault(false);
        }
        if level >= rights_from {
            if value & reserved != 0 {
                return Err(request.fault(true) | RESERVED | told);
            }
            rights &= value;
            any |= value;
        }
        if level + 1 < levels.len() && (value & ADDRESS) >> 32 != 0 {
            return fault(false);
        }
        // Not by index: a kernel's object must have no site that panics.
        if let (Some(at), Some(known)) = (at.get_mut(level), values.get_mut(level)) {
            (*at, *known) = (pa, value);
        }
        (table, leaf) = (value as u32 & 0xffff_f000, value);
    }
    if (request.write && rights & RW == 0) || (request.user && rights & US == 0) {
        return fault(true);
    }
    if fetch && any & NX != 0 {
        return fault(true);
    }
    let walked = at.iter().zip(values).take(levels.len()).enumerate();
    for (level, (pa, value)) in walked.skip(rights_from) {
        let last = level + 1 == levels.len();
        let want = if last && request.write { A | D } else { A };
        if value & want != want {
            set_bits(host, *pa, want);
        }
    }
    Ok((leaf & ADDRESS) >> 12)
}
