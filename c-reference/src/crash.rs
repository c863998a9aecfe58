// SPDX-License-Identifier: GPL-2.0-or-later
//! What would have crashed, corrupted or hung a host, as a value.

use std::fmt;

use crate::bindings as c;

/// How the host would have come to harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CrashKind {
    /// The original's own check for what cannot be.
    BugOn = c::LG_CRASH_BUG_ON,
    /// A table entry that is not there was followed.
    NullEntry = c::LG_CRASH_NULL_ENTRY,
    /// An entry behind the end of a table was read; the table's frame.
    OutsidePage = c::LG_CRASH_OUTSIDE_PAGE,
    /// A frame that holds no table was read as one; that frame.
    WildPage = c::LG_CRASH_WILD_PAGE,
    /// A frame was freed that could not be; that frame.
    BadFree = c::LG_CRASH_BAD_FREE,
    /// A reference was given back that was never taken; the frame.
    PutNotHeld = c::LG_CRASH_PUT_NOT_HELD,
    /// One call went on to pin more stack pages than a host survives.
    Lockup = c::LG_CRASH_LOCKUP,
    /// A free frame was written to; that frame.
    DirtyFree = c::LG_CRASH_DIRTY_FREE,
}

impl CrashKind {
    /// Every kind.
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

    /// Its name in reports.
    pub fn name(self) -> &'static str {
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

/// A crash and the frame concerned (0 where there is none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Crash {
    /// What happened.
    pub kind: CrashKind,
    /// Frame number.
    pub pfn: u32,
}

impl Crash {
    /// A crash of this kind at this frame.
    #[inline]
    pub fn new(kind: CrashKind, pfn: u32) -> Self {
        Self { kind, pfn }
    }

    /// As it crosses the door.
    #[inline]
    pub(crate) fn packed(self) -> u64 {
        u64::from(self.kind as u32) << 32 | u64::from(self.pfn)
    }

    /// From what the door returned, which is 0 if nothing happened.
    #[inline]
    pub(crate) fn unpack(packed: u64) -> Result<(), Self> {
        if packed == 0 {
            return Ok(());
        }
        let kind = CrashKind::ALL
            .into_iter()
            .find(|&kind| kind as u64 == packed >> 32);
        let kind = kind.expect("the door returns the kinds of world.h");
        Err(Self {
            kind,
            pfn: packed as u32,
        })
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pfn {
            0 => f.write_str(self.kind.name()),
            pfn => write!(f, "{} of frame {pfn:#x}", self.kind.name()),
        }
    }
}

impl std::error::Error for Crash {}
