// SPDX-License-Identifier: GPL-2.0-or-later
//! The check of a shadow: how many entries are present, and a hash over the lowest ones.

use std::cell::Cell;

use lguest_engine::{Check, Machinery, Side, State};

/// Bits that are hashed: all flags of 12 but accessed and dirty, which a real processor sets.
const HASHED: u32 = 0xf9f;
const SEED: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;

/// A check of shadow `slot`.
pub fn check<S: Side>(side: &S, state: &State, slot: usize) -> Check {
    let of = state.slots[slot & 3];
    let mut check = Check {
        slot: (slot & 3) as u8,
        gpgdir: of.gpgdir,
        switcher_mapped: of.switcher_mapped,
        last_host_cpu: of.last_host_cpu as i8,
        pgds: 0,
        ptes: 0,
        hash: SEED,
    };
    let host = side.host();
    let Some(top) = (of.pgdir != 0)
        .then(|| host.table(of.pgdir >> 12))
        .flatten()
    else {
        return check;
    };
    if side.pae() {
        for (i, entry) in present(&top[..8], 2) {
            check.pgds += 1;
            let Some(middle) = host.table(entry >> 12) else {
                continue;
            };
            for (j, entry) in present(middle, 2) {
                if let Some(lowest) = host.table(entry >> 12) {
                    add(&mut check, lowest, 2, i << 30 | j << 21);
                }
            }
        }
    } else {
        for (i, entry) in present(top, 1) {
            check.pgds += 1;
            if let Some(lowest) = host.table(entry >> 12) {
                add(&mut check, lowest, 1, i << 22);
            }
        }
    }
    check
}

/// The entries of a table that are present: index and low word.
fn present(words: &[Cell<u32>], step: usize) -> impl Iterator<Item = (u32, u32)> {
    words
        .iter()
        .step_by(step)
        .enumerate()
        .map(|(i, word)| (i as u32, word.get()))
        .filter(|(_, word)| word & 1 != 0)
}

fn add(check: &mut Check, words: &[Cell<u32>], step: usize, base: u32) {
    for (i, entry) in present(words, step) {
        check.ptes += 1;
        let address = base | i << 12;
        check.hash = (check.hash ^ (address | entry & HASHED)).wrapping_mul(PRIME);
    }
}
