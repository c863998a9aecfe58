// SPDX-License-Identifier: GPL-2.0-or-later
//! Results that another host recorded: what stands in a scenario behind the step that they came of.
//!
//! A step of the verb [`super::Verb::Expect`] does nothing. It says what the step before it did on the host that
//! was recorded, in the terms of a trace: a letter, and up to four numbers. A replay holds each side to it.

/// A recorded result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    /// What was recorded; one of [`LETTERS`].
    pub letter: u8,
    /// Its numbers; those that the letter has no use for are 0.
    pub words: [u32; 4],
}

/// The step was recorded, and nothing came of it.
pub const NONE: u8 = b'-';
/// The recording ends in the middle of the step: more came of it than is told.
pub const MORE: u8 = b'+';
/// A piece of a kill message, up to 16 bytes.
pub const TEXT: u8 = b'X';
/// The state of one shadow, packed as in [`Check`].
pub const CHECK: u8 = b'Z';

/// All letters in their order, and how many numbers each has.
pub const LETTERS: [(u8, usize); 17] = [
    // Nothing, more.
    (NONE, 0),
    (MORE, 0),
    // A fault: fixed, I/O memory, flags of the shadow entry.
    (b'd', 3),
    // An address: found, guest-physical address.
    (b'a', 2),
    // A top-level entry about to be dropped: slot, flags.
    (b'q', 2),
    // An entry that was set: slot, guest-virtual address, flags before and after.
    (b't', 4),
    // A switch: slot, whether it was blank.
    (b'n', 2),
    // A guest entry written back, or read: guest-physical address, low and high half.
    (b'w', 3),
    (b'r', 3),
    // A stack page: guest-virtual address, whether it was writable.
    (b'P', 2),
    // A pin: guest page, for writing, success.
    (b'f', 3),
    // A slot drawn: slot, whether it is fresh, what it shadowed.
    (b'R', 3),
    // The start: slot.
    (b'i', 1),
    // The Switcher mapped anew: the CPU before, slot.
    (b'W', 2),
    // LGUEST_INIT: memory that is reserved at the top, lguest_data.
    (b'B', 2),
    (TEXT, 4),
    (CHECK, 4),
];

impl Recorded {
    /// A recorded result of these numbers.
    #[must_use]
    pub fn new(letter: u8, numbers: &[u32]) -> Recorded {
        let mut words = [0; 4];
        for (word, number) in words.iter_mut().zip(numbers) {
            *word = *number;
        }
        Recorded { letter, words }
    }

    /// As the arguments of a step.
    #[must_use]
    pub const fn args(&self) -> [u32; 5] {
        let [a, b, c, d] = self.words;
        [self.letter as u32, a, b, c, d]
    }

    /// Of the arguments of any step, reduced to something valid; valid arguments stay as they are.
    #[must_use]
    pub fn of(args: [u32; 5]) -> Recorded {
        let [letter, a, b, c, d] = args;
        let (letter, used) = match LETTERS.iter().find(|(l, _)| u32::from(*l) == letter) {
            Some(known) => *known,
            None => LETTERS[letter as usize % LETTERS.len()],
        };
        let mut words = [a, b, c, d];
        for word in words.iter_mut().skip(used) {
            *word = 0;
        }
        match letter {
            TEXT => {
                let mut ended = false;
                for word in &mut words {
                    let mut bytes = word.to_le_bytes();
                    for byte in &mut bytes {
                        ended |= *byte == 0;
                        if ended {
                            *byte = 0;
                        }
                    }
                    *word = u32::from_le_bytes(bytes);
                }
            }
            CHECK => words = Check::unpack(words).pack(),
            // A host CPU, -1 to 31.
            b'W' => words[0] = (words[0].wrapping_add(1) % 33).wrapping_sub(1),
            _ => {}
        }
        Recorded { letter, words }
    }

    /// The bytes of a piece of a message, and how many there are.
    #[must_use]
    pub fn text(&self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        for (to, word) in bytes.chunks_exact_mut(4).zip(self.words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let len = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        (bytes, len)
    }

    /// A piece of a message: its first 16 bytes at most, up to the first 0.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Recorded {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(text.iter().take_while(|b| **b != 0)) {
            *to = *from;
        }
        let mut words = [0; 4];
        for (word, from) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes([from[0], from[1], from[2], from[3]]);
        }
        Recorded {
            letter: TEXT,
            words,
        }
    }
}

/// The state of one shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// The shadow, 0 to 3.
    pub slot: u8,
    /// Guest-physical address of the page directory that it shadows.
    pub gpgdir: u32,
    /// The Switcher's tables are there.
    pub switcher_mapped: bool,
    /// The host CPU whose Switcher pages are mapped, -1 to 31.
    pub last_host_cpu: i8,
    /// Present top-level entries, up to 1024.
    pub pgds: u16,
    /// Present entries of the lowest level.
    pub ptes: u32,
    /// Hash of the latter.
    pub hash: u32,
}

impl Check {
    /// As four numbers. The first holds slot (2 bits), Switcher (1), CPU + 1 (6) and, from bit 12, top-level entries.
    #[must_use]
    pub const fn pack(&self) -> [u32; 4] {
        let cpu = (self.last_host_cpu + 1) as u32;
        let first = self.slot as u32
            | (self.switcher_mapped as u32) << 2
            | cpu << 3
            | (self.pgds as u32) << 12;
        [first, self.gpgdir, self.ptes, self.hash]
    }

    /// Of four numbers, reduced to something valid.
    #[must_use]
    pub const fn unpack(words: [u32; 4]) -> Check {
        let [first, gpgdir, ptes, hash] = words;
        Check {
            slot: (first & 3) as u8,
            gpgdir,
            switcher_mapped: first & 4 != 0,
            last_host_cpu: ((first >> 3 & 63) % 33) as i8 - 1,
            pgds: ((first >> 12) % 1025) as u16,
            ptes,
            hash,
        }
    }
}
