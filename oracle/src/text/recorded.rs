// SPDX-License-Identifier: GPL-2.0-or-later
//! Recorded results in the text form: a line behind the step that they came of, `=`, a letter, numbers.
//!
//! The letters and the order of the numbers are those of a trace (`crate::trace`). Addresses, entries and flags are
//! hexadecimal, all else decimal; a CPU of -1 is `none`. `= none` says that nothing came of the step, `= more` that
//! the recording ends within it. A kill message stands in pieces of up to 16 bytes, `\xNN` for what cannot be shown.

use super::TextError;
use super::lex::{Cursor, Token, list, quote};
use lguest_engine::scenario::recorded::{CHECK, LETTERS, MORE, NONE, TEXT};
use lguest_engine::scenario::step::{join, split};
use lguest_engine::{Check, Recorded};
use std::fmt::Write;

/// How a number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Decimal.
    Count,
    /// Hexadecimal.
    Hex,
    /// Hexadecimal, in two words.
    Wide,
    /// A host CPU, or none.
    Cpu,
}

/// The numbers of a letter.
const fn fields(letter: u8) -> &'static [Field] {
    use Field::{Count, Cpu, Hex, Wide};
    match letter {
        b'd' => &[Count, Hex, Hex],
        b'a' => &[Count, Hex],
        b'q' => &[Count, Hex],
        b't' => &[Count, Hex, Hex, Hex],
        b'n' => &[Count, Count],
        b'w' | b'r' => &[Hex, Wide],
        b'P' => &[Hex, Count],
        b'f' => &[Hex, Count, Count],
        b'R' => &[Count, Count, Hex],
        b'i' => &[Count],
        b'W' => &[Cpu, Count],
        b'B' => &[Hex, Hex],
        _ => &[],
    }
}

const NONE_WORD: &str = "none";
const MORE_WORD: &str = "more";
/// Words that stand for what no letter does.
pub const WORDS: [&str; 2] = [NONE_WORD, MORE_WORD];

fn push_cpu(out: &mut String, cpu: i32) {
    // A String takes whatever is written to it.
    let _ = match cpu {
        -1 => write!(out, " {NONE_WORD}"),
        cpu => write!(out, " {}", cpu as u32),
    };
}

/// Appends the canonical text of a recorded result.
pub fn push(out: &mut String, recorded: &Recorded) {
    out.push_str("= ");
    match recorded.letter {
        NONE => return out.push_str(NONE_WORD),
        MORE => return out.push_str(MORE_WORD),
        letter => out.push(char::from(letter)),
    }
    match recorded.letter {
        TEXT => {
            let (bytes, len) = recorded.text();
            out.push_str(" \"");
            push_text(out, &bytes[..len]);
            out.push('"');
        }
        CHECK => {
            let check = Check::unpack(recorded.words);
            let _ = write!(
                out,
                " {} {:#x} {}",
                check.slot,
                check.gpgdir,
                u8::from(check.switcher_mapped)
            );
            push_cpu(out, check.last_host_cpu.into());
            let _ = write!(out, " {} {} {:#x}", check.pgds, check.ptes, check.hash);
        }
        letter => {
            let mut words = recorded.words.into_iter();
            for field in fields(letter) {
                let word = words.next().unwrap_or_default();
                let _ = match field {
                    Field::Count => write!(out, " {word}"),
                    Field::Hex => write!(out, " {word:#x}"),
                    Field::Wide => {
                        write!(out, " {:#x}", join(word, words.next().unwrap_or_default()))
                    }
                    Field::Cpu => {
                        push_cpu(out, word as i32);
                        Ok(())
                    }
                };
            }
        }
    }
}

/// Appends bytes as they stand between quotation marks.
pub fn push_text(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            // A `#` would look like a comment.
            b'"' | b'#' | b'\\' | ..0x20 | 0x7f.. => {
                let _ = write!(out, "\\x{byte:02x}");
            }
            _ => out.push(char::from(*byte)),
        }
    }
}

