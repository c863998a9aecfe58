// SPDX-License-Identifier: GPL-2.0-or-later
//! Reads scenarios from files, and finds them in folders.

use crate::fuzzed;
use crate::scenario_buf::{MAX_BINARY_LEN, ScenarioBuf};
use crate::text::{self, MAX_TEXT_LEN, TextError};
use crate::trace::TraceError;
use flate2::read::MultiGzDecoder;
use lguest_engine::{BinaryError, PagingMode};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How a scenario's text file ends.
pub const TEXT_EXTENSION: &str = "scn";
/// How a scenario's binary file ends.
pub const BINARY_EXTENSION: &str = "lgs";
/// How a trace's file ends; a file of another name that ends with `.txt` is taken for one too.
pub const TRACE_EXTENSION: &str = "trace";
/// How a compressed file ends, behind the ending for what is in it.
pub const PACKED_EXTENSION: &str = "gz";

/// Why a scenario could not be read.
#[derive(Debug)]
pub struct LoadError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a file or folder could not be read.
#[derive(Debug)]
pub enum Why {
    /// The system says so.
    Unreadable(io::Error),
    /// A folder has a pipe, a device or the like with a scenario's name.
    NotAFile,
    /// The file has more bytes than this, which is the most that is allowed.
    TooLarge(usize),
    /// The text is not UTF-8 from this line and column on, counted from 1.
    NotUtf8 {
        /// The line.
        line: usize,
        /// The column in characters.
        column: usize,
    },
    /// The text is no scenario.
    Text(TextError),
    /// The bytes are no scenario.
    Binary(BinaryError),
    /// The file is no trace, or one that cannot be replayed.
    Trace(TraceError),
    /// The folder holds no scenario: nothing is wrong, but nothing would be tested.
    NoScenarios,
}

impl LoadError {
    pub(crate) fn new(path: &Path, why: Why) -> LoadError {
        LoadError {
            path: path.to_owned(),
            why,
        }
    }

    /// Whether nothing is wrong but that there is no scenario.
    #[must_use]
    pub const fn is_empty_folder(&self) -> bool {
        matches!(self.why, Why::NoScenarios)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        match &self.why {
            Why::Unreadable(e) => write!(f, " cannot be read: {e}"),
            Why::NotAFile => f.write_str(" is neither a file nor a folder; expected a file"),
            Why::TooLarge(most) => write!(f, " is too large; expected at most {most} bytes"),
            Why::NotUtf8 { line, column } => {
                write!(
                    f,
                    "{line}:{column}: a byte that is not UTF-8; expected text in UTF-8"
                )
            }
            Why::Text(e) => write!(f, "{e}"),
            Why::Binary(e) => write!(f, " {e}"),
            Why::Trace(e) => write!(f, "{e}"),
            Why::NoScenarios => {
                write!(
                    f,
                    " holds no scenario; expected files that end with .{TEXT_EXTENSION}"
                )
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            Why::Unreadable(e) => Some(e),
            Why::Text(e) => Some(e),
            Why::Binary(e) => Some(e),
            Why::Trace(e) => Some(e),
            _ => None,
        }
    }
}

/// Reads a scenario: the binary form if the file's name ends with `.lgs`, else the text form.
///
/// # Errors
/// The file cannot be read, is too large, or is no valid scenario.
pub fn load(path: &Path) -> Result<ScenarioBuf, LoadError> {
    if is_binary(path) {
        let bytes = read_bytes(path, MAX_BINARY_LEN)?;
        ScenarioBuf::from_bytes(&bytes).map_err(|e| LoadError::new(path, Why::Binary(e)))
    } else {
        text::parse(&read_text(path)?).map_err(|e| LoadError::new(path, Why::Text(e)))
    }
}

/// Reads a file of any bytes as the fuzz targets of this mode do.
///
/// # Errors
/// The file cannot be read, or is too large.
pub fn load_total(path: &Path, mode: PagingMode) -> Result<ScenarioBuf, LoadError> {
    Ok(fuzzed::read(&read_bytes(path, MAX_BINARY_LEN)?, mode))
}

/// Whether a file's name says that it holds the binary form.
#[must_use]
pub fn is_binary(path: &Path) -> bool {
    ending(path) == Some(OsStr::new(BINARY_EXTENSION))
}

/// Whether a file's name says that it is compressed.
#[must_use]
pub fn is_packed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(PACKED_EXTENSION))
}

