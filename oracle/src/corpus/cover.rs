// SPDX-License-Identifier: GPL-2.0-or-later
//! Few sets with the same union as many: the one that brings the most for its cost is taken first, and what turned
//! out to be of no use goes again.
//!
//! A least cover cannot be had in any reasonable time; this one is irredundant (none that is kept can go), and by a
//! theorem of Chvátal's its cost is at most ln n + 1 times the least, n being the size of the largest set.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::feature::Features;

/// What is chosen from.
pub struct Candidate<'a> {
    /// What it brings.
    pub features: &'a Features,
    /// What it costs; more than 0.
    pub cost: u64,
}

/// A candidate as it was worth when last looked at. A worth can only fall.
#[derive(PartialEq, Eq)]
struct Worth {
    gain: u64,
    cost: u64,
    index: usize,
}

impl Ord for Worth {
    fn cmp(&self, other: &Worth) -> Ordering {
        let per_cost = |a: &Worth, b: &Worth| u128::from(a.gain) * u128::from(b.cost);
        per_cost(self, other)
            .cmp(&per_cost(other, self))
            .then(other.cost.cmp(&self.cost))
            .then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Worth {
    fn partial_cmp(&self, other: &Worth) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The indexes of those to keep, rising, so that with `had` they have all that the candidates have. Of equals the
/// first one is kept: in which order they come is the caller's choice, and all that the result depends on.
#[must_use]
pub fn choose(had: &HashSet<u64>, candidates: &[Candidate<'_>]) -> Vec<usize> {
    let mut have = had.clone();
    let mut heap: BinaryHeap<Worth> = candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| Worth {
            gain: candidate.features.len() as u64,
            cost: candidate.cost,
            index,
        })
        .collect();
    let mut kept = Vec::new();
    while let Some(best) = heap.pop() {
        let features = candidates[best.index].features;
        let gain = features.iter().filter(|id| !have.contains(id)).count() as u64;
        if gain == 0 {
            continue;
        }
        if gain < best.gain {
            heap.push(Worth { gain, ..best });
            continue;
        }
        have.extend(features);
        kept.push(best.index);
    }
    // The costliest is asked first whether it can go.
    kept.sort_by_key(|index| {
        (
            std::cmp::Reverse(candidates[*index].cost),
            std::cmp::Reverse(*index),
        )
    });
    let mut owners = HashMap::new();
    for index in &kept {
        for id in candidates[*index].features {
            *owners.entry(*id).or_insert(0_u32) += 1;
        }
    }
    kept.retain(|index| {
        let features = candidates[*index].features;
        let needed = features
            .iter()
            .any(|id| !had.contains(id) && owners.get(id) == Some(&1));
        if !needed {
            for id in features {
                if let Some(count) = owners.get_mut(id) {
                    *count -= 1;
                }
            }
        }
        needed
    });
    kept.sort_unstable();
    kept
}

/// For each set what it alone has, and is not among what is had anyway.
#[must_use]
pub fn own<'a>(had: &HashSet<u64>, sets: &[&'a Features]) -> Vec<Vec<&'a u64>> {
    let mut owners = HashMap::new();
    for id in sets.iter().copied().flatten() {
        *owners.entry(id).or_insert(0_u32) += 1;
    }
    let alone = |id: &&u64| owners.get(id) == Some(&1) && !had.contains(*id);
    sets.iter()
        .map(|set| set.iter().filter(alone).collect())
        .collect()
}
