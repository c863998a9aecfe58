// SPDX-License-Identifier: GPL-2.0-or-later
//! The digest of recordings: FNV-1a with 64 bits, over the bytes of a text or of a scenario's binary form.
//!
//! It tells changes apart that nobody made on purpose; it is no protection against those who want to collide.

use core::fmt;

/// A running digest; text can be written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fnv(u64);

impl Fnv {
    /// Of nothing.
    #[must_use]
    pub const fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Takes more bytes in.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The digest so far.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv::new()
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Fnv;

    /// From the authors' own table of test vectors.
    #[test]
    fn it_is_fnv_1a() {
        let of = |text: &str| {
            let mut digest = Fnv::new();
            digest.bytes(text.as_bytes());
            digest.value()
        };
        assert_eq!(of(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }
}
