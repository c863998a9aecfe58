// SPDX-License-Identifier: GPL-2.0-or-later
//! The records of the entries of one table.

use std::cell::Cell;

use super::leaf::{ACCESSED_DIRTY, Leaf, Origin};

/// Records by the number of their entry: of 1024, or 512 where entries have eight bytes.
pub struct Leaves {
    /// A bit for each entry that is present.
    present: [u64; 16],
    /// The table as it should be, without what the processor sets: zero where no entry is present.
    words: [u32; 1024],
    /// What each entry that is present came from.
    origins: [Origin; 1024],
}

impl Default for Leaves {
    fn default() -> Self {
        Leaves {
            present: [0; 16],
            words: [0; 1024],
            origins: [Origin::default(); 1024],
        }
    }
}

impl Leaves {
    fn has(&self, slot: usize) -> bool {
        self.present[(slot / 64) & 15] >> (slot % 64) & 1 != 0
    }

    fn value(&self, slot: usize, pae: bool) -> u64 {
        if pae {
            let low = u64::from(self.words[(slot * 2) & 1023]);
            u64::from(self.words[(slot * 2 + 1) & 1023]) << 32 | low
        } else {
            u64::from(self.words[slot & 1023])
        }
    }

    /// The record of an entry, if it is present.
    #[inline]
    pub fn get(&self, slot: usize, pae: bool) -> Option<Leaf> {
        let leaf = || Leaf::new(self.value(slot, pae), self.origins[slot & 1023]);
        self.has(slot).then(leaf)
    }

    /// What an entry came from, if it is present.
    pub fn origin_mut(&mut self, slot: usize) -> Option<&mut Origin> {
        self.has(slot).then(|| &mut self.origins[slot & 1023])
    }

    /// The record of an entry is this now: that of before.
    #[inline(always)]
    pub fn set(&mut self, slot: usize, pae: bool, leaf: Option<Leaf>) -> Option<Leaf> {
        let old = self.get(slot, pae);
        let (word, bit) = ((slot / 64) & 15, 1 << (slot % 64));
        let value = match leaf {
            Some(leaf) => {
                self.present[word] |= bit;
                self.origins[slot & 1023] = leaf.origin;
                leaf.value()
            }
            None => {
                self.present[word] &= !bit;
                0
            }
        };
        if pae {
            self.words[(slot * 2) & 1023] = value as u32;
            self.words[(slot * 2 + 1) & 1023] = (value >> 32) as u32;
        } else {
            self.words[slot & 1023] = value as u32;
        }
        old
    }

    /// Takes out all that are present.
    pub fn drain(&mut self, pae: bool, mut each: impl FnMut(Leaf)) {
        for word in 0..self.present.len() {
            while self.present[word] != 0 {
                let slot = word * 64 + self.present[word].trailing_zeros() as usize;
                if let Some(leaf) = self.set(slot, pae, None) {
                    each(leaf);
                }
            }
        }
    }

    /// What each entry that is present came from, with its number.
    pub fn each_mut(&mut self, mut each: impl FnMut(usize, &mut Origin)) {
        for (word, bits) in self.present.iter().enumerate() {
            let mut left = *bits;
            while left != 0 {
                let slot = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                each(slot, &mut self.origins[slot]);
            }
        }
    }

    /// Whether a table is just as it should be, but for what the processor sets.
    pub fn are(&self, table: &[Cell<u32>; 1024], pae: bool) -> bool {
        let mut differ = [0; 4];
        let blocks = table.as_chunks().0.iter().zip(self.words.as_chunks().0);
        for (i, (is, should)) in blocks.enumerate() {
            let entries = if pae { i / 2 } else { i };
            let present = self.present[entries & 15];
            // Of a block that holds nothing, what it should hold need not be read: that is half of all there is to read.
            if present == 0 && nothing(is) {
                continue;
            }
            for (differ, lane) in differ.iter_mut().zip(apart(is, should)) {
                *differ |= lane;
            }
        }
        let high = if pae { 0 } else { ACCESSED_DIRTY };
        let [a, b, c, d] = differ;
        (a | c) & !ACCESSED_DIRTY | (b | d) & !high == 0
    }
}

/// A part of a table that is looked at at once.
type Block<W> = [W; 64];

/// All words are zero. Side by side and without a branch for each, and a function of its own, here and below: for the
/// compiler to turn into wide compares.
#[inline(never)]
fn nothing(is: &Block<Cell<u32>>) -> bool {
    is.iter().fold(0, |sum, word| sum | word.get()) == 0
}

/// The bits by which words differ, of every fourth one in one: low and high halves of entries of eight bytes stay apart.
#[inline(never)]
fn apart(is: &Block<Cell<u32>>, should: &Block<u32>) -> [u32; 4] {
    let mut differ = [0; 4];
    for (is, should) in is.as_chunks::<4>().0.iter().zip(should.as_chunks::<4>().0) {
        for ((differ, is), should) in differ.iter_mut().zip(is).zip(should) {
            *differ |= is.get() ^ should;
        }
    }
    differ
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{ACCESSED_DIRTY, Leaf, Leaves, Origin};

    /// Some entries by number, the last one too, of frames that differ.
    fn entries(pae: bool) -> Vec<(usize, u64)> {
        let last = if pae { 511 } else { 1023 };
        [0, 63, 64, 300, last]
            .into_iter()
            .zip(1..)
            .map(|(slot, pfn)| (slot, u64::from(pae) << 63 | pfn << 12 | 7))
            .collect()
    }

    fn filled(pae: bool) -> (Leaves, [Cell<u32>; 1024]) {
        let (mut leaves, table) = (Leaves::default(), [const { Cell::new(0) }; 1024]);
        let size = if pae { 2 } else { 1 };
        for (slot, value) in entries(pae) {
            let leaf = Leaf::new(value, Origin::pinned(slot as u32, 1));
            assert!(leaves.set(slot, pae, Some(leaf)).is_none());
            table[slot * size].set(value as u32);
            if pae {
                table[slot * size + 1].set((value >> 32) as u32);
            }
        }
        (leaves, table)
    }

    #[test]
    fn a_table_is_as_recorded_but_for_what_the_processor_sets() {
        for pae in [false, true] {
            let (leaves, table) = filled(pae);
            assert!(leaves.are(&table, pae));
            let size = if pae { 2 } else { 1 };
            for word in [0, 63 * size, 70 * size, 1023] {
                let high = pae && word % 2 == 1;
                for bit in 0..32 {
                    let is = table[word].get();
                    table[word].set(is ^ 1 << bit);
                    let processors = !high && ACCESSED_DIRTY >> bit & 1 != 0;
                    assert_eq!(
                        leaves.are(&table, pae),
                        processors,
                        "word {word}, bit {bit}"
                    );
                    table[word].set(is);
                }
            }
        }
    }

    #[test]
    fn what_is_drained_is_what_was_set_and_nothing_is_left() {
        for pae in [false, true] {
            let (mut leaves, _) = filled(pae);
            for (slot, value) in entries(pae) {
                let leaf = leaves.get(slot, pae).expect("a record");
                assert_eq!(
                    (leaf.value(), leaf.origin.page()),
                    (value, Some(slot as u32))
                );
            }
            assert!(leaves.get(1, pae).is_none());
            let mut drained = Vec::new();
            leaves.drain(pae, |leaf| drained.push(leaf.value()));
            let values: Vec<u64> = entries(pae).iter().map(|(_, value)| *value).collect();
            assert_eq!(drained, values);
            assert!(leaves.are(&[const { Cell::new(0) }; 1024], pae));
        }
    }
}
