// SPDX-License-Identifier: GPL-2.0-or-later
//! The oracles: each tells of a bug of its own that no other oracle sees, none speaks of a guest at work, and the known
//! findings come out of them by their own names.

#[path = "common/planted.rs"]
mod planted;

use std::collections::BTreeSet;
use std::path::Path;

use lguest_engine::{Demand, PagingMode, Runner, Side};
use lguest_oracle::drive::{Alone, Drive, End, Given, run};
use lguest_oracle::findings::{explains, is_told, unexplained};
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::load::load;
use lguest_oracle::rig::{Hosts, Port, modes};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::parse;
use lguest_oracle::verify::watched;
use lguest_oracle::watch::{Breach, Often, Oracle, Watched, justified, references, told};
use lguest_shadow::{Host, HostBug, NoPae};
use planted::{Bug, Planted, set_bits};

/// A bug in a side.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Plant {
    /// None.
    Nothing,
    /// An entry that a fault stores gets these bits besides.
    Leaf(u32),
    /// A fault takes a reference too many.
    Reference,
    /// The page of the guest's registers is open to its user mode.
    Registers,
    /// The processor goes on with the tables of the slot that the first switch drew.
    FirstRoot,
    /// A page of the stack that a call pins is open to user mode.
    Stack,
    /// The guest's choice of its second table is not heard.
    Deaf,
}

type Faithful<'h> = Port<'h, NoPae>;

impl Bug<Faithful<'_>> for Plant {
    fn do_hypercalls(&mut self, port: &mut Faithful<'_>, args: &[u32; 5]) -> Result<(), HostBug> {
        if *self == Plant::Deaf && args[..2] == [4, 0x3000] {
            return Ok(());
        }
        port.do_hypercalls(args)?;
        if *self == Plant::Stack && port.state().stack_pages != 0 {
            set_bits(port, port.state().esp1 - 1, 4);
        }
        Ok(())
    }

    fn demand_page(
        &mut self,
        port: &mut Faithful<'_>,
        vaddr: u32,
        errcode: u32,
    ) -> Result<Demand, HostBug> {
        let demand = port.demand_page(vaddr, errcode)?;
        if demand.fixed && !port.state().linear_pages {
            match *self {
                Plant::Leaf(bits) => {
                    set_bits(port, vaddr, bits);
                }
                Plant::Reference => {
                    let frame = set_bits(port, vaddr, 0);
                    Host::<NoPae>::get_page(port.host(), frame.expect("a fixed fault's entry"));
                }
                _ => {}
            }
        }
        Ok(demand)
    }

    fn map_switcher_in_guest(&mut self, port: &mut Faithful<'_>) -> Result<(), HostBug> {
        port.map_switcher_in_guest()?;
        if *self == Plant::Registers {
            let switcher = Host::<NoPae>::switcher_addr(port.host());
            set_bits(port, switcher + 0x1000, 4);
        }
        Ok(())
    }

    fn current_root(&self, port: &Faithful<'_>) -> u32 {
        match self {
            Plant::FirstRoot if port.state().slots[1].pgdir != 0 => port.state().slots[1].pgdir,
            _ => port.current_root(),
        }
    }
}

/// Two tables that map one address to different pages, a page that only the kernel may use, one that the launcher has
/// read-only, and a step of three calls that pins the kernel's stack.
const SCENARIO: &str = "machine mode=nopae
expect agree
page 35 read-only
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x20063 tables=8
map pgd=0x2000 0x8000 -> 0x21067 tables=16
map pgd=0x2000 0x9000 -> 0x24063 tables=16
map pgd=0x2000 0xa000 -> 0x23027 tables=16
map pgd=0x2000 0xb000 -> 0x25063 tables=16
map pgd=0x3000 0x8000 -> 0x22067 tables=18
NEW_PGTABLE 0x2000 [draw=1]
access 0x8000 write 0x55 user
access 0x9000 write 0x1
access 0xa000 read user
NEW_PGTABLE 0x3000 [draw=2]
access 0x8000 write 0x66 user
NEW_PGTABLE 0x2000
access 0x8000 read user
NEW_PGTABLE 0x3000
access 0x8000 read user
NEW_PGTABLE 0x2000
async SET_STACK 1 0xc000 1
async TS 0
HALT
run 0
";