/// Whether a file's name says that it holds a trace.
#[must_use]
pub fn is_trace(path: &Path) -> bool {
    ending(path).is_some_and(|e| e == TRACE_EXTENSION || e == "txt")
}

/// How a file's name ends, before the ending that says that it is compressed.
fn ending(path: &Path) -> Option<&OsStr> {
    if is_packed(path) {
        Path::new(path.file_stem()?).extension()
    } else {
        path.extension()
    }
}

/// Reads a scenario's text, which need not be a valid scenario.
///
/// # Errors
/// The file cannot be read, has more than [`MAX_TEXT_LEN`] bytes, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, LoadError> {
    String::from_utf8(read_bytes(path, MAX_TEXT_LEN)?).map_err(|e| {
        let good = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        LoadError::new(path, Why::NotUtf8 { line, column })
    })
}

/// Reads a file of at most this many bytes; of a larger one no more than that is read.
fn read_bytes(path: &Path, most: usize) -> Result<Vec<u8>, LoadError> {
    let read = || -> io::Result<Option<Vec<u8>>> {
        let file = File::open(path)?;
        if file.metadata()?.len() > most as u64 {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        if is_packed(path) {
            let unpacked = MultiGzDecoder::new(BufReader::new(file));
            unpacked.take(most as u64 + 1).read_to_end(&mut bytes)?;
        } else {
            file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        }
        Ok((bytes.len() <= most).then_some(bytes))
    };
    match read() {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(LoadError::new(path, Why::TooLarge(most))),
        Err(e) => Err(LoadError::new(path, Why::Unreadable(e))),
    }
}

/// The scenario files of a path: a file itself, or the `.scn` files anywhere in a folder, sorted.
///
/// Links are followed, but each folder is entered once.
///
/// # Errors
/// The path or a folder in it cannot be read, or there is no scenario.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    find_ending(path, OsStr::new(TEXT_EXTENSION))
}

/// The same for files of another ending.
///
/// # Errors
/// As [`find`].
pub fn find_ending(path: &Path, extension: &OsStr) -> Result<Vec<PathBuf>, LoadError> {
    find_named(path, |entry| entry.extension() == Some(extension))
}

/// All that can be replayed of a path: as [`find`], and compressed scenarios, and traces.
///
/// # Errors
/// As [`find`].
pub fn find_all(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    find_named(path, |entry| {
        ending(entry).is_some_and(|e| e == TEXT_EXTENSION || e == TRACE_EXTENSION)
    })
}

/// All that a corpus can hold of a path: as [`find`], and binary scenarios, and files without an ending, as fuzzers
/// name their inputs.
///
/// # Errors
/// As [`find`].
pub fn find_inputs(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    find_named(path, |entry| {
        entry
            .extension()
            .is_none_or(|e| e == TEXT_EXTENSION || e == BINARY_EXTENSION)
    })
}

fn find_named(path: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |path: &Path, e| LoadError::new(path, Why::Unreadable(e));
    if !fs::metadata(path)
        .map_err(|e| unreadable(path, e))?
        .is_dir()
    {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut entered = HashSet::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let meta = fs::metadata(&folder).map_err(|e| unreadable(&folder, e))?;
        if !entered.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries: Vec<_> = entries
            .map_err(|e| unreadable(&folder, e))?
            .iter()
            .map(|e| e.path())
            .collect();
        entries.sort();
        // Sorted, so that which of several ways into a folder is taken does not depend on the
        // system.
        for entry in entries.into_iter().rev() {
            let named = wanted(&entry);
            match fs::metadata(&entry) {
                Ok(meta) if meta.is_dir() => folders.push(entry),
                Ok(meta) if named && meta.is_file() => found.push(entry),
                Ok(_) if named => return Err(LoadError::new(&entry, Why::NotAFile)),
                Err(e) if named => return Err(unreadable(&entry, e)),
                // Whatever else lies there is none of our business.
                _ => {}
            }
        }
    }
    if found.is_empty() {
        return Err(LoadError::new(path, Why::NoScenarios));
    }
    found.sort();
    Ok(found)
}
