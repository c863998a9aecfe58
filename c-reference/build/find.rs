// SPDX-License-Identifier: GPL-2.0-or-later
//! Finding the original: a file or tree that is named, then the places where
//! it usually lies, then the network; and refusing what is not the pinned one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::fetch;
use super::pin::{Pin, sha256};

/// The environment variables that decide; each change builds anew.
pub const VARIABLES: [&str; 7] = [
    "LGUEST_PAGE_TABLES_C",
    "LGUEST_LINUX",
    "LGUEST_FETCH",
    "LGUEST_REFERENCE_URL",
    "LGUEST_REFERENCE_UNPINNED",
    "LGUEST_REQUIRE_REFERENCE",
    "CARGO_NET_OFFLINE",
];

/// Where to look, and for what.
pub struct Search<'a> {
    /// What the original is.
    pub pin: &'a Pin,
    /// This crate's folder.
    pub crate_dir: &'a Path,
    /// A folder for what is fetched if the crate's cannot be written.
    pub out_dir: &'a Path,
    /// Where a failed fetch is noted.
    pub stamp: &'a Path,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// The original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Its hash.
    pub sha256: String,
    /// Whether that is the pinned one.
    pub pinned: bool,
    /// What named it: a variable, a usual place, or an address.
    pub by: String,
}

/// The original, or the places where it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is here.
    Found(Found),
    /// It is nowhere; the text says where it was looked for.
    Absent(String),
}

impl Search<'_> {
    /// Looks. An error means that something is in the way that the user must
    /// see to; an absence alone is none unless it was declared one.
    pub fn find(&self) -> Result<Outcome, String> {
        let mut tried = String::new();
        for (by, path, named) in self.places() {
            if named || path.exists() {
                return self.read(by, &path).map(Outcome::Found);
            }
            let _ = writeln!(tried, "  {} ({by}): no such file", path.display());
        }
        match self.fetch() {
            Ok(found) => return Ok(Outcome::Found(found)),
            Err(why) => {
                for line in why.lines() {
                    let _ = writeln!(tried, "  {line}");
                }
            }
        }
        let report = format!(
            "the original, {} of Linux {}, was looked for and not found:\n{tried}{}",
            self.pin.path,
            self.pin.tag,
            self.mend()
        );
        if self.flag("LGUEST_REQUIRE_REFERENCE") {
            return Err(format!(
                "{report}\n(LGUEST_REQUIRE_REFERENCE makes this an error)"
            ));
        }
        Ok(Outcome::Absent(report))
    }

    /// Files in order: what names them, and whether the user did.
    fn places(&self) -> Vec<(&'static str, PathBuf, bool)> {
        let named = |name: &str| (self.env)(name).filter(|value| !value.is_empty());
        let mut places = Vec::new();
        if let Some(file) = named("LGUEST_PAGE_TABLES_C") {
            places.push(("LGUEST_PAGE_TABLES_C", PathBuf::from(file), true));
        }
        if let Some(tree) = named("LGUEST_LINUX") {
            places.push(("LGUEST_LINUX", Path::new(&tree).join(&self.pin.path), true));
        }
        places.push(("put or fetched there", self.kept(), false));
        let release = self.pin.tag.trim_start_matches('v');
        let tree = format!("../shared/upstream/linux-{release}");
        let root = self.crate_dir.parent().unwrap_or(self.crate_dir);
        places.push((
            "beside the workspace",
            root.join(tree).join(&self.pin.path),
            false,
        ));
        places.push(("fetched by an earlier build", self.kept_aside(), false));
        places
    }

    fn kept(&self) -> PathBuf {
        self.crate_dir.join("upstream").join("page_tables.c")
    }

    fn kept_aside(&self) -> PathBuf {
        self.out_dir.join("fetched").join("page_tables.c")
    }

    fn read(&self, by: &str, path: &Path) -> Result<Found, String> {
        let bytes = fs::read(path).map_err(|e| {
            format!(
                "cannot read the original at {} ({by}): {e}\n{}",
                path.display(),
                self.mend()
            )
        })?;
        self.accept(&bytes).map_err(|why| {
            format!(
                "{} ({by}) is not the original: {why}\n{}",
                path.display(),
                self.mend()
            )
        })?;
        Ok(self.found(by, path, bytes))
    }

    fn found(&self, by: &str, path: &Path, bytes: Vec<u8>) -> Found {
        let sha256 = sha256(&bytes);
        Found {
            path: path.to_owned(),
            pinned: sha256 == self.pin.sha256,
            sha256,
            by: by.to_owned(),
            bytes,
        }
    }

    fn accept(&self, bytes: &[u8]) -> Result<(), String> {
        if self.pin.matches(bytes) || self.flag("LGUEST_REFERENCE_UNPINNED") {
            return Ok(());
        }
        Err(format!(
            "its SHA-256 is {} ({} bytes), expected {} ({} bytes) as pinned in upstream.toml",
            sha256(bytes),
            bytes.len(),
            self.pin.sha256,
            self.pin.bytes
        ))
    }

    fn fetch(&self) -> Result<Found, String> {
        let asked = (self.env)("LGUEST_FETCH");
        if asked.as_deref() == Some("0") {
            return Err("not fetched: LGUEST_FETCH=0".to_owned());
        }
        if self.flag("CARGO_NET_OFFLINE") {
            return Err("not fetched: cargo is offline (CARGO_NET_OFFLINE)".to_owned());
        }
        let urls = match (self.env)("LGUEST_REFERENCE_URL") {
            Some(own) if !own.trim().is_empty() => {
                own.split_whitespace().map(str::to_owned).collect()
            }
            _ => self.pin.urls.clone(),
        };
        let again = asked.is_some_and(|value| !value.is_empty());
        if !again && let Some(why) = fetch::remembered(self.stamp, &urls) {
            return Err(format!(
                "{why}\n(an earlier build's try; LGUEST_FETCH=1 tries again)"
            ));
        }
        match fetch::fetch(&urls, self.out_dir, fetch::LIMIT, |bytes| {
            self.accept(bytes)
        }) {
            Ok((bytes, url)) => {
                let _ = fs::remove_file(self.stamp);
                let path = self.keep(&bytes)?;
                Ok(self.found(&url, &path, bytes))
            }
            Err(why) => {
                fetch::remember(self.stamp, &urls, &why);
                Err(why)
            }
        }
    }

    /// Keeps what was fetched. In the crate's folder only if it is the pinned
    /// file, for there a later build would refuse another.
    fn keep(&self, bytes: &[u8]) -> Result<PathBuf, String> {
        if self.pin.matches(bytes) && write_whole(&self.kept(), bytes).is_ok() {
            return Ok(self.kept());
        }
        let aside = if self.pin.matches(bytes) {
            self.kept_aside()
        } else {
            self.out_dir.join("fetched-unpinned.c")
        };
        write_whole(&aside, bytes)
            .map_err(|e| format!("fetched, but cannot write {}: {e}", aside.display()))?;
        Ok(aside)
    }

    fn flag(&self, name: &str) -> bool {
        (self.env)(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
    }

    fn mend(&self) -> String {
        format!(
            "To mend it, do one of these:\n  \
             put the file at {}\n  \
             set LGUEST_PAGE_TABLES_C to the file, or LGUEST_LINUX to a tree of Linux {}\n  \
             let the build fetch it: be online, with curl, and set LGUEST_FETCH=1\n  \
             set LGUEST_REFERENCE_UNPINNED=1 to compile a file with another SHA-256",
            self.kept().display(),
            self.pin.tag
        )
    }
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}