fn told(hosts: &Hosts, plant: Plant) -> Vec<Breach> {
    let scenario = parse(SCENARIO).expect("a scenario");
    let side = lguest_engine::PortSide::new(&hosts.port, lguest_shadow::Faithful);
    watched(Alone(Runner::new(Planted { side, bug: plant })), &scenario).1
}

#[test]
fn each_oracle_has_a_bug_that_it_alone_tells_of() {
    let hosts = Hosts::new().expect("room for hosts");
    assert_eq!(told(&hosts, Plant::Nothing), []);
    for (plant, oracle) in [
        // To write: the guest may, the read-only page of the launcher may not be.
        (Plant::Leaf(0x2), Oracle::Justified),
        (Plant::Reference, Oracle::References),
        (Plant::Registers, Oracle::Switcher),
        (Plant::Leaf(0x4), Oracle::Told),
        (Plant::FirstRoot, Oracle::Memory),
        // What one call of several stored past `set_pte`, and whose call it was.
        (Plant::Stack, Oracle::Told),
        (Plant::Deaf, Oracle::Told),
        (Plant::Leaf(0x100), Oracle::Bits),
    ] {
        let breaches = told(&hosts, plant);
        let by: BTreeSet<Oracle> = breaches.iter().map(|breach| breach.oracle).collect();
        assert_eq!(by, [oracle].into(), "{plant:?}: {breaches:?}");
        assert!(
            unexplained(&breaches).next().is_some(),
            "{plant:?}: {breaches:?}"
        );
    }
}

/// What the oracles tell of the faithful port in a scenario.
fn told_of(text: &str, mode: PagingMode) -> Vec<Breach> {
    let hosts = Hosts::new().expect("room for hosts");
    let scenario = parse(text).expect("a scenario");
    match mode {
        PagingMode::Pae => watched(hosts.port_pae(), &scenario).1,
        _ => watched(hosts.port_nopae(), &scenario).1,
    }
}

#[test]
fn each_call_of_a_step_is_held_to_its_promise_whatever_tables_the_next_one_chooses() {
    // The kernel begins inside a top-level entry, so that a flush leaves users' pages there (C9); then the tables change.
    let text = "machine mode=both
expect agree
boot_data 0x1000 kernel=0xc0200000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x21067 tables=8
NEW_PGTABLE 0x2000 [draw=1]
access 0xc0000000 write 0x5 user
async FLUSH_TLB 0
async NEW_PGTABLE 0x3000
async NEW_PGTABLE 0x2000
HALT
";
    for mode in modes(PagingMode::Both) {
        let breaches = told_of(text, *mode);
        let flush = |breach: &&Breach| breach.verb == "FLUSH_TLB";
        let by_flush: Vec<_> = breaches.iter().filter(flush).collect();
        assert_eq!(by_flush.len(), 1, "{mode:?}: {breaches:?}");
        assert_eq!(by_flush[0].what, told::OUTLIVED);
        assert!(is_told("C9", &breaches) && unexplained(&breaches).next().is_none());
    }
}

#[test]
fn pages_of_a_stack_that_lie_on_one_frame_are_told_apart() {
    let two = "machine mode=nopae
expect agree
page 20..22 writable shared=0
map pgd=0x0 0x16000 -> 0x14003 tables=0
map pgd=0x0 0xc0015000 -> 0x16003 tables=0
LGUEST_INIT 0x1000
NEW_PGTABLE 0x0
SET_STACK 0 0xc0016004 2
";
    let in_two_slots = "machine mode=nopae pages=68
expect agree
page 28..33 writable shared=59
map pgd=0x3000 0xc03a1000 -> 0x8063 tables=9
map pgd=0x3000 0xc03a0000 -> 0xa063 tables=11
map pgd=0x4000 0xc03a1000 -> 0x1f063 tables=32
map pgd=0x4000 0xc03a0000 -> 0x21063 tables=34
LGUEST_INIT 0x43a94
NEW_PGTABLE 0x3000
SET_STACK 105 0xc03a1f2c 2
async NEW_PGTABLE 0x4000
HALT
";
    // The entry of one page of the two is dropped by the update behind the ring.
    let dropped = "machine mode=nopae
expect agree
page 6..7 writable shared=0
LGUEST_INIT 0x0
SET_PTE 0x0 0x0 0x0
async SET_STACK 0 0x8000 2
SET_PTE 0x0 0x6000 0x0
";
    for text in [two, in_two_slots, dropped] {
        assert_eq!(told_of(text, PagingMode::NoPae), [], "{text}");
    }
}

