// SPDX-License-Identifier: GPL-2.0-or-later
//! Recordings: nothing in them depends on frame numbers, and one that is edited, stale, missing or left alone is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lguest_engine::Reuse;
use lguest_oracle::load::{find, load};
use lguest_oracle::recording::{Recording, hold, of_original, of_port, place};
use lguest_oracle::rig::{Hosts, modes};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora")
}

/// A folder with one scenario of the corpora and its recording: the folder and the two files.
fn example(name: &str) -> (PathBuf, PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    for ending in ["scn", "rec"] {
        let file = format!("first-fault.{ending}");
        let from = corpora().join("regression").join(&file);
        fs::copy(from, folder.join(file)).expect("a copy");
    }
    let scenario = folder.join("first-fault.scn");
    let recording = place(&scenario);
    (folder, scenario, recording)
}

fn lgdiff(args: &[&str], path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lgdiff"))
        .args(args)
        .arg(path)
        .output()
        .expect("lgdiff starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Changes the only place of the recording where `from` stands.
fn edit(recording: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(recording).expect("the recording");
    assert!(text.contains(from), "{from:?} is in it");
    fs::write(recording, text.replacen(from, to, 1)).expect("it can be written");
}

/// Frames that are reused in another order have other numbers, and a recording must not show it.
#[test]
fn no_line_depends_on_the_numbers_of_frames() {
    let hosts = Hosts::new().expect("room for two hosts");
    let (mut same, mut renumbered) = (0, 0);
    for file in find(&corpora()).expect("the corpora") {
        let scenario = load(&file).expect("a scenario");
        for mode in modes(scenario.machine.mode) {
            let lines = [Reuse::Lowest, Reuse::Fifo].map(|reuse| {
                let mut scenario = scenario.clone();
                scenario.machine.reuse = reuse;
                let lines = of_port(&hosts, &scenario, *mode);
                (lines, lguest_engine::Machinery::trail(&hosts.port))
            });
            assert_eq!(lines[0].0, lines[1].0, "{}", file.display());
            same += 1;
            renumbered += usize::from(lines[0].1 != lines[1].1);
        }
    }
    println!("{same} recordings are the same, {renumbered} of them with other frames");
    assert!(renumbered > 100, "{renumbered} of {same} had other frames");
}

#[test]
fn an_edited_recording_is_told() {
    for (from, to, line) in [
        ("guest page 1;", "guest page 2;", 6),
        ("0x63", "0x67", 6),
        ("write=1 ", "write=0 ", 6),
        ("3 access: word 0x55", "3 access: word 0x54", 8),
        ("#c2770c25c22e1a5d", "#c2770c25c22e1a5e", 5),
        ("4 run: done\n", "", 9),
        ("end: held 0 tables", "end: held 1 tables", 18),
    ] {
        let (_, scenario, recording) = example("edited");
        assert_eq!(
            lgdiff(&["replay", "--recorded"], &scenario).status.code(),
            Some(0)
        );
        edit(&recording, from, to);
        let output = lgdiff(&["replay", "--recorded"], &scenario);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{from}: {text}");
        let place = format!("first-fault.rec:{line}: not as recorded");
        assert!(text.contains(&place), "{from}: {text}");
        assert!(
            text.contains("\n-") && text.contains("\n+"),
            "a diff: {text}"
        );
    }
}

#[test]
fn a_header_that_does_not_fit_is_told() {
    for (from, to, expected) in [
        (
            "recording 1",
            "recording 2",
            "first-fault.rec:1: expected lguest recording 1",
        ),
        (
            "original d1d2",
            "original d1d3",
            "first-fault.rec:2: expected original d1d2",
        ),
        (
            "original d1d2",
            "original 2",
            "first-fault.rec:2: expected original and 64 hex digits",
        ),
        (
            "scenario ",
            "scenario z",
            "first-fault.rec:3: expected scenario and 16 hex digits",
        ),
        (
            "mode nopae",
            "mode none",
            "first-fault.rec:4: expected mode nopae or mode pae",
        ),
        ("mode pae", "mode nopae", "no further mode"),
        (
            "mode pae\n",
            "",
            "expected the modes that the scenario is for",
        ),
    ] {
        let (_, scenario, recording) = example("header");
        edit(&recording, from, to);
        let output = lgdiff(&["replay", "--recorded"], &scenario);
        assert_eq!(output.status.code(), Some(1), "{from}");
        assert!(
            said(&output).contains(expected),
            "{from}: {}",
            said(&output)
        );
    }
}

#[test]
fn a_scenario_that_was_edited_since_is_told() {
    let (_, scenario, _) = example("stale");
    edit(&scenario, "write 0x55", "write 0x56");
    let output = lgdiff(&["replay", "--recorded"], &scenario);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("it was edited since"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_missing_recording_is_no_pass_and_an_orphan_is_told() {
    let (folder, scenario, recording) = example("missing");
    let other = folder.join("other.scn");
    fs::rename(&recording, place(&other)).expect("it moves");
    // Nothing was tested, then.
    assert_eq!(
        lgdiff(&["replay", "--recorded"], &scenario).status.code(),
        Some(3)
    );
    let output = lgdiff(&["replay", "--recorded"], &folder);
    assert!(said(&output).contains("other.rec: there is no such scenario"));
    fs::copy(&scenario, &other).expect("a copy");
    // One scenario is tested, and one has no recording.
    let output = lgdiff(&["replay", "--recorded"], &folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("first-fault.rec: there is no recording"),
        "{}",
        said(&output)
    );
}

#[test]
fn recordings_are_made_and_checked() {
    if !lguest_c_reference::reference().is_some_and(|reference| reference.pinned) {
        eprintln!("skipped: this program was built without the original");
        return;
    }
    let (folder, scenario, recording) = example("made");
    let before = fs::read(&recording).expect("the recording");
    assert_eq!(
        lgdiff(&["record", "--check"], &folder).status.code(),
        Some(0)
    );
    edit(&recording, "word 0x55", "word 0x54");
    let output = lgdiff(&["record", "--check"], &folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("first-fault.rec:7: not as recorded"),
        "{}",
        said(&output)
    );
    fs::remove_file(&recording).expect("it goes");
    assert_eq!(
        lgdiff(&["record", "--check"], &folder).status.code(),
        Some(1)
    );
    assert_eq!(lgdiff(&["record"], &folder).status.code(), Some(0));
    assert_eq!(fs::read(&recording).expect("the recording"), before);
    fs::remove_file(&scenario).expect("it goes");
    assert_eq!(
        lgdiff(&["record", "--check"], &folder).status.code(),
        Some(1)
    );
}

/// Made here again, by the library alone.
#[test]
fn a_recording_reads_back_as_it_was_written() {
    let (_, scenario, recording) = example("round");
    let text = fs::read_to_string(&recording).expect("the recording");
    let parsed = Recording::parse(&text).expect("a recording");
    assert_eq!(parsed.to_string(), text);
    let hosts = Hosts::new().expect("room for two hosts");
    let given = load(&scenario).expect("a scenario");
    for (mode, lines, _) in &parsed.modes {
        let port = of_port(&hosts, &given, *mode);
        assert_eq!(&port, lines);
        hold(&scenario, &given, *mode, "port", &port).expect("as recorded");
        if let Some(original) = of_original(&hosts, &given, *mode) {
            assert_eq!(&original, lines);
        }
    }
}
