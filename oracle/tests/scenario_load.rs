// SPDX-License-Identifier: GPL-2.0-or-later
//! Scenario files and folders: what is found, in which order, and what is said of bad ones.

use lguest_oracle::load::{Why, find, load, read_text};
use lguest_oracle::scenario_buf::ScenarioBuf;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A folder of this test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// What is found in it, by name.
    fn found(&self) -> Vec<String> {
        let found = find(&self.0).expect("scenarios");
        let name = |p: &Path| p.strip_prefix(&self.0).map(|p| p.display().to_string());
        found.iter().map(|p| name(p).expect("inside")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error(path: &Path) -> String {
    load(path).expect_err("no scenario").to_string()
}

#[test]
fn files_are_read_in_both_forms() {
    let dir = Folder::new("forms");
    let text = dir.file("a.scn", "machine cpus=2\nrun 1\n");
    let scenario = load(&text).expect("a scenario");
    assert_eq!(
        load(&dir.file("a.lgs", scenario.to_bytes())).expect("a scenario"),
        scenario
    );
    assert_eq!(
        load(&dir.file("any name", "machine")).expect("one"),
        ScenarioBuf::default()
    );
}

#[test]
fn errors_name_the_file_and_the_place() {
    let dir = Folder::new("errors");
    let path = dir.file("a.scn", "machine\nrun 1\n");
    let expected = "2:5: `1` is out of range; expected a host CPU of the machine, 0";
    assert_eq!(error(&path), format!("{}:{expected}", path.display()));
    let path = dir.file("b.lgs", b"LGSC");
    let expected = "byte 4: the header is cut short: expected 16 bytes";
    assert_eq!(error(&path), format!("{}: {expected}", path.display()));
    let path = dir.file("c.scn", b"machine\n# \xc3\xa9 \xff\n");
    let expected = "2:5: a byte that is not UTF-8; expected text in UTF-8";
    assert_eq!(error(&path), format!("{}:{expected}", path.display()));
    let path = dir.0.join("none.scn");
    assert!(error(&path).starts_with(&format!("{}: cannot be read: ", path.display())));
    assert!(error(&dir.0).contains(": cannot be read: "));
    assert!(matches!(
        find(&path).expect_err("none").why,
        Why::Unreadable(_)
    ));
}

#[test]
fn a_large_file_is_refused_at_once() {
    let dir = Folder::new("large");
    for (name, most) in [("noise.scn", 67_108_864), ("noise.lgs", 192_004_176)] {
        let path = dir.file(name, "");
        File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_len(200 << 20))
            .expect("room");
        let start = Instant::now();
        let expected = format!(
            "{}: is too large; expected at most {most} bytes",
            path.display()
        );
        assert_eq!(error(&path), expected);
        assert!(start.elapsed().as_secs() < 5);
    }
    // A file that does not tell its size.
    assert!(matches!(
        read_text(Path::new("/dev/zero")).expect_err("endless").why,
        Why::TooLarge(_)
    ));
}

#[test]
fn folders_are_searched_in_order() {
    let dir = Folder::new("order");
    for name in [
        "b/c.scn",
        "b.scn",
        "a/z.scn",
        "a/b/c.scn",
        "a/b/readme.md",
        "a.lgs",
        "C.scn",
    ] {
        dir.file(name, "");
    }
    assert_eq!(
        dir.found(),
        ["C.scn", "a/b/c.scn", "a/z.scn", "b/c.scn", "b.scn"]
    );
}

#[test]
fn links_are_followed_once() {
    let dir = Folder::new("links");
    dir.file("a/a.scn", "");
    dir.file("b/b.scn", "");
    symlink(&dir.0, dir.0.join("a/up")).expect("a link");
    symlink("../b", dir.0.join("a/b")).expect("a link");
    symlink("b.scn", dir.0.join("b/same.scn")).expect("a link");
    symlink("nowhere", dir.0.join("b/dangling")).expect("a link");
    let found = dir.found();
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found, dir.found());
    symlink("nowhere", dir.0.join("b/dangling.scn")).expect("a link");
    assert!(
        find(&dir.0)
            .expect_err("a dangling link")
            .to_string()
            .contains("dangling.scn")
    );
}

#[test]
fn a_folder_without_scenarios_is_told_apart() {
    let dir = Folder::new("empty");
    dir.file("deep/down/readme.md", "");
    let e = find(&dir.0).expect_err("nothing there");
    assert!(e.is_empty_folder());
    assert!(
        e.to_string()
            .ends_with(": holds no scenario; expected files that end with .scn")
    );
    assert!(
        !find(&dir.0.join("none"))
            .expect_err("no folder")
            .is_empty_folder()
    );
}
