// SPDX-License-Identifier: GPL-2.0-or-later
//! What becomes of the host where the original would have crashed or corrupted it.

use core::num::NonZeroU64;

/// The ways in which the shadow code can harm its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BugKind {
    /// An assertion of the original failed.
    BugOn = 1,
    /// An entry was used that the look-up before did not find.
    NullEntry,
    /// An entry behind the end of a table was used; the frame is that table's.
    OutsidePage,
    /// A frame was used as a table that is none.
    WildPage,
    /// A frame was freed that was not allocated.
    BadFree,
    /// A page reference was dropped that the shadow code did not hold.
    PutNotHeld,
    /// One step pinned more stack pages than a host survives.
    Lockup,
    /// A frame was written to after it had been freed.
    DirtyFree,
}

impl BugKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::BugOn,
        Self::NullEntry,
        Self::OutsidePage,
        Self::WildPage,
        Self::BadFree,
        Self::PutNotHeld,
        Self::Lockup,
        Self::DirtyFree,
    ];

    /// The kind's name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BugOn => "bug_on",
            Self::NullEntry => "null_entry",
            Self::OutsidePage => "outside_page",
            Self::WildPage => "wild_page",
            Self::BadFree => "bad_free",
            Self::PutNotHeld => "put_not_held",
            Self::Lockup => "lockup",
            Self::DirtyFree => "dirty_free",
        }
    }
}

/// A crash of the host: its kind, and the number of the page frame concerned.
///
/// It packs into one register, and a `Result<(), HostBug>` does too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct HostBug(NonZeroU64);

impl HostBug {
    /// A failed assertion.
    pub const BUG_ON: Self = Self::new(BugKind::BugOn, 0);
    /// A missing entry was used.
    pub const NULL_ENTRY: Self = Self::new(BugKind::NullEntry, 0);
    /// Too many stack pages were pinned.
    pub const LOCKUP: Self = Self::new(BugKind::Lockup, 0);

    /// A bug of this kind about frame `pfn`; 0 where no frame is concerned.
    pub const fn new(kind: BugKind, pfn: u32) -> Self {
        // No kind has number 0, so the fallback is never taken; it only spares a panic.
        match NonZeroU64::new(((kind as u64) << 32) | pfn as u64) {
            Some(packed) => Self(packed),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// What happened.
    pub const fn kind(self) -> BugKind {
        match self.0.get() >> 32 {
            2 => BugKind::NullEntry,
            3 => BugKind::OutsidePage,
            4 => BugKind::WildPage,
            5 => BugKind::BadFree,
            6 => BugKind::PutNotHeld,
            7 => BugKind::Lockup,
            8 => BugKind::DirtyFree,
            _ => BugKind::BugOn,
        }
    }

    /// The frame number concerned, or 0.
    pub const fn pfn(self) -> u32 {
        self.0.get() as u32
    }
}
