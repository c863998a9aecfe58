// SPDX-License-Identifier: GPL-2.0-or-later
//! Which of the original's defects are mended.
//!
//! `grep 'Fix::'` lists every place where the port may do otherwise than the original.

/// A mended defect, named after its finding; `corpora/findings` has a scenario for each.
///
/// Where a guest is killed for what the original let through, it dies of the reason that the
/// original has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fix {
    /// SET_PGD refuses the index one past the last entry (C 1034).
    C1,
    /// An update with an entry that fails its check empties the entry it released (C 949-960).
    C2,
    /// A table that loses its Switcher to SET_PGD is marked so, and gets it back before it is
    /// used (C 1044-1050). The finding C26 is another end of the same defect.
    C3,
    /// A guest that cannot be started leaves no top level behind (C 1087-1089).
    C7b,
    /// A flush of the user's mappings reaches up to the kernel's address, also where that is
    /// in the middle of a top-level entry (C 658).
    C9,
    /// The first tables of a guest, at guest-physical 0, have one slot and not two (C 875-879).
    C17,
    /// A stack of a bad size is neither recorded nor pinned (outside of the original's file).
    C18,
    /// An update that is not present pins no page (C 957-963).
    C23,
    /// Upper-level entries above the Switcher have the flags that the Switcher needs, whoever
    /// comes first (C 335 and 369).
    C24,
    /// An update that maps for writing has its page for writing, dirty or not (C 961-963).
    C25,
}

impl Fix {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::C1,
        Self::C2,
        Self::C3,
        Self::C7b,
        Self::C9,
        Self::C17,
        Self::C18,
        Self::C23,
        Self::C24,
        Self::C25,
    ];

    /// The fix's bit in the mask of [`Mixed`].
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The id of its finding.
    pub const fn id(self) -> &'static str {
        match self {
            Self::C1 => "C1",
            Self::C2 => "C2",
            Self::C3 => "C3",
            Self::C7b => "C7b",
            Self::C9 => "C9",
            Self::C17 => "C17",
            Self::C18 => "C18",
            Self::C23 => "C23",
            Self::C24 => "C24",
            Self::C25 => "C25",
        }
    }
}

/// Answers which defects are mended. It is a type so that a fixed answer costs nothing.
pub trait Policy: Copy {
    /// Whether this one is.
    fn fixes(&self, fix: Fix) -> bool;
}

/// None: the port does what the original does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faithful;

/// All of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardened;

/// Those whose [`Fix::bit`] is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mixed(pub u32);

impl Policy for Faithful {
    #[inline]
    fn fixes(&self, _: Fix) -> bool {
        false
    }
}

impl Policy for Hardened {
    #[inline]
    fn fixes(&self, _: Fix) -> bool {
        true
    }
}

impl Policy for Mixed {
    #[inline]
    fn fixes(&self, fix: Fix) -> bool {
        self.0 & fix.bit() != 0
    }
}

impl Mixed {
    /// All fixes.
    pub const ALL: Self = Self((1 << Fix::ALL.len()) - 1);

    /// The same but those whose bits are set in `mask`.
    #[must_use]
    pub const fn without(self, mask: u32) -> Self {
        Self(self.0 & !mask)
    }
}
