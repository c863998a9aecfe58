// SPDX-License-Identifier: GPL-2.0-or-later
//! The derived file: the original with its long literals narrowed to the 32
//! bits they had. Nothing else changes; no line moves.

/// A derived file and where it differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Line and column (from 1, in the original) of each literal replaced.
    pub replaced: Vec<(usize, usize)>,
}

const WIDE: &[u8] = b"-1UL";
const NARROW: &[u8] = b"-1U";

/// Replaces every long literal of minus one.
pub fn derive(original: &[u8]) -> Derived {
    let mut bytes = Vec::with_capacity(original.len());
    let mut replaced = Vec::new();
    let (mut line, mut line_start) = (1, 0);
    let mut at = 0;
    while let Some(&byte) = original.get(at) {
        let rest = &original[at..];
        let ends_here = !rest
            .get(WIDE.len())
            .is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_');
        if rest.starts_with(WIDE) && ends_here {
            bytes.extend_from_slice(NARROW);
            replaced.push((line, at - line_start + 1));
            at += WIDE.len();
            continue;
        }
        bytes.push(byte);
        at += 1;
        if byte == b'\n' {
            (line, line_start) = (line + 1, at);
        }
    }
    Derived { bytes, replaced }
}
