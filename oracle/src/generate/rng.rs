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
}

/// Choices by weight, laid out so that one draw and one look make a choice.
#[derive(Clone, Debug)]
pub(super) struct Wheel([u8; 256]);

impl Default for Wheel {
    fn default() -> Self {
        Wheel([0; 256])
    }
}

impl Wheel {
    /// Each index gets room by its weight, and some if it has any; index 0 gets all if none has.
    pub fn new(weights: &[u16]) -> Self {
        let mut wheel = Wheel::default();
        let total = weights
            .iter()
            .map(|weight| u32::from(*weight))
            .sum::<u32>()
            .max(1);
        let mut rest = &mut wheel.0[..];
        for (i, weight) in weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight != 0)
        {
            let room = (u32::from(*weight) * 256 / total).max(1) as usize;
            let (mine, others) = rest.split_at_mut(room.min(rest.len()));
            mine.fill(i as u8);
            rest = others;
        }
        // What rounding left over goes to the heaviest.
        let heaviest = (0..weights.len()).max_by_key(|i| weights[*i]).unwrap_or(0);
        rest.fill(heaviest as u8);
        wheel
    }

    /// An index.
    #[inline]
    pub fn spin(&self, rng: &mut Rng) -> usize {
        self.0[(rng.word() & 255) as usize].into()
    }
}
