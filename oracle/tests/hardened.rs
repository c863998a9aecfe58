// SPDX-License-Identifier: GPL-2.0-or-later
//! The hardened port: free of what the findings show, the original's equal for guests that mean no harm, and every
//! departure told. Each alarm rings for a port that is wrong.

#[path = "common/planted.rs"]
mod planted;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lguest_engine::{Care, Demand, PagingMode, PortHost, PortSide, Side, Verb};
use lguest_oracle::campaign::{Options, Report, campaign};
use lguest_oracle::catalogue::{read, table, verify};
use lguest_oracle::drive::{Drive, End, Given, run};
use lguest_oracle::exit::Exit;
use lguest_oracle::findings::{is_told, like, mended_by};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::hardened::{self, Did, Explanation, Parting, explain_of, judge, names};
use lguest_oracle::harm::Crashed;
use lguest_oracle::original::OriginalSide;
use lguest_oracle::rig::{Hosts, Subject, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::sim::SimHost;
use lguest_oracle::text::parse;
use lguest_oracle::trace::lanes::{Lanes, One};
use lguest_oracle::trace::verify::replay;
use lguest_oracle::trace::{Detail, Failure, Import, Reader};
use lguest_oracle::verify::{Verdict, verify_hardened};
use lguest_oracle::watch::{Often, Watched};
use lguest_shadow::{Fix, HostBug, Mixed, Mode, NoPae, Pae};
use planted::{Bug, Planted, set_bits};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run_campaign(name: &str, change: impl FnOnce(&mut Options)) -> (Report, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let mut options = Options {
        mode: PagingMode::Both,
        time: None,
        scenarios: None,
        seed: 5,
        threads: 2,
        profile: None,
        subject: Subject::Hardened { without: 0 },
        stop_at_first: false,
        folder: folder.clone(),
    };
    change(&mut options);
    let report = campaign(&options, &AtomicBool::new(false), &|_| {}, &|_, _| {});
    let report = report.expect("the folder can be written to");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    (report, folder)
}

fn classes(report: &Report) -> Vec<String> {
    report
        .classes
        .iter()
        .map(|(class, _)| class.to_string())
        .collect()
}

#[test]
fn the_table_of_findings_is_current() {
    let all = read(&here("../corpora/findings")).expect("findings with headings");
    let written = fs::read_to_string(here("../corpora/findings/README.md")).expect("the table");
    assert_eq!(written, table(&all), "run: cargo run --release -- findings");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn every_finding_shows_as_its_heading_says_and_its_fix_mends_it() {
    let all = read(&here("../corpora/findings")).expect("findings with headings");
    let hosts = Hosts::new().expect("room for hosts");
    for finding in &all {
        for mode in modes(finding.scenario.machine.mode) {
            if let Err((what, _)) = verify(&hosts, finding, *mode) {
                panic!("{}: {what}", finding.file.display());
            }
        }
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_finding_that_is_not_as_told_is_noticed() {
    let all = read(&here("../corpora/findings")).expect("findings with headings");
    let hosts = Hosts::new().expect("room for hosts");
    let mode = PagingMode::NoPae;
    let mut by_id = all.into_iter().filter(|f| f.heading.mode != "pae");
    let mut finding = by_id.find(|f| f.heading.id == "C2").expect("C2");
    let exit = |finding: &_| verify(&hosts, finding, mode).err().map(|(_, exit)| exit);
    assert_eq!(exit(&finding), None);
    // It shows, but not so.
    finding.heading.class = "hostbug destroy: bad_free".into();
    assert_eq!(exit(&finding), Some(Exit::FindingGone));
    // It is mended, but not by that fix.
    let mut finding = by_id.find(|f| f.heading.id == "C3").expect("C3");
    finding.heading.fix = Some(Fix::C1);
    assert_eq!(exit(&finding), Some(Exit::FindingGone));
    // It shows no more.
    finding.scenario.steps.truncate(4);
    assert_eq!(exit(&finding), Some(Exit::FindingGone));
}

/// Real guests mark an entry used and writable but not written once in a boot: the fix has that page for writing, and
/// nothing else differs, then or later.
#[test]
fn real_boots_meet_one_fix_once() {
    for (path, pae) in [("nopae", false), ("pae", true)] {
        let path = here(&format!("../corpora/boot/{path}.trace.gz"));
        let hosts = Hosts::new().expect("room for hosts");
        let replayed = |fixes: Mixed| {
            let reader = Reader::open(&path).expect("a trace");
            let mut import = Import::new(reader, Detail::Reads).expect("a trace");
            let machine = import.machine;
            let mut one: Box<dyn Lanes> = match pae {
                true => Box::new(One::<PortSide<'_, Pae, _, _>>::mended(&hosts.port, fixes)),
                false => Box::new(One::<PortSide<'_, NoPae, _, _>>::mended(&hosts.port, fixes)),
            };
            let done = replay(&mut *one, &machine, &[], &mut import, true).expect("a whole trace");
            assert!(done.end.is_ok(), "{:?}", done.end);
            done
        };
        let (with, without) = (
            replayed(Mixed::ALL),
            replayed(Mixed::ALL.without(Fix::C25.bit())),
        );
        let fixes: Vec<_> = with
            .departures
            .iter()
            .map(|(_, fixes)| names(*fixes))
            .collect();
        assert_eq!(fixes, ["C25"], "{}", path.display());
        assert_eq!(without.departures, []);
        // The pin alone.
        assert_eq!(without.counts.verified - with.counts.verified, 1);
        assert!(without.counts.verified > 300_000);
        // Without the fix the page that was pinned for reading may be written: the finding itself, and nothing else.
        assert_eq!(with.breaches, []);
        assert!(is_told("C25", &without.breaches), "{:?}", without.breaches);
        assert_eq!(without.breaches.len(), 1, "{:?}", without.breaches);
    }
}

/// In the step in which a fix acts, only what it changes may be another: what else was recorded there still counts.
#[test]
fn another_result_of_the_step_in_which_a_fix_acts_is_told() {
    let path = here("../corpora/boot/nopae.trace.gz");
    let hosts = Hosts::new().expect("room for hosts");
    let mut text = String::new();
    let packed = fs::File::open(&path).expect("a trace");
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut text)
        .expect("text");
    let told = |text: String| {
        let reader = Reader::new(std::io::Cursor::new(text.into_bytes())).expect("a reader");
        let mut import = Import::new(reader, Detail::Reads).expect("a trace");
        let machine = import.machine;
        let port = &hosts.port;
        let mut one = One::<PortSide<'_, NoPae, _, _>>::mended(port, Mixed::ALL);
        replay(&mut one, &machine, &[], &mut import, true).expect("a whole trace")
    };
    let line = told(text.clone()).departures[0].0 as usize;
    let lines: Vec<_> = text.lines().collect();
    // The pin, for reading; then the entry that was set, with its flags before and after.
    let pin: Vec<_> = lines[line - 1].split(' ').collect();
    assert!(pin[0].ends_with('f') && pin[2] == "0", "{pin:?}");
    let entry = (line..).find(|i| {
        lines[*i]
            .split(' ')
            .next()
            .is_some_and(|w| w.ends_with('t'))
    });
    let entry = entry.expect("what was set");
    assert!(entry <= line + 2, "{entry}");
    for (at, word) in [(line - 1, 1), (entry, 4)] {
        let mut words: Vec<_> = lines[at].split(' ').map(String::from).collect();
        let number = u32::from_str_radix(&words[word], 16).expect("a number");
        words[word] = format!("{:x}", number ^ 0x10);
        let mut changed: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        changed[at] = words.join(" ");
        let done = told(changed.join("\n") + "\n");
        let Err(Failure::Mismatch(mismatch)) = done.end else {
            panic!("line {}: {:?}", at + 1, done.end);
        };
        assert_eq!(mismatch.at, line as u64, "{mismatch}");
    }
}

/// The first step of a guest at work at which the port parts from the original or a fix acts, for each scenario of
/// `count`, with the one from which on it is meant to die.
fn at_work<M: Mode>(
    mode: PagingMode,
    count: u64,
    fixes: Mixed,
) -> Vec<(Option<usize>, Option<usize>)>
where
    SimHost: PortHost<M>,
{
    let hosts = Hosts::new().expect("room for hosts");
    let mut generator = Generator::new(5, Profile::Boot, 0, mode);
    let mut all = Vec::new();
    for index in 0..count {
        generator.reset(5, Profile::Boot, index, mode);
        let (machine, pages) = (generator.machine, generator.pages.clone());
        let parting = hosts.parting::<M, _>(fixes, Care::Cheap);
        let mut parting = parting.expect("the original");
        let (mut number, mut first) = (0, None);
        let done = run(
            &mut parting,
            &machine,
            &pages,
            &mut generator,
            |drive, _, _| {
                let acts = drive.parted().is_some() || drive.view().side.fired() != 0;
                first = first.or(acts.then_some(number));
                number += 1;
            },
        );
        assert!(done.end.is_ok());
        let late = parting.parted().is_some().then_some(number);
        all.push((first.or(late), generator.deadly()));
    }
    all
}

/// Guests at work may make one fix act: they mark an entry used and writable, but not written, which real ones next to
/// never do. With that fix off, the port does in everything what the original does, and no fix acts, for as long as the
/// guest lives or until it does what it is meant to die of.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_guest_at_work_sees_no_difference_but_by_one_finding() {
    let fixes = Mixed::ALL.without(Fix::C25.bit());
    for (mode, all) in [
        (
            PagingMode::NoPae,
            at_work::<NoPae>(PagingMode::NoPae, 300, fixes),
        ),
        (PagingMode::Pae, at_work::<Pae>(PagingMode::Pae, 300, fixes)),
    ] {
        let mut lived = 0;
        for (index, (first, deadly)) in all.into_iter().enumerate() {
            lived += usize::from(deadly.is_none());
            let fine = first.is_none_or(|first| deadly.is_some_and(|deadly| first >= deadly));
            assert!(
                fine,
                "{mode:?} {index}: parts at {first:?}, meant to die from {deadly:?} on"
            );
        }
        assert!(lived > 250, "{lived}");
    }
    // With it on, it is met: guests at work do test it.
    let met = at_work::<NoPae>(PagingMode::NoPae, 20, Mixed::ALL);
    assert!(met.iter().any(|(first, _)| first.is_some()));
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn any_profile_has_no_harm_and_no_departure_that_is_not_explained() {
    let (report, _) = run_campaign("all-profiles", |options| options.scenarios = Some(400));
    assert_eq!(classes(&report), [""; 0]);
    let departures: u64 = report.tallies.iter().map(|(_, t)| t.departures).sum();
    assert!(departures > 0, "the fixes are met at all");
}

/// Scenarios that a campaign may take to miss a fix: some seconds.
const SOON: u64 = 4000;

/// With any one fix switched off, a campaign soon reports the finding by its id, and nothing else.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn each_fix_is_missed_soon() {
    println!("| without | seconds | scenario | class |\n|---|---|---|---|");
    for fix in Fix::ALL {
        let begun = Instant::now();
        let (report, folder) = run_campaign(&format!("without-{}", fix.id()), |options| {
            options.subject = Subject::Hardened { without: fix.bit() };
            options.scenarios = Some(SOON);
            options.stop_at_first = true;
        });
        let took = begun.elapsed().as_secs_f64();
        assert!(!report.classes.is_empty(), "{} is not missed", fix.id());
        for (class, record) in &report.classes {
            let id = like(class).unwrap_or_else(|| panic!("{}: {class}", fix.id()));
            assert_eq!(mended_by(id), Some(fix), "{class}");
            let text = folder
                .join(class.id())
                .join(format!("{:08}.txt", record.first.0));
            let text = fs::read_to_string(text).expect("a report");
            assert!(text.contains(&format!("so shows finding {id}\n")), "{text}");
            println!(
                "| {} | {took:.1} | {} | {class} |",
                fix.id(),
                record.first.0
            );
        }
    }
}

/// How a port is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    /// C2 acts and does not tell.
    Silent,
    /// A stack of two pages becomes one of one page, and nothing is told.
    Untold,
    /// The same, told as if C1 had acted, which can be switched off.
    Overdone,
    /// Once a fix has acted, each fault leaves its page open for writing.
    After,
}

/// It, in a port with these fixes.
struct Fault {
    wrong: Wrong,
    fixes: Mixed,
    acted: bool,
}

type Port<'h> = PortSide<'h, NoPae, Mixed, SimHost>;

fn planted<'h>(host: &'h SimHost, wrong: Wrong, fixes: Mixed) -> Planted<Port<'h>, Fault> {
    Planted {
        side: PortSide::new(host, fixes),
        bug: Fault {
            wrong,
            fixes,
            acted: false,
        },
    }
}

impl Bug<Port<'_>> for Fault {
    fn reset(&mut self) {
        self.acted = false;
    }

    fn fired(&self, fired: u32) -> u32 {
        match self.wrong {
            Wrong::Silent => fired & !Fix::C2.bit(),
            Wrong::Overdone if self.acted => fired | Fix::C1.bit(),
            _ => fired,
        }
    }

    fn do_hypercalls(&mut self, port: &mut Port<'_>, args: &[u32; 5]) -> Result<(), HostBug> {
        let on = match self.wrong {
            Wrong::Silent | Wrong::After => false,
            Wrong::Untold => true,
            Wrong::Overdone => self.fixes.0 & Fix::C1.bit() != 0,
        };
        if on && args[0] == 7 && args[3] == 2 {
            self.acted = true;
            return port.do_hypercalls(&[7, args[1], args[2], 1, 0]);
        }
        port.do_hypercalls(args)
    }

    fn demand_page(
        &mut self,
        port: &mut Port<'_>,
        vaddr: u32,
        errcode: u32,
    ) -> Result<Demand, HostBug> {
        let demand = port.demand_page(vaddr, errcode)?;
        if self.wrong == Wrong::After && demand.fixed && port.fired() != 0 {
            set_bits(port, vaddr, 2);
        }
        Ok(demand)
    }
}

