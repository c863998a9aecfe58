// SPDX-License-Identifier: GPL-2.0-or-later
//! The hardened port: free of what the findings show, the original's equal for guests that mean no harm, and every
//! departure told. Each alarm rings for a port that is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lguest_engine::{Care, Demand, Machine, PageRecord, PagingMode, PortSide, Side, State, Verb};
use lguest_oracle::campaign::{Options, Report, campaign};
use lguest_oracle::catalogue::{read, table, verify};
use lguest_oracle::drive::{Drive, run};
use lguest_oracle::exit::Exit;
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::hardened::{Explanation, Fired, Parting, explain_of, mask_of, names};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::rig::{Hosts, Subject, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::sim::SimHost;
use lguest_oracle::trace::lanes::{Lanes, One};
use lguest_oracle::trace::verify::replay;
use lguest_oracle::trace::{Detail, Import, Reader};
use lguest_shadow::{Fix, HostBug, Mixed, NoPae, Pae};

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
    finding.heading.fix = Fix::C1;
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
        // The pin and what came of it, in that one step.
        assert_eq!(without.counts.verified - with.counts.verified, 2);
        assert!(without.counts.verified > 300_000);
    }
}

/// The fixes that a guest at work may make act: it marks an entry used and writable, but not written, which real
/// ones next to never do.
const AT_WORK: [Fix; 1] = [Fix::C25];

/// Of 300 guests at work, one in 25 ends with a deadly act on purpose, and that can be what a finding is about.
const DEADLY: u64 = 12;

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_guest_at_work_sees_no_difference_but_by_findings() {
    let (report, _) = run_campaign("boot-profile", |options| {
        options.profile = Some(Profile::Boot);
        options.scenarios = Some(300);
    });
    assert_eq!(classes(&report), [""; 0]);
    for (mode, tally) in &report.tallies {
        assert_eq!(tally.scenarios, 300);
        let mut deadly = 0;
        for (fix, count) in Fix::ALL.into_iter().zip(tally.by_fix) {
            println!("{mode:?}: {} in {count} of 300 scenarios", fix.id());
            if !AT_WORK.contains(&fix) {
                deadly += count;
            }
        }
        assert!(
            deadly <= DEADLY,
            "other fixes act in {deadly} scenarios, {mode:?}"
        );
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn any_profile_has_no_harm_and_no_departure_that_is_not_explained() {
    let (report, _) = run_campaign("all-profiles", |options| options.scenarios = Some(400));
    assert_eq!(classes(&report), [""; 0]);
    let departures: u64 = report.tallies.iter().map(|(_, t)| t.departures).sum();
    assert!(departures > 0, "the fixes are met at all");
}

/// Fixes whose absence shows to the host itself, and the time that a campaign may take.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn each_fix_is_missed_within_a_minute() {
    println!("| without | seconds | scenario | class |\n|---|---|---|---|");
    for id in ["C1", "C2", "C3", "C7b", "C18", "C23"] {
        let begun = Instant::now();
        let (report, folder) = run_campaign(&format!("without-{id}"), |options| {
            let without = mask_of(id).expect("a fix");
            options.subject = Subject::Hardened { without };
            options.time = Some(Duration::from_secs(60));
            options.stop_at_first = true;
        });
        let took = begun.elapsed().as_secs_f64();
        let named = report.classes.iter().find(|(class, record)| {
            let text = folder
                .join(class.id())
                .join(format!("{:08}.txt", record.first.0));
            fs::read_to_string(text).is_ok_and(|text| text.contains(&format!("finding {id}\n")))
        });
        let (class, record) = named.unwrap_or_else(|| panic!("{id}: {:?}", classes(&report)));
        println!("| {id} | {took:.1} | {} | {class} |", record.first.0);
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
}

/// A port with a wrong fix.
struct Planted<'h> {
    port: PortSide<'h, NoPae, Mixed, SimHost>,
    wrong: Wrong,
    fixes: Mixed,
    acted: bool,
}

impl<'h> Planted<'h> {
    fn new(host: &'h SimHost, wrong: Wrong, fixes: Mixed) -> Self {
        Planted {
            port: PortSide::new(host, fixes),
            wrong,
            fixes,
            acted: false,
        }
    }
}

impl Fired for Planted<'_> {
    fn fired(&self) -> u32 {
        let fired = self.port.fired();
        match self.wrong {
            Wrong::Silent => fired & !Fix::C2.bit(),
            Wrong::Overdone if self.acted => fired | Fix::C1.bit(),
            _ => fired,
        }
    }
}

impl Side for Planted<'_> {
    type Host = SimHost;
    fn host(&self) -> &SimHost {
        self.port.host()
    }
    fn pae(&self) -> bool {
        self.port.pae()
    }
    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.acted = false;
        self.port.reset(machine, pages);
    }
    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        self.port.init_guest_pagetable()
    }
    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        let on = match self.wrong {
            Wrong::Silent => false,
            Wrong::Untold => true,
            Wrong::Overdone => self.fixes.0 & Fix::C1.bit() != 0,
        };
        if on && args[0] == 7 && args[3] == 2 {
            self.acted = true;
            return self.port.do_hypercalls(&[7, args[1], args[2], 1, 0]);
        }
        self.port.do_hypercalls(args)
    }
    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        self.port.demand_page(vaddr, errcode)
    }
    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.port.map_switcher_in_guest()
    }
    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        self.port.guest_pa(vaddr)
    }
    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        self.port.try_guest_pa(vaddr)
    }
    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.port.free_guest_pagetable()
    }
    fn state(&self) -> State {
        self.port.state()
    }
    fn pins(&self) -> u32 {
        self.port.pins()
    }
    fn dead(&self) -> i32 {
        self.port.dead()
    }
    fn lguest_data(&self) -> u32 {
        self.port.lguest_data()
    }
    fn current_root(&self) -> u32 {
        self.port.current_root()
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
        let port = Planted::new(&hosts.port, wrong, Mixed::ALL);
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
        let make = |fixes| Planted::new(&hosts.port, wrong, fixes);
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