#[test]
fn a_pin_for_reading_gives_no_right_to_write_even_where_the_mapping_does() {
    let text = "machine mode=both
expect agree
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
map pgd=0x2000 0xc0000000 -> 0x20063 tables=8
map pgd=0x2000 0x8000 -> 0x23067 tables=16
NEW_PGTABLE 0x2000 [draw=1]
access 0x8000 read user
SET_PTE 0x2000 0x9000 ENTRY
";
    for mode in modes(PagingMode::Both) {
        // Accessed and writable; the same and dirty; accessed and read-only.
        let breaches = told_of(&text.replace("ENTRY", "0x21027"), *mode);
        let what: Vec<_> = breaches.iter().map(|breach| breach.what).collect();
        assert_eq!(what, [justified::UNASKED], "{mode:?}");
        assert!(is_told("C25", &breaches));
        for entry in ["0x21067", "0x21025"] {
            let breaches = told_of(&text.replace("ENTRY", entry), *mode);
            assert_eq!(breaches, [], "{mode:?} {entry}");
        }
    }
}

/// C23 takes two references for nothing and C2 gives one of them back, so that one is left.
#[test]
fn findings_that_make_up_for_each_other_are_both_told() {
    let hosts = Hosts::new().expect("room for hosts");
    let text = "machine mode=nopae
expect agree
LGUEST_INIT 0x0
demand_page 0x0
SET_PTE 0x0 0x0 0x20
SET_PTE 0x0 0x0 0x20
demand_page 0x0
SET_PTE 0x0 0x0 0x80020
";
    let (run, breaches) = watched(hosts.port_nopae(), &parse(text).expect("a scenario"));
    let end = run.end.expect("one side cannot differ");
    assert!(
        matches!(end, End::Breach(left, 2) if left.references == 1),
        "{end}"
    );
    assert_eq!(explains(&end), Some("C23"));
    assert!(is_told("C2", &breaches) && is_told("C23", &breaches));
    assert!(unexplained(&breaches).next().is_none(), "{breaches:?}");
}

/// A bad update in the ring takes a page's reference while a stack's entry of the same page, which no note tells of, is
/// there too; then all is given back. Whose put it was is told by what each call dropped.
#[test]
fn the_call_that_took_a_reference_is_told_from_those_that_gave_it_back() {
    let stack_in_the_ring = "machine mode=nopae switcher=0xbfc01000
expect finding C2
LGUEST_INIT 0x0
SET_PTE 0x0 0xbfc00000 0x21
async SET_STACK 0 0x1000 1
async SET_PTE 0x0 0xbfc00000 0x80020
NEW_PGTABLE 0x0
";
    let flushed_twice = "machine mode=both
expect finding C2
LGUEST_INIT 0x4001
SET_STACK 105 0x1048 2
async FLUSH_TLB 1
async FLUSH_TLB 1
SET_PTE 0x0 0x1000 0x80066
";
    // Before it, C23 was told of the same frame.
    let leaked_before = "machine mode=both
expect finding C2
LGUEST_INIT 0x0
demand_page 0x0
SET_PTE 0x0 0x0 0x20
demand_page 0x0
async SET_PTE 0x0 0x0 0x80020
async SET_PTE 0x0 0x0 0x80020
SET_PTE 0x0 0x0 0x80020
";
    for text in [stack_in_the_ring, flushed_twice, leaked_before] {
        let breaches = told_of(text, PagingMode::NoPae);
        let outlives = |breach: &&Breach| breach.what == references::OUTLIVES;
        let by: Vec<_> = breaches.iter().filter(outlives).map(|b| b.verb).collect();
        assert_eq!(by, ["SET_PTE"], "{breaches:?}");
        assert!(unexplained(&breaches).next().is_none(), "{breaches:?}");
    }
}