/// Scenarios, of `count`, that a planted port parts in without an explanation, and those explained by C1 although
/// no call in them has an index that C1 is about.
fn alarms(wrong: Wrong, profile: Profile, count: u64) -> (u64, u64) {
    let hosts = Hosts::new().expect("room for hosts");
    let (mut unexplained, mut overdone) = (0, 0);
    let mode = PagingMode::NoPae;
    for index in 0..count {
        let mut generator = Generator::new(9, profile, index, mode);
        let machine = generator.machine;
        let pages = std::mem::take(&mut generator.pages);
        let original = OriginalSide::new(&hosts.original, false).expect("the original");
        let port = planted(&hosts.port, wrong, Mixed::ALL);
        let mut parting = Parting::new(original, port, Care::Cheap);
        let mut scenario = ScenarioBuf::new(machine);
        let done = run(
            &mut parting,
            &machine,
            &pages,
            &mut generator,
            |_, step, _| {
                scenario.steps.push(*step);
            },
        );
        scenario.pages = pages;
        assert!(done.end.is_ok());
        let Some(fired) = parting.parted() else {
            continue;
        };
        let make = |fixes| planted(&hosts.port, wrong, fixes);
        match explain_of(
            &hosts,
            &scenario,
            mode,
            make,
            Mixed::ALL,
            fired,
            Care::Cheap,
        ) {
            Explanation::None(found) => {
                assert!(
                    found.text.contains("these acted and are off"),
                    "{}",
                    found.text
                );
                unexplained += 1;
            }
            Explanation::Fixes(fixes) => {
                let hostile = |step: &lguest_engine::Step| {
                    matches!(step.verb, Verb::Hypercall | Verb::Async)
                        && step.args[0] == 15
                        && step.args[2] == 1024
                };
                let told = fixes & Fix::C1.bit() != 0;
                overdone += u64::from(told && !scenario.steps.iter().any(hostile));
            }
            Explanation::Unsteady => panic!("unsteady"),
        }
    }
    (unexplained, overdone)
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_fix_that_acts_without_telling_is_caught() {
    assert!(alarms(Wrong::Silent, Profile::Chaos, 400).0 > 0);
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_change_that_no_fix_tells_is_caught() {
    assert!(alarms(Wrong::Untold, Profile::Boot, 10).0 > 0);
}

/// A fix that overdoes it and says so is explained by itself: it is seen because guests at work make it act.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_fix_that_acts_for_guests_at_work_is_seen_as_such() {
    let (unexplained, overdone) = alarms(Wrong::Overdone, Profile::Boot, 10);
    assert_eq!(unexplained, 0);
    assert!(overdone > 0);
}

/// A read-only page of the launcher, read before and after a fix acts.
const ACTS: &str = "machine mode=nopae
expect agree
page 35 read-only
page 36 read-only
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x20063 tables=8
map pgd=0x2000 0x8000 -> 0x23027 tables=16
map pgd=0x2000 0x9000 -> 0x24027 tables=16
NEW_PGTABLE 0x2000 [draw=1]
access 0x8000 read user
SET_PTE 0x2000 0xa000 0x21020
access 0x9000 read user
";

/// What a port does wrong once a fix has acted is told by the oracles and by nothing else: it has parted from the
/// original by then, and with the fix off it agrees.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn what_goes_wrong_after_the_sides_parted_is_told_by_the_oracles_alone() {
    let hosts = Hosts::new().expect("room for hosts");
    let scenario = parse(ACTS).expect("a scenario");
    let (mode, care, fixes) = (PagingMode::NoPae, Care::Full, Mixed::ALL);
    for (wrong, due) in [
        (Wrong::Silent, None),
        (Wrong::After, Some("nopae breach access: justified: ")),
    ] {
        let original = OriginalSide::new(&hosts.original, false).expect("the original");
        let parting = Parting::new(original, planted(&hosts.port, wrong, fixes), care);
        let mut drive = Watched::new(parting, Often::EachStep);
        let mut crashed = Crashed::default();
        let steps = &mut Given(scenario.steps.iter());
        let (machine, pages) = (&scenario.machine, &scenario.pages);
        let done = run(&mut drive, machine, pages, steps, |_, step, outcome| {
            crashed.see(step, outcome);
        });
        let (breaches, parted) = (drive.breaches().to_vec(), drive.parted());
        drop(drive);
        assert_eq!(parted, Some(Fix::C23.bit()));
        let make = |fixes| planted(&hosts.port, wrong, fixes);
        let explained = explain_of(&hosts, &scenario, mode, make, fixes, Fix::C23.bit(), care);
        assert!(matches!(explained, Explanation::Fixes(fixes) if fixes == Fix::C23.bit()));
        let did = Did {
            end: done.end.expect("sides that part do not differ"),
            crashed,
            breaches: &breaches,
            parted: None,
        };
        let judged = judge(&hosts, &|| scenario.clone(), mode, fixes, &did, care);
        let found: Vec<_> = judged
            .found()
            .map(|found| found.class.to_string())
            .collect();
        let as_due = |class: &String| due.is_some_and(|due| class.starts_with(due));
        assert!(found.iter().all(as_due), "{found:?}");
        assert_eq!(found.is_empty(), due.is_none());
    }
}

