// SPDX-License-Identifier: GPL-2.0-or-later
//! Random draws: what a host answers when the shadow code asks for a number.

use crate::{Quals, Verb};

/// What the draw of `init_guest_pagetable` depends on, beside the seed.
pub const START: (Verb, [u32; 5]) = (Verb::Destroy, [0; 5]);

/// Mixes a word into a 64-bit state: good enough to choose by, and cheap.
pub fn mix(state: u64, word: u64) -> u64 {
    let mut x = state.wrapping_add(word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The draw that a step makes as its `nth`, from 0: the planned slot, or a hash of the seed and of what the step is,
/// never of where it stands.
pub fn draw(seed: u64, quals: &Quals, (verb, args): (Verb, [u32; 5]), nth: u32) -> u32 {
    match quals.draw {
        Some(slot) => slot.into(),
        None => {
            let words = args
                .iter()
                .fold(verb as u64, |sum, arg| mix(sum, u64::from(*arg)));
            (mix(seed, words.wrapping_add(nth.into())) >> 32) as u32
        }
    }
}
