// SPDX-License-Identifier: GPL-2.0-or-later
//! Reads the records of a trace one after the other, compressed or not.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::Record;

/// What is wrong in a trace, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

impl TraceError {
    /// An error on a line.
    pub fn new(line: u64, what: impl Into<String>) -> TraceError {
        TraceError {
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.line, self.what)
    }
}

impl std::error::Error for TraceError {}

/// The longest line that is read; a kill message has no more than a few hundred bytes.
const MAX_LINE: usize = 4096;

/// A stream of records; no more than a line of it is held.
pub struct Reader {
    from: Box<dyn BufRead>,
    line: u64,
    bytes: Vec<u8>,
    after_message: bool,
}

impl Reader {
    /// Reads a file, which is decompressed if it begins as gzip does.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Reader> {
        Reader::new(File::open(path)?)
    }

    /// Reads whatever this gives, decompressed if it begins as gzip does.
    ///
    /// # Errors
    /// Its beginning cannot be read.
    pub fn new(from: impl Read + 'static) -> io::Result<Reader> {
        let mut from = BufReader::with_capacity(1 << 16, from);
        let packed = from.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let from: Box<dyn BufRead> = if packed {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(from)))
        } else {
            Box::new(from)
        };
        Ok(Reader {
            from,
            line: 0,
            bytes: Vec::new(),
            after_message: false,
        })
    }

    /// The number of the line that was read last.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next record with the number of its line; nothing at the end.
    ///
    /// # Errors
    /// It is no record, or the trace is cut off there.
    pub fn next_record(&mut self) -> Result<Option<(u64, Record)>, TraceError> {
        loop {
            self.line += 1;
            let line = self.line;
            self.bytes.clear();
            let limited = &mut (&mut self.from).take(MAX_LINE as u64 + 1);
            limited
                .read_until(b'\n', &mut self.bytes)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        TraceError::new(line, "the compressed trace is cut off here")
                    }
                    _ => TraceError::new(line, format!("cannot be read on: {error}")),
                })?;
            if self.bytes.is_empty() {
                self.line -= 1;
                return Ok(None);
            }
            let Some(whole) = self.bytes.strip_suffix(b"\n") else {
                let what = if self.bytes.len() > MAX_LINE {
                    format!("a line of more than {MAX_LINE} bytes; expected a record")
                } else {
                    "the trace is cut off in this line; expected a line feed at its end".into()
                };
                return Err(TraceError::new(line, what));
            };
            // Some messages end with a line feed of their own.
            if whole.is_empty() && std::mem::take(&mut self.after_message) {
                continue;
            }
            let text = std::str::from_utf8(whole)
                .map_err(|_| TraceError::new(line, "not a text; expected a record"))?;
            let record = Record::parse(text).map_err(|what| TraceError::new(line, what))?;
            self.after_message = record.letter == super::MESSAGE;
            return Ok(Some((line, record)));
        }
    }
}
