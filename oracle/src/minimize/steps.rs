// SPDX-License-Identifier: GPL-2.0-or-later
//! Delta debugging over the steps: pieces go, from halves down to single steps.

use super::Search;

/// Drops what steps can go, until no single one can.
///
/// From the last to the first: what later steps need is done by earlier ones, and goes once they are gone.
pub fn drop(search: &mut Search<'_>) {
    let mut size = (search.best().steps.len() / 2).max(1);
    loop {
        let taken = pieces(search, size);
        if search.over() || size == 1 && !taken {
            return;
        }
        // At single steps as long as that helps: each that goes may make others needless.
        size = (size / 2).max(1);
    }
}

/// Tries to drop each piece of this size.
fn pieces(search: &mut Search<'_>, size: usize) -> bool {
    let mut taken = false;
    let mut end = search.best().steps.len();
    while end > 0 && !search.over() {
        let start = end.saturating_sub(size);
        taken |= search.try_change(|candidate| {
            candidate.steps.drain(start..end);
        });
        // Steps behind the trouble go with whatever is taken.
        end = start.min(search.best().steps.len());
    }
    taken
}
