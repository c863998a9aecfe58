// SPDX-License-Identifier: GPL-2.0-or-later
//! The dice of the generators: a small generator of pseudo-random numbers that is the same everywhere.

/// A state of 64 bits that walks by a constant; each value is a product folded in half.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// Dice for one scenario.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0xa076_1d64_78bd_642f);
        let product = u128::from(self.0) * u128::from(self.0 ^ 0xe703_7ed1_a0b4_28db);
        (product >> 64) as u64 ^ product as u64
    }

    /// 32 random bits.
    #[inline]
    pub fn word(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// A number below `n`; 0 if `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(n)) >> 32) as u32
    }

    /// A number from `low` to `high`.
    #[inline]
    pub fn range(&mut self, low: u32, high: u32) -> u32 {
        low.wrapping_add(self.below(high.wrapping_sub(low).wrapping_add(1)))
    }

    /// True once in `n` times.
    #[inline]
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// True `n` times in a hundred.
    #[inline]
    pub fn percent(&mut self, n: u32) -> bool {
        self.below(100) < n
    }

    /// One of `choices`, which are not empty.
    #[inline]
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u32) as usize]
    }

    /// An index by weight; 0 if no weight is set.
    #[inline]
    pub fn weighted(&mut self, weights: &[u16], total: u32) -> usize {
        let mut left = self.below(total);
        for (i, weight) in weights.iter().enumerate() {
            let weight = u32::from(*weight);
            if left < weight {
                return i;
            }
            left -= weight;
        }
        0
    }
}