/// The oracles speak of the hardened port itself, through a whole campaign, if a fix is missing; of what it keeps on
/// purpose they speak too, and that alone is known.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn what_is_kept_on_purpose_is_known_and_nothing_else() {
    let all = read(&here("../corpora/findings")).expect("findings with headings");
    let hosts = Hosts::new().expect("room for hosts");
    let mut kept = 0;
    for finding in all {
        for mode in modes(finding.scenario.machine.mode) {
            let scenario = &finding.scenario;
            let verified = hardened::verify(&hosts, scenario, *mode, Mixed::ALL, Care::Full);
            let judged = verified.expect("the original").judged;
            assert_eq!(judged.found().count(), 0);
            assert_eq!(judged.kept, finding.heading.fix.is_none());
            kept += usize::from(judged.kept);
        }
    }
    assert!(kept > 0);
}

/// Thirty-three flushes that wait in the ring pin a stack of two pages more often than one step may, where the rig says
/// that the original's host hangs. The stack was not refused, and the guest lives.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_ring_of_flushes_is_no_lockup() {
    let flushes = "async FLUSH_TLB 1\n".repeat(33);
    let scenario = parse(&format!(
        "machine mode=both\nboot_data 0x1000 kernel=0xc0000000\nLGUEST_INIT 0x1000\n\
         map pgd=0x2000 0xc0000000 -> 0x20063 tables=8\nmap pgd=0x2000 0xc0001000 -> 0x21063 tables=8\n\
         NEW_PGTABLE 0x2000 [draw=1]\nSET_STACK 1 0xc0002000 2\n{flushes}HALT\n"
    ));
    let (scenario, hosts) = (
        scenario.expect("a scenario"),
        Hosts::new().expect("room for hosts"),
    );
    for &mode in modes(PagingMode::Both) {
        let of = verify_hardened(&hosts, &scenario, mode, 0);
        assert!(
            matches!(of.verdict, Verdict::Pass(_, End::Lived)),
            "{mode:?}: {}",
            of.verdict
        );
        assert_eq!(of.hardened, Some(Fix::C18.bit()));
    }
}
