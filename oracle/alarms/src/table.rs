// SPDX-License-Identifier: GPL-2.0-or-later
//! What the tables of planted bugs are made of; the build script reads them too.

/// The paging modes in which a bug shows, and must be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Modes {
    /// Two-level paging alone.
    NoPae,
    /// Three levels alone.
    Pae,
    /// Each of them.
    Both,
}

impl Modes {
    /// Whether three-level (or else two-level) paging is among them.
    pub const fn has(self, pae: bool) -> bool {
        match self {
            Modes::NoPae => !pae,
            Modes::Pae => pae,
            Modes::Both => true,
        }
    }
}

/// The part of the original that a bug is in: its seven sections and what lies beside them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// H:320, addresses of entries, and the entries themselves.
    Walk,
    /// (i), a fault is looked up.
    Fault,
    /// (ii), the stack.
    Stack,
    /// (iii), a changed entry.
    Update,
    /// (iv), other page tables.
    Switch,
    /// (v), tables are thrown away; also the translation of addresses.
    Flush,
    /// (vi), the Switcher.
    Switcher,
    /// (vii), the first tables and the last.
    Setup,
    /// Hypercalls, guest memory and kill texts.
    Neighbours,
}

impl Place {
    /// The seven sections.
    pub const SECTIONS: [Self; 7] = [
        Self::Fault,
        Self::Stack,
        Self::Update,
        Self::Switch,
        Self::Flush,
        Self::Switcher,
        Self::Setup,
    ];
}