/// Takes what stands behind the `=`.
pub fn parse(cursor: &mut Cursor<'_>) -> Result<Recorded, TextError> {
    let at = cursor.position();
    let name = cursor.atom("a letter, `none` or `more`")?;
    let letter = match name.as_bytes() {
        [letter] if LETTERS.iter().any(|(known, _)| known == letter) => *letter,
        _ if name == NONE_WORD => NONE,
        _ if name == MORE_WORD => MORE,
        _ => {
            let letters: Vec<_> = LETTERS[2..]
                .iter()
                .map(|(letter, _)| char::from(*letter).to_string())
                .collect();
            let names = letters
                .iter()
                .map(String::as_str)
                .chain([NONE_WORD, MORE_WORD]);
            let what = format!("{} is no recorded result", quote(name));
            return Err(cursor.error_at(at, what, list(names)));
        }
    };
    match letter {
        TEXT => text(cursor),
        CHECK => check(cursor),
        letter => {
            let mut words = Vec::with_capacity(4);
            for field in fields(letter) {
                match field {
                    Field::Count => words.push(cursor.u32("a recorded number")?),
                    Field::Hex => words.push(cursor.u32("a recorded address or flags")?),
                    Field::Wide => {
                        let (lo, hi) = split(cursor.number("a recorded entry", 0..=u64::MAX)?);
                        words.extend([lo, hi]);
                    }
                    Field::Cpu => words.push(cpu(cursor)? as u32),
                }
            }
            Ok(Recorded::new(letter, &words))
        }
    }
}

fn cpu(cursor: &mut Cursor<'_>) -> Result<i32, TextError> {
    if cursor.word(NONE_WORD)? {
        return Ok(-1);
    }
    Ok(cursor.number("a host CPU or `none`", 0..=31)? as i32)
}

fn check(cursor: &mut Cursor<'_>) -> Result<Recorded, TextError> {
    let check = Check {
        slot: cursor.number("a slot", 0..=3)? as u8,
        gpgdir: cursor.u32("the address of a page directory")?,
        switcher_mapped: cursor.number("whether the Switcher is mapped", 0..=1)? != 0,
        last_host_cpu: cpu(cursor)? as i8,
        pgds: cursor.number("present top-level entries", 0..=1024)? as u16,
        ptes: cursor.u32("present entries")?,
        hash: cursor.u32("their hash")?,
    };
    Ok(Recorded {
        letter: CHECK,
        words: check.pack(),
    })
}

fn text(cursor: &mut Cursor<'_>) -> Result<Recorded, TextError> {
    const EXPECTED: &str = "up to 16 bytes of a kill message between quotation marks";
    let at = cursor.position();
    let Token::Text(raw) = cursor.peek() else {
        return Err(cursor.error(EXPECTED));
    };
    let bad = |what: &str| cursor.error_at(at, what.into(), EXPECTED);
    let mut bytes = Vec::with_capacity(16);
    let mut rest = raw.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let byte = match byte {
            b'\\' => {
                let escaped = after
                    .strip_prefix(b"x")
                    .and_then(|hex| hex.split_at_checked(2));
                let Some((hex, after)) = escaped else {
                    return Err(bad("a backslash without xNN behind it"));
                };
                rest = after;
                let digits = std::str::from_utf8(hex).unwrap_or_default();
                let value = u8::from_str_radix(digits, 16).ok();
                match value.filter(|v| *v != 0 && hex.iter().all(u8::is_ascii_hexdigit)) {
                    Some(value) => value,
                    None => return Err(bad("a backslash without a byte from x01 to xff")),
                }
            }
            0x20..0x7f => *byte,
            _ => return Err(bad("a character that is not ASCII")),
        };
        bytes.push(byte);
    }
    if bytes.len() > 16 {
        return Err(bad("a piece that is too long"));
    }
    cursor.advance()?;
    Ok(Recorded::of_text(&bytes))
}
