// SPDX-License-Identifier: GPL-2.0-or-later
//! The shape of a guest's page tables in the two paging modes, and the bits and calls that generators write.

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
/// A large page.
pub const PSE: u64 = 0x80;
/// Global.
pub const GLOBAL: u64 = 0x100;
/// No execution; PAE alone.
pub const NX: u64 = 1 << 63;
/// The flags of an entry that names a table.
pub const TABLE: u64 = 0x67;

/// Numbers of the hypercalls.
pub mod call {
    pub const FLUSH_ASYNC: u32 = 0;
    pub const LGUEST_INIT: u32 = 1;
    pub const SHUTDOWN: u32 = 2;
    pub const NEW_PGTABLE: u32 = 4;
    pub const FLUSH_TLB: u32 = 5;
    pub const LOAD_IDT_ENTRY: u32 = 6;
    pub const SET_STACK: u32 = 7;
    pub const TS: u32 = 8;
    pub const SET_CLOCKEVENT: u32 = 9;
    pub const HALT: u32 = 10;
    pub const SET_PMD: u32 = 13;
    pub const SET_PTE: u32 = 14;
    pub const SET_PGD: u32 = 15;
    pub const LOAD_TLS: u32 = 16;
    pub const LOAD_GDT_ENTRY: u32 = 18;
    pub const SEND_INTERRUPTS: u32 = 19;
    /// Those that touch no page table.
    pub const IDLE: [u32; 8] = [
        FLUSH_ASYNC,
        LOAD_IDT_ENTRY,
        TS,
        SET_CLOCKEVENT,
        HALT,
        LOAD_TLS,
        LOAD_GDT_ENTRY,
        SEND_INTERRUPTS,
    ];
}

/// Which of the two modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Paging {
    /// Three levels.
    pub pae: bool,
}

impl Paging {
    /// Bytes of an entry.
    pub fn entry(self) -> u32 {
        if self.pae { 8 } else { 4 }
    }

    /// Address bits below the top level's index.
    pub fn top_shift(self) -> u32 {
        if self.pae { 30 } else { 22 }
    }

    /// Address bits that one lowest-level table covers.
    pub fn table_shift(self) -> u32 {
        if self.pae { 21 } else { 22 }
    }

    /// Entries of the top level.
    pub fn top_entries(self) -> u32 {
        if self.pae { 4 } else { 1024 }
    }

    /// Entries of the other levels.
    pub fn entries(self) -> u32 {
        if self.pae { 512 } else { 1024 }
    }

    /// Index in the top level.
    pub fn top(self, vaddr: u32) -> u32 {
        vaddr >> self.top_shift()
    }

    /// Guest-physical address of the top-level entry for `vaddr`.
    pub fn top_at(self, gpgdir: u32, vaddr: u32) -> u32 {
        gpgdir.wrapping_add(self.top(vaddr).wrapping_mul(self.entry()))
    }

    /// Guest-physical address of the middle-level entry for `vaddr` in the table on `page`; PAE alone.
    pub fn middle_at(self, page: u32, vaddr: u32) -> u32 {
        (page << 12).wrapping_add(((vaddr >> 21) & 511) * 8)
    }

    /// Guest-physical address of the lowest-level entry for `vaddr` in the table on `page`.
    pub fn last_at(self, page: u32, vaddr: u32) -> u32 {
        (page << 12).wrapping_add(((vaddr >> 12) & (self.entries() - 1)) * self.entry())
    }

    /// The flags of a good top-level entry.
    pub fn top_flags(self) -> u64 {
        if self.pae { P } else { TABLE }
    }

    /// The page number in an entry of the lowest level, as the original takes it.
    pub fn frame(self, entry: u64) -> u64 {
        (if self.pae {
            entry & 0x0fff_ffff_f000
        } else {
            entry & 0xffff_f000
        }) >> 12
    }
}
