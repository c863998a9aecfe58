// SPDX-License-Identifier: GPL-2.0-or-later
//! Page table entries of both widths, and the bits in them.
//!
//! One type serves all levels of a mode. Which bits count as flags and which as a page number
//! differs by level in the original, hence the method names after its macros.

use core::fmt::Debug;

/// log2 of the page size.
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a page.
pub const PAGE_SIZE: u32 = 1 << PAGE_SHIFT;

/// The entry maps something.
pub const PRESENT: u32 = 1;
/// Writable.
pub const RW: u32 = 1 << 1;
/// Open to user code.
pub const USER: u32 = 1 << 2;
/// Write-through caching.
pub const PWT: u32 = 1 << 3;
/// Caching disabled.
pub const PCD: u32 = 1 << 4;
/// Has been used.
pub const ACCESSED: u32 = 1 << 5;
/// Has been written through.
pub const DIRTY: u32 = 1 << 6;
/// Maps a large page.
pub const PSE: u32 = 1 << 7;
/// Survives a change of address space.
pub const GLOBAL: u32 = 1 << 8;

/// Flags of an entry that names a lower table.
pub const PAGE_TABLE: u32 = PRESENT | RW | USER | ACCESSED | DIRTY;

/// Kernel code, read-only: what maps the Switcher's text.
pub(crate) const PAGE_KERNEL_RX: u64 = (PRESENT | ACCESSED | DIRTY | GLOBAL) as u64;
/// Kernel data, not global; the mode's no-execute bit goes with it.
pub(crate) const KERNEL_DATA: u64 = (PRESENT | RW | ACCESSED | DIRTY) as u64;
/// The same, read-only.
pub(crate) const KERNEL_DATA_RO: u64 = (PRESENT | ACCESSED | DIRTY) as u64;

/// The low twelve bits: all flags but no-execute.
const FLAGS: u32 = PAGE_SIZE - 1;

/// An entry of any level. `u32` and `u64` are the two there are.
pub trait Entry: Copy + Eq + Debug + 'static {
    /// Bytes in an entry.
    const SIZE: u32;
    /// The no-execute bit; 0 where the mode has none.
    const NX: u64;
    /// The entry that maps nothing.
    const ZERO: Self;
    /// An entry as bytes.
    type Bytes: Copy + AsRef<[u8]> + AsMut<[u8]>;
    /// The bytes of [`Entry::ZERO`].
    const ZERO_BYTES: Self::Bytes;

    /// The entry with these bits; those beyond its width are cut off.
    fn from_wide(bits: u64) -> Self;
    /// Its bits, zero-extended.
    fn wide(self) -> u64;
    /// From memory order.
    fn from_bytes(bytes: Self::Bytes) -> Self;
    /// To memory order.
    fn to_bytes(self) -> Self::Bytes;
    /// The union of the bits of both, for looking at several entries at once.
    fn union(self, other: Self) -> Self;

    /// The low twelve bits, for any level.
    ///
    /// The original's `pte_flags` has the bits above the page number too, but every user of
    /// it cuts them off, most by storing into 32 bits: so a PAE guest's no-execute bit is lost.
    #[inline]
    fn flags(self) -> u32 {
        self.wide() as u32 & FLAGS
    }

    /// Whether any of these low flags is set.
    #[inline]
    fn has(self, flags: u32) -> bool {
        self.wide() as u32 & flags != 0
    }

    /// The same entry with more low flags.
    #[inline]
    fn with(self, flags: u32) -> Self {
        Self::from_wide(self.wide() | u64::from(flags))
    }

    /// The same entry without these flags.
    #[inline]
    fn without(self, flags: u32) -> Self {
        Self::from_wide(self.wide() & !u64::from(flags))
    }

    /// The page number of a lowest-level entry.
    ///
    /// PAE page numbers have 32 bits (44-bit physical addresses); what stands above is no part.
    #[inline]
    fn pte_pfn(self) -> u32 {
        (self.wide() >> PAGE_SHIFT) as u32
    }

    /// The page number of an upper-level entry: all bits above the low twelve.
    ///
    /// With PAE that is a 52-bit number that has no-execute in it, which makes such entries
    /// fail the limit checks.
    #[inline]
    fn table_pfn(self) -> u64 {
        self.wide() >> PAGE_SHIFT
    }

    /// The address of the table that an upper-level entry names, cut to 32 bits.
    #[inline]
    fn table_address(self) -> u32 {
        self.wide() as u32 & !FLAGS
    }

    /// An upper-level entry that names the table at the physical address `table`.
    #[inline]
    fn naming(table: u32, flags: u32) -> Self {
        Self::from_wide(u64::from(table | flags))
    }

    /// A lowest-level entry; `supported` masks the protection only if it says present.
    #[inline]
    fn pfn_pte(pfn: u32, protection: u64, supported: u64) -> Self {
        let protection = if protection & u64::from(PRESENT) != 0 {
            protection & supported
        } else {
            protection
        };
        Self::from_wide((u64::from(pfn) << PAGE_SHIFT) | protection)
    }
}

impl Entry for u32 {
    const SIZE: u32 = 4;
    const NX: u64 = 0;
    const ZERO: Self = 0;
    type Bytes = [u8; 4];
    const ZERO_BYTES: [u8; 4] = [0; 4];

    #[inline]
    fn from_wide(bits: u64) -> Self {
        bits as Self
    }

    #[inline]
    fn wide(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn from_bytes(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }

    #[inline]
    fn to_bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }

    #[inline]
    fn union(self, other: Self) -> Self {
        self | other
    }
}

impl Entry for u64 {
    const SIZE: u32 = 8;
    const NX: u64 = 1 << 63;
    const ZERO: Self = 0;
    type Bytes = [u8; 8];
    const ZERO_BYTES: [u8; 8] = [0; 8];

    #[inline]
    fn from_wide(bits: u64) -> Self {
        bits
    }

    #[inline]
    fn wide(self) -> u64 {
        self
    }

    #[inline]
    fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }

    #[inline]
    fn to_bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }

    #[inline]
    fn union(self, other: Self) -> Self {
        self | other
    }
}
