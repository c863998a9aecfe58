// SPDX-License-Identifier: GPL-2.0-or-later
//! The command from outside: exit codes, bad input, what it writes and where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

fn lgdiff() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lgdiff"))
}

fn run(args: &[&str]) -> Output {
    lgdiff().args(args).output().expect("lgdiff starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The file with this text is refused with exit code 2 and a message that holds `said`; nothing else appears.
fn refused(name: &str, scenario: &[u8], said: &str) {
    let folder = folder(name);
    let file = folder.join("bad.scn");
    fs::write(&file, scenario).expect("the bad file");
    for verb in ["replay", "explain", "convert", "fmt"] {
        let output = run(&[verb, path(&file)]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb}: {error}");
        assert!(error.contains(said), "{verb}: {error}");
        assert!(error.contains("bad.scn"), "{verb} names the file: {error}");
    }
    assert_eq!(
        fs::read_dir(&folder).expect("the folder").count(),
        1,
        "nothing else was written"
    );
}

#[test]
fn bad_scenarios_are_refused_with_their_place() {
    refused(
        "bad-verb",
        b"machine mode=nopae\nfrobnicate 1\n",
        "bad.scn:2:1:",
    );
    refused(
        "bad-number",
        b"machine mode=nopae\nguest_pa 0xzz\n",
        "bad.scn:2:10:",
    );
    refused(
        "bad-flag",
        b"machine mode=nopae\ndemand_page 0x1000 wrote\n",
        "bad.scn:2:20:",
    );
    refused(
        "after-destroy",
        b"machine mode=nopae\ndestroy\nrun 0\n",
        "bad.scn:3:1:",
    );
    refused(
        "machine-range",
        b"machine mode=nopae cpus=33\n",
        "bad.scn:1:",
    );
    refused("encoding", b"machine mode=nopae\n# \xff\n", "bad.scn:2:3:");
    refused("empty", b"", "bad.scn:1:1:");
}

#[test]
fn a_large_file_of_noise_is_refused_at_once() {
    let folder = folder("noise");
    let file = folder.join("noise.scn");
    let noise: Vec<u8> = (0..100_u32 << 20)
        .map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8)
        .collect();
    fs::write(&file, noise).expect("the noise");
    let begun = Instant::now();
    let output = run(&["replay", path(&file)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(begun.elapsed() < Duration::from_secs(5));
    fs::remove_file(&file).expect("the noise is removed");
}

#[test]
fn a_folder_without_scenarios_tests_nothing() {
    let folder = folder("no-scenarios");
    assert_eq!(run(&["replay", path(&folder)]).status.code(), Some(3));
    assert_eq!(
        run(&["check", "--corpora", path(&folder)]).status.code(),
        Some(3)
    );
}

#[test]
fn bad_usage_is_refused() {
    for args in [
        &["campaign", "--threads", "0"][..],
        &["campaign", "--scenarios", "0"],
        &["campaign", "--seconds", "-1"],
        &["campaign", "--seconds", "nan"],
        &["campaign", "--profile", "none"],
        &["campaign", "--mode", "long"],
        &["replay"],
        &["replay", "/nowhere/at/all.scn"],
        &["gen", "--seed", "1", "--index", "0", "--mode", "both"],
        &["juggle"],
    ] {
        let output = run(args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(!output.stderr.is_empty());
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = folder("not-a-folder");
    let file = folder.join("file");
    fs::write(&file, b"").expect("a file in the way");
    let output = run(&[
        "campaign",
        "--scenarios",
        "1",
        "--out",
        path(&file.join("below")),
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("below"));
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_campaign_is_the_same_on_any_number_of_threads() {
    let of = |threads: &str| {
        let folder = folder(&format!("threads-{threads}"));
        let args = [
            "campaign",
            "--scenarios",
            "48",
            "--seed",
            "7",
            "-j",
            threads,
            "--json",
            "--out",
            path(&folder),
        ];
        let output = run(&args);
        let mut json: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(json["exit"], output.status.code().unwrap_or(-1));
        for key in ["seconds", "threads"] {
            json.as_object_mut().expect("an object").remove(key);
        }
        for mode in ["nopae", "pae"] {
            json["modes"][mode]
                .as_object_mut()
                .expect("a mode")
                .remove("steps_per_second");
            assert_eq!(json["modes"][mode]["scenarios"], 48);
        }
        let classes = json["classes"].as_array_mut().expect("classes");
        classes.iter_mut().for_each(|class| {
            class
                .as_object_mut()
                .expect("a class")
                .retain(|key, _| key != "file" && key != "command");
        });
        json
    };
    assert_eq!(of("1"), of("3"));
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn an_interrupt_ends_a_campaign_with_its_summary() {
    let folder = folder("interrupt");
    let child = lgdiff()
        .args([
            "campaign",
            "--seconds",
            "300",
            "--profile",
            "boot",
            "--out",
            path(&folder),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lgdiff starts");
    sleep(Duration::from_secs(2));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(killed.success());
    let output = child.wait_with_output().expect("lgdiff ends");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("interrupted"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn both_forms_convert_into_each_other() {
    let folder = folder("convert");
    let file = folder.join("a.scn");
    let scenario =
        "machine mode=both cpus=2\nexpect agree\nrun 1\naccess 0x1000 write 0x55 [fail_alloc=1]\n";
    fs::write(&file, scenario).expect("a scenario");
    assert_eq!(run(&["convert", path(&file)]).status.code(), Some(0));
    let bytes = folder.join("a.lgs");
    let back = folder.join("b.scn");
    assert_eq!(
        run(&["convert", path(&bytes), "-o", path(&back)])
            .status
            .code(),
        Some(0)
    );
    assert_eq!(fs::read_to_string(&back).expect("the text"), scenario);
    fs::write(&bytes, b"LGSC but no more").expect("a broken file");
    assert_eq!(run(&["convert", path(&bytes)]).status.code(), Some(2));
}

#[test]
fn fmt_tells_and_mends() {
    let folder = folder("fmt");
    let file = folder.join("a.scn");
    fs::write(&file, "machine   mode=nopae cpus=1 # one\nrun 0x0\n").expect("a scenario");
    assert_eq!(run(&["fmt", "--check", path(&file)]).status.code(), Some(1));
    assert_eq!(run(&["fmt", path(&file)]).status.code(), Some(0));
    assert_eq!(run(&["fmt", "--check", path(&file)]).status.code(), Some(0));
    let mended = fs::read_to_string(&file).expect("the text");
    assert_eq!(mended, "machine mode=nopae  # one\nexpect agree\nrun 0\n");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn expectations_decide_the_exit_code() {
    let folder = folder("expect");
    let file = folder.join("a.scn");
    let lockup = "machine mode=both\nboot_data 0x1000 kernel=0xc0000000\nLGUEST_INIT 0x1000\nSET_STACK 1 0x9000 1000000\n";
    let with = |expect: &str, steps: &str| {
        let (machine, rest) = steps.split_once('\n').expect("a first line");
        fs::write(&file, format!("{machine}\nexpect {expect}\n{rest}")).expect("a scenario");
        run(&["replay", path(&file)]).status.code()
    };
    assert_eq!(with("finding C18", lockup), Some(0));
    assert_eq!(with("agree", lockup), Some(1));
    assert_eq!(with("finding C18", "machine mode=both\nrun 0\n"), Some(4));
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn results_go_to_a_junit_file() {
    let folder = folder("junit");
    let (file, junit) = (folder.join("a.scn"), folder.join("junit.xml"));
    fs::write(&file, "machine mode=both\nrun 0\n").expect("a scenario");
    assert_eq!(
        run(&["replay", path(&file), "--junit", path(&junit)])
            .status
            .code(),
        Some(0)
    );
    let xml = fs::read_to_string(&junit).expect("the JUnit file");
    assert!(
        xml.contains("tests=\"2\"") && xml.contains("failures=\"0\""),
        "{xml}"
    );
}

#[test]
fn generated_scenarios_are_steady_and_readable() {
    let args = [
        "gen",
        "--seed",
        "3",
        "--index",
        "1",
        "--mode",
        "pae",
        "--profile",
        "boot",
    ];
    let (first, second) = (run(&args), run(&args));
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(first.stdout, second.stdout);
    let scenario = lguest_oracle::text::parse(&text(&first.stdout)).expect("a scenario");
    assert!(scenario.steps.len() > 100);
}

#[test]
fn explain_shows_what_the_oracles_say_and_the_finding_that_explains_it() {
    let file = folder("explain-oracles").join("a.scn");
    let scenario = "machine mode=nopae
expect agree
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x20063 tables=8
map pgd=0x2000 0x8000 -> 0x23067 tables=16
NEW_PGTABLE 0x2000 [draw=1]
access 0x8000 read user
SET_PTE 0x2000 0x9000 0x21027
access 0x8000 read user
";
    fs::write(&file, scenario).expect("the scenario");
    let output = run(&["explain", path(&file)]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    let lines: Vec<&str> = told.lines().collect();
    let said = "  oracles: breach SET_PTE: justified: an entry may be written and its page was pinned for reading, at \
                0x9000: finding C25";
    let at = lines.iter().position(|line| *line == said);
    let at = at.unwrap_or_else(|| panic!("{told}"));
    let of = |line: &&&str| line.starts_with("step ");
    assert_eq!(
        lines[..at].iter().rfind(of),
        Some(&"step 7: SET_PTE 0x2000 0x9000 0x21027")
    );
    assert_eq!(told.matches("oracles:").count(), 1, "{told}");
}
