// SPDX-License-Identifier: GPL-2.0-or-later
//! What a corpus is made of: scenario files, and inputs of the fuzz targets, whose bytes always mean a scenario.

use std::fmt;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;

use crate::fuzzed;
use crate::load::{LoadError, TEXT_EXTENSION, find_inputs, is_binary, load, load_total};
use crate::minimize::Weight;
use crate::rig::mode_name;
use crate::scenario_buf::ScenarioBuf;

/// The fuzz target that takes text.
pub const TEXT_TARGET: &str = "text";

/// A scenario and the file that it comes from.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// It is an input of a fuzz target, not a scenario file.
    pub raw: bool,
    /// What it means.
    pub scenario: ScenarioBuf,
}

impl Input {
    /// What it costs to keep it, in steps: a file more is worth some.
    #[must_use]
    pub fn cost(&self) -> u64 {
        cost(&self.scenario)
    }
}

/// What it costs to keep a scenario, in steps.
#[must_use]
pub fn cost(scenario: &ScenarioBuf) -> u64 {
    const FILE: usize = 16;
    (scenario.steps.len() + FILE) as u64
}

/// Why inputs cannot be had.
#[derive(Debug)]
pub enum GatherError {
    /// A file or folder cannot be read, or is no scenario.
    Load(LoadError),
    /// It is not known for which mode this input is.
    NoMode(PathBuf),
}

impl fmt::Display for GatherError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GatherError::Load(error) => write!(to, "{error}"),
            GatherError::NoMode(path) => write!(
                to,
                "{}: a fuzzer's input, and it is not known of which target; expected --mode, or a folder named \
                 nopae, pae, both or {TEXT_TARGET} above it",
                path.display()
            ),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Scenarios, each once, the smallest first; which come from where does not depend on the order of the paths.
    pub inputs: Vec<Input>,
    /// Inputs of the text target that are no scenario.
    pub unread: usize,
    /// Files whose scenario another one has too.
    pub twice: Vec<PathBuf>,
}

/// Reads all scenarios and fuzzers' inputs of these files and folders. The mode of an input is `mode`, or that of the
/// fuzz target for which the nearest folder above it is named.
///
/// # Errors
/// A path cannot be read, a scenario file is none, or an input's mode is not known.
pub fn gather(paths: &[PathBuf], mode: Option<PagingMode>) -> Result<Gathered, GatherError> {
    let mut gathered = Gathered::default();
    let mut all = Vec::new();
    for path in paths {
        let files = match find_inputs(path) {
            Ok(files) => files,
            Err(error) if error.is_empty_folder() => continue,
            Err(error) => return Err(GatherError::Load(error)),
        };
        for file in files {
            match read(&file, mode)? {
                Some(input) => all.push(input),
                None => gathered.unread += 1,
            }
        }
    }
    let mut keyed: Vec<_> = all
        .into_iter()
        .map(|input| {
            let weight = Weight::of(&input.scenario);
            (
                weight,
                input.scenario.to_bytes(),
                input.raw,
                input.path.clone(),
                input,
            )
        })
        .collect();
    keyed.sort_by(|a, b| (&a.0, &a.1, a.2, &a.3).cmp(&(&b.0, &b.1, b.2, &b.3)));
    let mut last: Option<Vec<u8>> = None;
    for (_, bytes, _, path, input) in keyed {
        if last.as_ref() == Some(&bytes) {
            if gathered
                .inputs
                .last()
                .is_none_or(|first| first.path != path)
            {
                gathered.twice.push(path);
            }
        } else {
            gathered.inputs.push(input);
            last = Some(bytes);
        }
    }
    Ok(gathered)
}

/// Reads one file; nothing if it is a text that is no scenario, which is as good for the text target as one that is.
fn read(path: &Path, mode: Option<PagingMode>) -> Result<Option<Input>, GatherError> {
    let input = |raw, scenario| Input {
        path: path.to_owned(),
        raw,
        scenario,
    };
    if is_binary(path) || path.extension().is_some_and(|end| end == TEXT_EXTENSION) {
        let scenario = load(path).map_err(GatherError::Load)?;
        return Ok(Some(input(false, scenario)));
    }
    let target = target(path);
    if mode.is_none() && target == Some(TEXT_TARGET) {
        return Ok(load(path).ok().map(|mut scenario| {
            // What a fuzzer expects of it is nobody's business.
            let mode = scenario.machine.mode;
            fuzzed::fit(&mut scenario, mode);
            input(true, scenario)
        }));
    }
    let mode = mode
        .or_else(|| target.and_then(target_mode))
        .ok_or_else(|| GatherError::NoMode(path.to_owned()))?;
    let scenario = load_total(path, mode).map_err(GatherError::Load)?;
    Ok(Some(input(true, scenario)))
}

/// The modes of the targets that take bytes.
pub const MODES: [PagingMode; 3] = [PagingMode::NoPae, PagingMode::Pae, PagingMode::Both];

fn target_mode(name: &str) -> Option<PagingMode> {
    MODES.into_iter().find(|mode| mode_name(*mode) == name)
}

/// The fuzz target for which the nearest folder is named.
fn target(path: &Path) -> Option<&str> {
    let folders = path.ancestors().skip(1);
    folders
        .filter_map(|folder| folder.file_name()?.to_str())
        .find(|name| *name == TEXT_TARGET || target_mode(name).is_some())
}
