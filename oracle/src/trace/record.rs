// SPDX-License-Identifier: GPL-2.0-or-later
//! The records of a trace: a line each, a digit for the depth of nesting, a letter, numbers.

use std::fmt;

use lguest_engine::Recorded;
use lguest_engine::scenario::step::split;

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// Hexadecimal, up to 32 bits.
    Hex,
    /// Hexadecimal, up to 64 bits.
    Wide,
    /// Decimal, up to 32 bits.
    Dec,
    /// Decimal, with a sign.
    Signed,
}

/// Most numbers of a record.
pub const NUMBERS: usize = 7;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Record {
    /// 0 for what was called from outside of page_tables.c.
    pub depth: u8,
    /// What it is; one of the letters in this module's table, or [`MESSAGE`].
    pub letter: u8,
    /// Its numbers; a negative one in two's complement.
    pub n: [u64; NUMBERS],
    /// The message of an `X`.
    pub text: String,
}

/// All letters, with their numbers.
const LETTERS: [(u8, &[Field]); 27] = {
    use Field::{Dec, Hex, Signed, Wide};
    [
        (b'I', &[Hex, Hex, Hex, Hex, Dec, Dec, Dec]),
        (b'i', &[Dec]),
        (b'B', &[Hex, Hex, Hex]),
        (b'D', &[Hex, Hex, Dec, Dec]),
        (b'd', &[Dec, Hex, Hex]),
        (b'S', &[Hex, Hex, Wide]),
        (b't', &[Dec, Hex, Hex, Hex]),
        (b'G', &[Hex, Hex, Dec]),
        (b'q', &[Dec, Hex]),
        (b'M', &[Hex, Hex]),
        (b'N', &[Hex, Dec, Dec]),
        (b'n', &[Dec, Dec]),
        (b'R', &[Dec, Dec, Hex]),
        (b'U', &[Dec]),
        (b'C', &[]),
        (b'c', &[]),
        (b'K', &[Hex, Hex, Dec]),
        (b'k', &[]),
        (b'P', &[Hex, Dec]),
        (b'A', &[Hex, Dec, Dec]),
        (b'a', &[Dec, Hex]),
        (b'W', &[Dec, Signed, Dec]),
        (b'r', &[Hex, Wide]),
        (b'w', &[Hex, Wide]),
        (b'f', &[Hex, Dec, Dec]),
        (b'Z', &[Dec, Hex, Dec, Signed, Dec, Dec, Hex]),
        (b'F', &[]),
    ]
};

/// A kill message; the rest of its line is text.
pub const MESSAGE: u8 = b'X';

fn fields(letter: u8) -> Option<&'static [Field]> {
    LETTERS
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, fields)| *fields)
}

impl Record {
    /// A record without text.
    pub fn new(depth: u8, letter: u8, numbers: &[u64]) -> Record {
        let mut n = [0; NUMBERS];
        n[..numbers.len()].copy_from_slice(numbers);
        Record {
            depth,
            letter,
            n,
            text: String::new(),
        }
    }

    /// A kill message; a line's end in it is dropped as the log drops it.
    pub fn message(depth: u8, text: &[u8]) -> Record {
        Record {
            depth,
            letter: MESSAGE,
            n: [0; NUMBERS],
            text: String::from_utf8_lossy(text).trim_end().to_owned(),
        }
    }

    /// A number as 32 bits.
    pub fn at(&self, i: usize) -> u32 {
        self.n[i] as u32
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(line: &str) -> Result<Record, String> {
        let mut chars = line.bytes();
        let (Some(depth), Some(letter)) = (chars.next(), chars.next()) else {
            return Err(
                "too short for a record; expected a depth, a letter, and its numbers".into(),
            );
        };
        if !depth.is_ascii_digit() {
            return Err("no record of a trace; expected a digit, the depth, first".into());
        }
        let rest = line.get(2..).unwrap_or_default();
        let mut record = Record::new(depth - b'0', letter, &[]);
        if letter == MESSAGE {
            let Some(text) = rest.strip_prefix(' ') else {
                return Err("a kill without its message; expected a space and text".into());
            };
            text.trim_end().clone_into(&mut record.text);
            return Ok(record);
        }
        let Some(fields) = fields(letter) else {
            let letter = char::from(letter).escape_default();
            return Err(format!("an unknown kind of record, `{letter}`"));
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return Err("no space behind the letter".into());
        }
        let mut words = rest.split(' ').skip(1);
        for (to, field) in record.n.iter_mut().zip(fields) {
            let Some(word) = words.next() else {
                return Err(cut(letter, fields));
            };
            *to = field.parse(word)?;
        }
        match words.next() {
            None => Ok(record),
            Some(_) => Err(cut(letter, fields)),
        }
    }

    /// What of it a scenario holds a replay to; nothing for what only opens or closes a call.
    pub fn recorded(&self) -> Option<Recorded> {
        let n = |i: usize| self.n[i] as u32;
        let numbers: &[u32] = match self.letter {
            b'd' | b'f' | b'R' => &[n(0), n(1), n(2)],
            b'a' | b'q' | b'n' | b'P' => &[n(0), n(1)],
            b't' => &[n(0), n(1), n(2), n(3)],
            b'w' | b'r' => {
                let (lo, hi) = split(self.n[1]);
                &[n(0), lo, hi]
            }
            b'i' => &[n(0)],
            b'W' => &[n(1), n(2)],
            b'B' => &[n(1), n(2)],
            _ => return None,
        };
        Some(Recorded::new(self.letter, numbers))
    }
}

fn cut(letter: u8, fields: &[Field]) -> String {
    format!(
        "`{}` has the wrong number of numbers; expected {}",
        char::from(letter),
        fields.len()
    )
}

impl Field {
    fn parse(self, word: &str) -> Result<u64, String> {
        let (radix, digits) = match self {
            Field::Hex | Field::Wide => (16, word),
            Field::Dec => (10, word),
            Field::Signed => (10, word.strip_prefix('-').unwrap_or(word)),
        };
        let most = match self {
            Field::Wide => u64::MAX,
            Field::Signed => i32::MAX as u64,
            _ => u32::MAX.into(),
        };
        let kind = if radix == 16 {
            "a hexadecimal number"
        } else {
            "a decimal number"
        };
        let value = (!digits.starts_with('+'))
            .then(|| u64::from_str_radix(digits, radix).ok())
            .flatten()
            .filter(|value| *value <= most);
        match value {
            Some(value) if digits.len() < word.len() => Ok(value.wrapping_neg()),
            Some(value) => Ok(value),
            None => Err(format!(
                "`{}` is not {kind} of the range that belongs there",
                word.escape_debug()
            )),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}{}", self.depth, char::from(self.letter))?;
        if self.letter == MESSAGE {
            return write!(to, " {}", self.text);
        }
        for (n, field) in self.n.iter().zip(fields(self.letter).unwrap_or_default()) {
            match field {
                Field::Hex | Field::Wide => write!(to, " {n:x}")?,
                Field::Dec => write!(to, " {n}")?,
                Field::Signed => write!(to, " {}", *n as i64)?,
            }
        }
        Ok(())
    }
}
