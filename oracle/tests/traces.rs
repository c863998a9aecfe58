// SPDX-License-Identifier: GPL-2.0-or-later
//! Traces: what real guests did is replayed on both sides without a mismatch, and comes back as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lguest_engine::{Care, PagingMode, Verb};
use lguest_oracle::rig::{Hosts, Subject};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text;
use lguest_oracle::trace::export::export;
use lguest_oracle::trace::lanes::lanes;
use lguest_oracle::trace::verify::{Replayed, replay};
use lguest_oracle::trace::{Detail, Import, Reader, Record};
use lguest_oracle::verify::{Verdict, verify, verify_trace};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

const BOOTS: [&str; 2] = [
    "../corpora/boot/nopae.trace.gz",
    "../corpora/boot/pae.trace.gz",
];

/// Hand-made traces of other guests.
fn guests() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["tests/guests", "tests/guests/kills"] {
        let entries = fs::read_dir(here(folder)).expect("the folder of traces");
        all.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    all.retain(|path| path.extension().is_some_and(|e| e == "trace"));
    all.sort();
    assert!(all.len() > 15, "the traces are there");
    all
}

fn import(path: &Path, detail: Detail) -> Import {
    Import::new(Reader::open(path).expect("it opens"), detail).expect("it begins")
}

fn records(path: &Path) -> Vec<Record> {
    let mut reader = Reader::open(path).expect("it opens");
    std::iter::from_fn(|| reader.next_record().expect("it is a trace"))
        .map(|(_, record)| record)
        .collect()
}

/// Both sides if there are both, else the port alone.
fn subject() -> Subject {
    if lguest_c_reference::reference().is_some() {
        Subject::Both
    } else {
        Subject::Faithful
    }
}

fn replayed(path: &Path) -> (Replayed, Vec<(u64, String)>) {
    let hosts = Hosts::new().expect("room for hosts");
    let mut import = import(path, Detail::Reads);
    let machine = import.machine;
    let mut lanes = lanes(&hosts, subject(), machine.mode, Care::Cheap).expect("sides");
    let done = replay(&mut *lanes, &machine, &[], &mut import, true);
    (done.expect("a whole trace"), import.notes)
}

#[test]
fn every_result_of_the_boots_is_verified() {
    for path in BOOTS {
        let (done, notes) = replayed(&here(path));
        match &done.end {
            Ok(_) => {}
            Err(failure) => panic!("{path}: {failure}"),
        }
        assert_eq!(notes, []);
        // Counted past the importer: what stands in the file is what was verified.
        let mut due: BTreeMap<u8, u64> = BTreeMap::new();
        for record in records(&here(path)) {
            *due.entry(record.letter).or_default() += 1;
        }
        for letter in *b"daqtnwPfXZrRiWB" {
            let got = done.letters.get(&letter);
            assert_eq!(got, due.get(&letter), "{path}: {}", char::from(letter));
        }
        assert!(done.counts.verified > 350_000, "{}", done.counts.verified);
    }
}

fn exported(path: &Path, subject: Subject) -> Vec<u8> {
    let hosts = Hosts::new().expect("room for hosts");
    let mut import = import(path, Detail::Results);
    let machine = import.machine;
    let mut lanes = lanes(&hosts, subject, machine.mode, Care::Cheap).expect("a side");
    let mut out = Vec::new();
    export(&mut *lanes, &machine, &[], &mut import, &mut out).expect("it is written");
    out
}

/// The lines of both, side by side from the first that differs.
fn same_lines(path: &Path, side: Subject) {
    let got = String::from_utf8(exported(path, side)).expect("text");
    let mut got = got.lines();
    for (number, record) in (1..).zip(records(path)) {
        let line = record.to_string();
        assert_eq!(got.next(), Some(&*line), "{}:{number}", path.display());
    }
    assert_eq!(got.next(), None, "{}", path.display());
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_boot_comes_back_line_by_line_from_the_original() {
    for path in BOOTS {
        same_lines(&here(path), Subject::Original);
    }
}

#[test]
fn a_boot_comes_back_line_by_line_from_the_port() {
    for path in BOOTS {
        same_lines(&here(path), Subject::Faithful);
    }
}

#[test]
fn traces_of_other_guests_replay_and_come_back() {
    for path in guests() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (done, notes) = replayed(&path);
        if let Err(failure) = &done.end {
            panic!("{name}: {failure}");
        }
        assert!(done.counts.verified > 5, "{name}");
        // The last call of this one is whole in a replay.
        if name != "cut.trace" {
            if subject() == Subject::Both {
                same_lines(&path, Subject::Original);
            }
            same_lines(&path, Subject::Faithful);
        }
        let ends_early = ["crash.trace", "cut.trace", "lockup.trace"].contains(&&*name);
        assert_eq!(notes.len(), usize::from(ends_early), "{name}: {notes:?}");
    }
}

#[test]
fn a_trace_that_ends_within_a_call_says_so() {
    let (done, notes) = replayed(&here("tests/guests/cut.trace"));
    assert!(done.end.is_ok());
    let said = "the trace ends within `K` of line 19: it is imported up to there";
    assert_eq!(notes, [(24, said.to_owned())]);
    let hosts = Hosts::new().expect("room for hosts");
    for (file, crash) in [("crash", "null_entry"), ("lockup", "lockup")] {
        let path = here(&format!("tests/guests/{file}.trace"));
        let of = verify_trace(&hosts, &path).expect("a trace");
        if !matches!(of.verdict, Verdict::NoOriginal) {
            let said = of.verdict.to_string();
            assert!(of.verdict.passed() && said.contains(crash), "{said}");
        }
    }
}

#[test]
fn an_imported_scenario_survives_its_forms_and_replays() {
    let hosts = Hosts::new().expect("room for hosts");
    for path in guests() {
        let import = import(&path, Detail::Results);
        let mut scenario = ScenarioBuf::new(import.machine);
        for item in import {
            scenario.steps.push(item.expect("a whole trace").step);
        }
        assert_eq!(scenario.check(), Ok(()));
        let written = text::print(&scenario);
        assert_eq!(text::format(&written).as_ref(), Ok(&written));
        assert_eq!(text::parse(&written).as_ref(), Ok(&scenario));
        let bytes = scenario.to_bytes();
        assert_eq!(ScenarioBuf::from_bytes(&bytes).as_ref(), Ok(&scenario));
        let mode = scenario.machine.mode;
        let verdict = verify(&hosts, &scenario, mode);
        let harm = matches!(verdict, Verdict::Unexplained(_) | Verdict::NoOriginal);
        assert!(harm || verdict.verified() > 0, "{verdict}");
    }
}

/// A scenario without what was recorded is one that a campaign could have made.
#[test]
fn expectations_can_be_left_out_one_by_one() {
    let hosts = Hosts::new().expect("room for hosts");
    let import = import(&here("tests/guests/cpus.trace"), Detail::Results);
    let mut scenario = ScenarioBuf::new(import.machine);
    scenario
        .steps
        .extend(import.map(|item| item.expect("a whole trace").step));
    scenario.steps.retain(|step| step.verb != Verb::Expect);
    let verdict = verify(&hosts, &scenario, PagingMode::NoPae);
    let missing = matches!(verdict, Verdict::NoOriginal);
    assert!(missing || verdict.passed(), "{verdict}");
    assert_eq!(verdict.verified(), 0);
}