fn scenario(name: &str) -> ScenarioBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpora")
        .join(name);
    load(&path).expect("a scenario of the corpora")
}

#[test]
fn the_known_findings_are_told_by_name() {
    let hosts = Hosts::new().expect("room for hosts");
    for (name, id) in [
        ("findings/c1-set-pgd-one-past-the-end.scn", "C1"),
        ("findings/c2-bad-update-puts-a-page-twice.scn", "C2"),
        (
            "findings/c2-bad-update-of-a-kernel-page-in-two-slots.scn",
            "C2",
        ),
        ("findings/c2-bad-update-repeated-by-the-ring.scn", "C2"),
        (
            "findings/c2-bad-update-in-the-ring-then-a-flush-of-two-entries.scn",
            "C2",
        ),
        (
            "findings/c3-set-pgd-takes-the-switcher-from-another-table.scn",
            "C3",
        ),
        (
            "findings/c3-pae-set-pgd-takes-the-switcher-from-another-table.scn",
            "C3",
        ),
        ("findings/c3-slot-without-switcher-is-taken-over.scn", "C3"),
        ("findings/c18-stack-of-four-billion-pages.scn", "C18"),
        ("findings/c18-stack-too-large-pinned-later.scn", "C18"),
        (
            "findings/c23-update-without-present-leaks-a-page.scn",
            "C23",
        ),
        ("findings/c24-stack-before-the-switcher.scn", "C24"),
        ("findings/c24-pae-stack-before-the-switcher.scn", "C24"),
        (
            "findings/c25-accessed-update-maps-a-shared-frame-writable.scn",
            "C25",
        ),
        (
            "findings/c25-accessed-update-maps-a-read-only-page-writable.scn",
            "C25",
        ),
        (
            "findings/c26-switcher-comes-back-without-its-text.scn",
            "C26",
        ),
        (
            "findings/c26-pae-switcher-comes-back-without-its-text.scn",
            "C26",
        ),
        (
            "findings/c9-users-pages-beside-the-kernel-outlive-a-flush.scn",
            "C9",
        ),
        ("findings/c9-users-pages-reach-another-process.scn", "C9"),
        ("findings/c17-two-slots-for-the-table-at-zero.scn", "C17"),
        ("findings/c27-second-mapping-keeps-the-old-frame.scn", "C27"),
    ] {
        let scenario = scenario(name);
        for mode in modes(scenario.machine.mode) {
            let breaches = match mode {
                PagingMode::Pae => watched(hosts.port_pae(), &scenario).1,
                _ => watched(hosts.port_nopae(), &scenario).1,
            };
            assert!(is_told(id, &breaches), "{name} {mode:?}: {breaches:?}");
            let new: Vec<_> = unexplained(&breaches).collect();
            assert!(new.is_empty(), "{name} {mode:?}: {new:?}");
        }
    }
}

#[test]
fn nothing_is_told_that_no_finding_explains_and_both_sides_tell_the_same() {
    let hosts = Hosts::new().expect("room for hosts");
    let mut some = 0;
    for profile in [Profile::Boot, Profile::Chaos, Profile::Mixed] {
        for index in 0..60 {
            let mut generator = Generator::new(11, profile, index, PagingMode::NoPae);
            let (machine, pages) = (generator.machine, generator.pages.clone());
            let mut drive = Watched::new(hosts.port_nopae(), Often::AtTimes);
            let mut scenario = ScenarioBuf::new(machine);
            scenario.pages.clone_from(&pages);
            run(
                &mut drive,
                &machine,
                &pages,
                &mut generator,
                |_, step, _| {
                    scenario.steps.push(*step);
                },
            );
            let port = drive.breaches().to_vec();
            drop(drive);
            assert!(
                unexplained(&port).next().is_none(),
                "{profile:?} {index}: {port:?}"
            );
            some += port.len();
            let Some(original) = hosts.original_alone(false) else {
                continue;
            };
            let mut drive = Watched::new(original, Often::AtTimes);
            let steps = &mut Given(scenario.steps.iter());
            run(&mut drive, &machine, &pages, steps, |_, _, _| {});
            assert_eq!(drive.breaches(), port, "{profile:?} {index}");
        }
    }
    assert!(some > 20, "{some} breaches are too few to show anything");
}
