// SPDX-License-Identifier: GPL-2.0-or-later
//! What a target leaves of a find: a witness on disk, and words that say what a person is to do.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use lguest_engine::PagingMode;
use lguest_oracle::report::Divergence;
use lguest_oracle::rig::{Subject, mode_name};
use lguest_oracle::witness::{Witnesses, repeat};
use sha1_smol::Sha1;

/// Where witnesses go, if the environment does not say it with `LGUEST_WITNESSES`.
const FOLDER: &str = "divergences";
/// Witnesses of a class that are kept over all runs of a target.
const KEPT: usize = 3;

/// Puts a witness on disk, and says where it is and how the input becomes a scenario.
pub fn keep(found: &Divergence, bytes: &[u8], mode: PagingMode) -> String {
    let folder = PathBuf::from(env::var_os("LGUEST_WITNESSES").unwrap_or(FOLDER.into()));
    let hash = Sha1::from(bytes);
    let written = if full(&folder.join(found.class.id())) {
        format!(
            "{}: {KEPT} witnesses of this class are there already",
            folder.join(found.class.id()).display()
        )
    } else {
        let [a, b, c, d, ..] = hash.digest().bytes();
        let number = u32::from_be_bytes([a, b, c, d]) % 100_000_000;
        let origin = format!("fuzz target {}", mode_name(mode));
        let added = Witnesses::new(&folder, Subject::Both)
            .and_then(|mut all| all.add(number.into(), found, &origin));
        match added {
            Ok(path) => path.map_or_else(String::new, |path| repeat(&path, Subject::Both)),
            Err(error) => format!("the witness cannot be written: {error}"),
        }
    };
    let artifact = artifact(env::args(), &hash.digest().to_string());
    format!(
        "{}\n{written}\nthe input as a scenario: cargo run --release -- convert --total --mode {} {artifact} -o {artifact}.scn\n",
        found.text,
        mode_name(mode)
    )
}

/// Where libFuzzer, started with these arguments, is going to put an input with this hash.
fn artifact(args: impl Iterator<Item = String>, hash: &str) -> String {
    let (mut prefix, mut exact) = (String::new(), None);
    for arg in args {
        if let Some(path) = arg.strip_prefix("-artifact_prefix=") {
            path.clone_into(&mut prefix);
        } else if let Some(path) = arg.strip_prefix("-exact_artifact_path=") {
            exact = Some(path.to_owned());
        }
    }
    exact.unwrap_or_else(|| format!("{prefix}crash-{hash}"))
}

/// Whether a class has as many witnesses as are kept.
fn full(folder: &Path) -> bool {
    let Ok(files) = fs::read_dir(folder) else {
        return false;
    };
    let witness = |path: PathBuf| path.extension().is_some_and(|end| end == "scn");
    files.flatten().filter(|file| witness(file.path())).count() >= KEPT
}
