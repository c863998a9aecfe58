// SPDX-License-Identifier: GPL-2.0-or-later
//! Which of the original's defects are mended.

/// A mended defect, named after its finding. There is none so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fix {}

impl Fix {
    /// The fix's bit in the mask of [`Mixed`].
    pub const fn bit(self) -> u32 {
        match self {}
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
