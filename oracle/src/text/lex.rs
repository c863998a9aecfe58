// SPDX-License-Identifier: GPL-2.0-or-later
//! Splits one line of a scenario's text into tokens, and makes errors that point at them.

use super::TextError;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// A token of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'t> {
    /// A word or a number.
    Atom(&'t str),
    /// What stands between two `"`, escapes and all.
    Text(&'t str),
    /// One of `=`, `:`, `[`, `]`, `..`, `->`.
    Mark(&'static str),
    /// The end of the line, or the comment that ends it.
    End,
}

/// What stands for itself.
pub const MARKS: [&str; 6] = ["=", ":", "[", "]", "..", "->"];

/// The tokens of a line, one ahead.
#[derive(Clone, Debug)]
pub struct Cursor<'t> {
    line: &'t str,
    number: usize,
    token: Token<'t>,
    /// Where the token starts, in bytes.
    start: usize,
    /// Where the rest of the line starts, in bytes.
    rest: usize,
}

impl<'t> Cursor<'t> {
    /// The tokens of the line with this number. Refuses control characters, in comments as well.
    pub fn new(line: &'t str, number: usize) -> Result<Cursor<'t>, TextError> {
        let mut cursor = Cursor {
            line,
            number,
            token: Token::End,
            start: 0,
            rest: 0,
        };
        if let Some(at) = line.find(|c: char| c.is_control() && c != '\t') {
            let (what, expected) = match line[at..].chars().next() {
                Some('\r') => (
                    "a carriage return".into(),
                    "lines that end with a line feed alone",
                ),
                c => {
                    let code = c.map_or(0, u32::from);
                    (
                        format!("the control character U+{code:04X}"),
                        "printable text and tabs",
                    )
                }
            };
            return Err(cursor.error_at(at, what, expected));
        }
        cursor.advance()?;
        Ok(cursor)
    }

    /// The token ahead.
    pub fn peek(&self) -> Token<'t> {
        self.token
    }

    /// Where the token ahead starts, for [`Cursor::error_at`].
    pub fn position(&self) -> usize {
        self.start
    }

    /// The comment of a line whose tokens have all been taken, without its `#`.
    pub fn comment(&self) -> Option<&'t str> {
        self.line[self.start..].strip_prefix('#')
    }

    /// Moves on to the next token.
    pub fn advance(&mut self) -> Result<(), TextError> {
        let rest = &self.line[self.rest..];
        let trimmed = rest.trim_start_matches([' ', '\t']);
        self.start = self.rest + (rest.len() - trimmed.len());
        let (token, len) = match trimmed.chars().next() {
            None | Some('#') => (Token::End, 0),
            Some(c) if is_word(c) => {
                let len = word_len(trimmed);
                (Token::Atom(&trimmed[..len]), len)
            }
            Some('"') => match trimmed[1..].find('"') {
                Some(len) => (Token::Text(&trimmed[1..=len]), len + 2),
                None => {
                    let what = "a quotation mark that nothing closes".into();
                    return Err(self.error_at(self.start, what, "another one on the same line"));
                }
            },
            Some(c) => match MARKS.iter().find(|m| trimmed.starts_with(**m)) {
                Some(mark) => (Token::Mark(mark), mark.len()),
                None => {
                    let what = format!("the character {}", quote(c.encode_utf8(&mut [0; 4])));
                    let expected = "words, numbers and = : [ ] .. -> alone";
                    return Err(self.error_at(self.start, what, expected));
                }
            },
        };
        self.token = token;
        self.rest = self.start + len;
        Ok(())
    }

    /// An error at the token ahead: that it was found where something else was expected.
    pub fn error(&self, expected: impl Display) -> TextError {
        let what = match self.token {
            Token::Atom(s) | Token::Mark(s) | Token::Text(s) => format!("found {}", quote(s)),
            Token::End => "the line ends".into(),
        };
        self.error_at(self.start, what, expected)
    }

    /// An error at a place in the line, in bytes.
    pub fn error_at(&self, at: usize, what: String, expected: impl Display) -> TextError {
        let column = self.line[..at].chars().count() + 1;
        TextError {
            line: self.number,
            column,
            what,
            expected: expected.to_string(),
        }
    }

    /// Takes a word or number, whatever it is.
    pub fn atom(&mut self, expected: impl Display) -> Result<&'t str, TextError> {
        let Token::Atom(atom) = self.token else {
            return Err(self.error(expected));
        };
        self.advance()?;
        Ok(atom)
    }

    /// Takes this word if it is ahead.
    pub fn word(&mut self, word: &str) -> Result<bool, TextError> {
        let found = self.token == Token::Atom(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes one of these words and gives its value.
    pub fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Result<T, TextError> {
        if let Some((_, value)) = words.iter().find(|(w, _)| self.token == Token::Atom(w)) {
            self.advance()?;
            return Ok(*value);
        }
        Err(self.error(list(words.iter().map(|(w, _)| *w))))
    }

    /// Takes this mark if it is ahead.
    pub fn mark(&mut self, mark: &str) -> Result<bool, TextError> {
        let found = matches!(self.token, Token::Mark(m) if m == mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes this mark, which must be ahead.
    pub fn need_mark(&mut self, mark: &str) -> Result<(), TextError> {
        if self.mark(mark)? {
            Ok(())
        } else {
            Err(self.error(format_args!("`{mark}`")))
        }
    }

    /// Takes `NAME=`, which must be ahead.
    pub fn need_key(&mut self, name: &str) -> Result<(), TextError> {
        if !self.word(name)? {
            return Err(self.error(format_args!("`{name}=`")));
        }
        self.need_mark("=")
    }

    /// Takes a number of this range; `what` says what it is.
    pub fn number(&mut self, what: &str, range: RangeInclusive<u64>) -> Result<u64, TextError> {
        let Token::Atom(atom) = self.token else {
            return Err(self.error(format_args!("{what}, a number")));
        };
        let (digits, radix) = match atom.strip_prefix("0x") {
            Some(hex) => (hex, 16),
            None => (atom, 10),
        };
        if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
            let expected = format_args!("{what}, a decimal number or one in hex after 0x");
            return Err(self.error(expected));
        }
        match u64::from_str_radix(digits, radix) {
            Ok(n) if range.contains(&n) => {
                self.advance()?;
                Ok(n)
            }
            _ => {
                let show = |n: u64| {
                    if radix == 16 {
                        format!("{n:#x}")
                    } else {
                        n.to_string()
                    }
                };
                let (least, most) = (show(*range.start()), show(*range.end()));
                let found = format!("{} is out of range", quote(atom));
                let range = if least == most {
                    least
                } else {
                    format!("{least} to {most}")
                };
                Err(self.error_at(self.start, found, format_args!("{what}, {range}")))
            }
        }
    }

    /// Takes a number of 32 bits.
    pub fn u32(&mut self, what: &str) -> Result<u32, TextError> {
        Ok(self.number(what, 0..=u32::MAX.into())? as u32)
    }

    /// Takes the end of the line, which must be ahead.
    pub fn end(&self) -> Result<(), TextError> {
        if self.token == Token::End {
            Ok(())
        } else {
            Err(self.error("the end of the line"))
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The bytes of the word at the start of a text; a hyphen belongs to it if the word goes on.
fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |i: usize| bytes.get(i).is_some_and(|b| is_word(char::from(*b)));
    (0..)
        .find(|&i| !(word(i) || bytes.get(i) == Some(&b'-') && word(i + 1)))
        .unwrap_or(0)
}

/// A quoted start of a text, safe to print.
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    let end = text
        .char_indices()
        .nth(SHOWN)
        .map_or(text.len(), |(i, _)| i);
    let more = if end < text.len() { "…" } else { "" };
    format!("`{}{more}`", text[..end].escape_debug())
}

/// `a`, `a or b`, `a, b or c`, each in quotes.
pub fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.map(|w| format!("`{w}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
