// SPDX-License-Identifier: GPL-2.0-or-later
//! Fetching the original with curl, within a limit of time, and remembering
//! that it failed so that not every build waits for it again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// How long all addresses together may take.
pub const LIMIT: Duration = Duration::from_secs(20);
/// How long a failure is remembered.
pub const MEMORY: Duration = Duration::from_secs(60 * 60);

/// Tries the addresses in turn until one gives bytes that `accept` takes.
/// Gives the bytes and their address, or what went wrong with each.
pub fn fetch(
    urls: &[String],
    scratch: &Path,
    limit: Duration,
    accept: impl Fn(&[u8]) -> Result<(), String>,
) -> Result<(Vec<u8>, String), String> {
    let start = Instant::now();
    let mut failures = Vec::new();
    for url in urls {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            failures.push(format!("{url}: no time left of {} s", limit.as_secs_f32()));
            continue;
        }
        match one(url, scratch, left).and_then(|bytes| accept(&bytes).map(|()| bytes)) {
            Ok(bytes) => return Ok((bytes, url.clone())),
            Err(why) => failures.push(format!("{url}: {why}")),
        }
    }
    Err(failures.join("\n"))
}

fn one(url: &str, scratch: &Path, limit: Duration) -> Result<Vec<u8>, String> {
    fs::create_dir_all(scratch).map_err(|e| format!("cannot create {}: {e}", scratch.display()))?;
    let into = scratch.join(format!("fetch-{}", std::process::id()));
    let done = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--location",
            "--max-filesize",
            "1000000",
        ])
        .args(["--proto", "=https,http,file", "--proto-redir", "=https"])
        .args(["--noproxy", "127.0.0.1,localhost"])
        .args(["--max-time", &format!("{:.3}", limit.as_secs_f64())])
        .arg("--output")
        .arg(&into)
        .arg("--")
        .arg(url)
        .output();
    let fetched = match done {
        Err(e) => Err(format!("cannot run curl: {e}")),
        Ok(out) if !out.status.success() => {
            Err(String::from_utf8_lossy(&out.stderr).trim().to_owned())
        }
        Ok(_) => fs::read(&into).map_err(|e| format!("curl wrote nothing: {e}")),
    };
    // It may not be there; what matters has been read.
    let _ = fs::remove_file(&into);
    fetched
}

/// What an earlier build said of these addresses, if it was not long ago.
pub fn remembered(stamp: &Path, urls: &[String]) -> Option<String> {
    let age = SystemTime::now().duration_since(fs::metadata(stamp).ok()?.modified().ok()?);
    if age.is_ok_and(|age| age > MEMORY) {
        return None;
    }
    let text = fs::read_to_string(stamp).ok()?;
    let (of, why) = text.split_once('\n')?;
    (of == urls.join(" ")).then(|| why.to_owned())
}

/// Notes a failure. Where it cannot be noted it is merely tried again.
pub fn remember(stamp: &Path, urls: &[String], why: &str) {
    if let Some(folder) = stamp.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let _ = fs::write(stamp, format!("{}\n{why}", urls.join(" ")));
}
