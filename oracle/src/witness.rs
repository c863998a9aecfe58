// SPDX-License-Identifier: GPL-2.0-or-later
//! Witnesses on disk: at most three scenarios a class, each written whole before it is announced.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::class::Class;
use crate::report::Divergence;
use crate::rig::Subject;
use crate::text::print;

/// Files kept for one class.
const KEPT: usize = 3;

/// What is known of one class.
#[derive(Debug, Clone)]
pub struct ClassRecord {
    /// How many scenarios showed it.
    pub count: u64,
    /// The lowest scenario that did, and the step there.
    pub first: (u64, Option<usize>),
    /// Files by scenario number, lowest first.
    pub files: Vec<(u64, PathBuf)>,
    /// The lowest of them made small.
    pub minimal: Option<Minimal>,
}

/// A witness that was made small.
#[derive(Debug, Clone)]
pub struct Minimal {
    /// Its file.
    pub file: PathBuf,
    /// Its steps.
    pub steps: usize,
    /// It is 1-minimal; else the budget was spent first.
    pub whole: bool,
}

/// All classes of a campaign, and the folder that their witnesses are in.
#[derive(Debug)]
pub struct Witnesses {
    folder: PathBuf,
    subject: Subject,
    /// The classes met so far.
    pub classes: BTreeMap<Class, ClassRecord>,
}

impl Witnesses {
    /// Witnesses of what `subject` did go below `folder`, which is made now; that it can be written to is tried at once.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub fn new(folder: &Path, subject: Subject) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let probe = folder.join(format!(".lgdiff-{}", std::process::id()));
        fs::write(&probe, b"")?;
        fs::remove_file(&probe)?;
        Ok(Witnesses {
            folder: folder.to_owned(),
            subject,
            classes: BTreeMap::new(),
        })
    }

    /// Takes up a divergence of scenario `index`; the path, if it is among the lowest three of its class.
    ///
    /// # Errors
    /// Its files cannot be written.
    pub fn add(
        &mut self,
        index: u64,
        found: &Divergence,
        origin: &str,
    ) -> io::Result<Option<PathBuf>> {
        let record = self
            .classes
            .entry(found.class.clone())
            .or_insert(ClassRecord {
                count: 0,
                first: (index, found.step),
                files: Vec::new(),
                minimal: None,
            });
        record.count += 1;
        if index < record.first.0 {
            record.first = (index, found.step);
        }
        if record.files.len() == KEPT && record.files.last().is_some_and(|(last, _)| *last < index)
        {
            return Ok(None);
        }
        let folder = self.folder.join(found.class.id());
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{index:08}.scn"));
        let mut text = String::new();
        for line in found.text.lines().take(3).chain([origin]) {
            text.push_str(&format!("# {line}\n"));
        }
        text.push_str(&print(&found.scenario));
        let report = format!("{}repeat: {}\n", found.text, repeat(&path, self.subject));
        write_whole(&path.with_extension("txt"), report.as_bytes())?;
        write_whole(&path, text.as_bytes())?;
        record.files.push((index, path.clone()));
        record.files.sort();
        if record.files.len() > KEPT
            && let Some((_, spare)) = record.files.pop()
        {
            fs::remove_file(spare.with_extension("txt"))?;
            fs::remove_file(spare)?;
        }
        Ok(Some(path))
    }
}

impl Witnesses {
    /// Takes up a class that was met while another was minimized, in a scenario made of `index`: no scenario of the
    /// campaign showed it, so none is counted.
    ///
    /// # Errors
    /// Its files cannot be written.
    pub fn met(&mut self, index: u64, found: &Divergence, origin: &str) -> io::Result<PathBuf> {
        let path = self.add(index, found, origin)?;
        if let Some(record) = self.classes.get_mut(&found.class) {
            record.count -= 1;
        }
        Ok(path.unwrap_or_default())
    }
}

/// The command that runs a witness of what `subject` did again.
pub fn repeat(path: &Path, subject: Subject) -> String {
    format!(
        "cargo run --release -- replay{} {}",
        subject.flags(),
        path.display()
    )
}

/// Writes a file beside its place, and moves it there when it is complete.
///
/// # Errors
/// It cannot be written or moved.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension(format!("tmp-{}", std::process::id()));
    let mut file = fs::File::create(&beside)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The half-written file is of no use to anyone, and the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}
