// SPDX-License-Identifier: GPL-2.0-or-later
//! How the command ends: one code, and which of several wins.

/// What came of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All agree.
    Agree,
    /// A difference, or a breach that no finding explains.
    Differ,
    /// Bad usage or bad input.
    Usage,
    /// Nothing was tested.
    Nothing,
    /// A finding that no longer shows.
    FindingGone,
    /// The rig itself failed.
    Rig,
    /// Interrupted, with nothing found.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Agree => 0,
            Exit::Differ => 1,
            Exit::Usage => 2,
            Exit::Nothing => 3,
            Exit::FindingGone => 4,
            Exit::Rig => 5,
            Exit::Interrupted => 130,
        }
    }

    /// Of two results the one that is told.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        let rank = |exit: Exit| match exit {
            Exit::Usage => 6,
            Exit::Rig => 5,
            Exit::Differ => 4,
            Exit::FindingGone => 3,
            Exit::Interrupted => 2,
            Exit::Nothing => 1,
            Exit::Agree => 0,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}
