// SPDX-License-Identifier: GPL-2.0-or-later
//! Which original this was built with.

/// The original and how it was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where the build found it, or put it when it had fetched it.
    pub path: &'static str,
    /// The variable, usual place or address that named it.
    pub found_by: &'static str,
    /// SHA-256 of the original, in lower-case hex.
    pub sha256: &'static str,
    /// Whether that is the pinned one.
    pub pinned: bool,
    /// The file that was compiled: the derived one, or a copy.
    pub compiled_file: &'static str,
    /// `derived`, or `llp64` for the byte-unmodified file.
    pub variant: &'static str,
    /// First line of the compiler's own description.
    pub compiler: &'static str,
    /// Optimisation, switches and extra flags.
    pub options: &'static str,
    /// Line and column of each literal that the derived file has narrowed.
    pub replaced: &'static [(usize, usize)],
}

static BUILT_WITH: Option<Reference> = include!(concat!(env!("OUT_DIR"), "/reference.rs"));

/// The original that this was built with, or `None` if the build found none.
pub fn reference() -> Option<&'static Reference> {
    BUILT_WITH.as_ref()
}
