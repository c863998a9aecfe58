// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff minimize` from outside: exit codes, files, and the words that scripts look for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut lgdiff = Command::new(env!("CARGO_BIN_EXE_lgdiff"));
    lgdiff.args(args).output().expect("lgdiff starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of this test's own with one file in it.
fn file(name: &str, scenario: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    let file = folder.join("a.scn");
    fs::write(&file, scenario).expect("the scenario");
    file
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn names(file: &Path) -> Vec<String> {
    let folder = file.parent().expect("a folder");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// One past the end of a table, with much around it that is not needed.
const HARM: &str = "\
machine mode=nopae device_pages=7 cpus=2
expect finding C1
page 5 read-only
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
run 1
access 0x6004 write 0x55 [fail_pin=3]
SET_PGD 0x0 1024 [draw=2]
run 0
";

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn what_agrees_is_left_alone() {
    let file = file(
        "minimize-agrees",
        "machine mode=both\nexpect agree\nrun 0\n",
    );
    let output = run(&["minimize", path(&file)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("nothing to minimize"));
    assert_eq!(names(&file), ["a.scn"]);
}

#[test]
fn bad_input_is_refused() {
    let file = file("minimize-bad", "machine mode=nopae\nfrobnicate 1\n");
    let output = run(&["minimize", path(&file)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("a.scn:2:1:"));
    assert_eq!(names(&file), ["a.scn"]);
    for args in [
        &["minimize"][..],
        &["minimize", "/nowhere/at/all.scn"],
        &["minimize", "a.scn", "--keep", "face"],
        &["minimize", "a.scn", "--emit", "c"],
        &["minimize", "a.scn", "--seconds", "-1"],
    ] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn harm_is_minimized_beside_the_file_and_told_as_a_replay_would() {
    for (name, expect, exit) in [("known", "finding C1", 0), ("unknown", "agree", 1)] {
        let scenario = HARM.replace("finding C1", expect);
        let file = file(&format!("minimize-{name}"), &scenario);
        let output = run(&["replay", path(&file)]);
        assert_eq!(output.status.code(), Some(exit));
        let hint = format!("minimize {}", path(&file));
        assert_eq!(text(&output.stdout).contains(&hint), exit == 1);

        let output = run(&["minimize", path(&file)]);
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        let told = text(&output.stdout);
        assert!(
            told.contains("nopae hostbug SET_PGD: outside_page"),
            "{told}"
        );
        assert!(told.contains("6 steps, 2 left, 1-minimal"), "{told}");
        assert_eq!(names(&file), ["a.min.scn", "a.min.txt", "a.scn"]);
        let small = file.with_extension("min.scn");
        let kept = fs::read_to_string(&small).expect("the result");
        let scenario: Vec<&str> = kept.lines().filter(|line| !line.starts_with('#')).collect();
        let expected =
            format!("machine mode=nopae\nexpect {expect}\nLGUEST_INIT 0x0\nSET_PGD 0x0 1024");
        assert_eq!(scenario.join("\n"), expected);
        assert_eq!(run(&["replay", path(&small)]).status.code(), Some(exit));
        assert_eq!(
            run(&["fmt", "--check", path(&small)]).status.code(),
            Some(0)
        );

        // In the other mode the table ends elsewhere, and nothing more is to gain from the result.
        let pae = file.with_file_name("pae.scn");
        let output = run(&["minimize", path(&file), "--mode", "pae", "-o", path(&pae)]);
        assert!(text(&output.stdout).contains("nothing to minimize"));
        assert!(!pae.exists());
        let again = file.with_file_name("again.scn");
        run(&["minimize", path(&small), "-o", path(&again)]);
        let again = fs::read_to_string(&again).expect("the result");
        assert!(again.ends_with(&format!("{expected}\n")), "{again}");
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_time_that_is_up_is_told() {
    let file = file("minimize-time", HARM);
    let output = run(&["minimize", path(&file), "--seconds", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("not minimal: time"), "{told}");
    let kept = fs::read_to_string(file.with_extension("min.scn")).expect("the result");
    assert!(
        kept.contains("# 6 steps, 5 left, not minimal: time"),
        "{kept}"
    );
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_test_is_emitted_on_stdout_or_to_a_file() {
    let file = file("minimize-emit", HARM);
    let output = run(&["minimize", path(&file), "--emit", "rust"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.starts_with("// SPDX-License-Identifier"), "{told}");
    assert!(told.contains("#[test]\nfn nopae_hostbug_set_pgd_outside_page()"));
    assert_eq!(names(&file), ["a.scn"]);
    let rust = file.with_extension("rs");
    run(&["minimize", path(&file), "--emit", "rust", "-o", path(&rust)]);
    assert_eq!(fs::read_to_string(&rust).expect("the test"), told);
}
