// SPDX-License-Identifier: GPL-2.0-or-later
//! `upstream.toml`: what the original is, down to its hash.

use sha2::{Digest, Sha256};

/// The original's identity and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Path within a kernel tree.
    pub path: String,
    /// The kernel release that it is named after.
    pub tag: String,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: usize,
    /// How many literals the derived file must differ in.
    pub literals: usize,
    /// Where to fetch it from, in order.
    pub urls: Vec<String>,
}

impl Pin {
    /// Reads `upstream.toml`: keys with a string, a number, or a list of
    /// strings, which is all that it uses of TOML.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self {
            path: string(text, "path")?,
            tag: string(text, "tag")?,
            sha256: string(text, "sha256").and_then(|hash| {
                let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
                if hash.len() == 64 && hash.bytes().all(hex) {
                    Ok(hash)
                } else {
                    Err(format!("`sha256` is not 64 lower-case hex digits: {hash}"))
                }
            })?,
            bytes: number(text, "bytes")?,
            literals: number(text, "literals")?,
            urls: strings(value(text, "urls")?, "urls")?,
        })
    }

    /// Whether these bytes are the pinned ones.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        sha256(bytes) == self.sha256
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The text behind `key =`, to the end of the file.
fn value<'a>(text: &'a str, key: &str) -> Result<&'a str, String> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix(key)
            && rest.trim_start().starts_with('=')
        {
            let at = start + line.find('=').unwrap_or(0) + 1;
            return Ok(text[at..].trim_start());
        }
        start += line.len();
    }
    Err(format!("`{key}` is missing"))
}

fn string(text: &str, key: &str) -> Result<String, String> {
    let value = value(text, key)?;
    let line = value.lines().next().unwrap_or("");
    match strings(line, key)?.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(format!("`{key}` is not one quoted string: {line}")),
    }
}

fn number(text: &str, key: &str) -> Result<usize, String> {
    let line = value(text, key)?.lines().next().unwrap_or("").trim();
    line.parse()
        .map_err(|_| format!("`{key}` is not a number: {line}"))
}

/// The quoted strings up to a closing bracket or the end.
fn strings(value: &str, key: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = value.strip_prefix('[').unwrap_or(value).trim_start();
    while let Some(quoted) = rest.strip_prefix('"') {
        let (one, after) = quoted
            .split_once('"')
            .ok_or_else(|| format!("`{key}`: a quote is not closed"))?;
        found.push(one.to_owned());
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    if rest.is_empty() || rest.starts_with([']', '#']) {
        Ok(found)
    } else {
        let line = rest.lines().next().unwrap_or("");
        Err(format!("`{key}`: expected a quoted string, found {line}"))
    }
}
