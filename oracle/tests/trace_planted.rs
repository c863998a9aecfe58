// SPDX-License-Identifier: GPL-2.0-or-later
//! Mistakes planted in the port, and in traces: a replay tells each, at its record and by the right thing alone.

#[path = "common/planted.rs"]
mod planted;

use std::io::Cursor;
use std::path::Path;

use lguest_engine::{Demand, Machinery, PortSide, Side, cpu};
use lguest_oracle::sim::SimHost;
use lguest_oracle::trace::lanes::One;
use lguest_oracle::trace::verify::replay;
use lguest_oracle::trace::{Detail, Failure, Import, Mismatch, Reader};
use lguest_shadow::{Faithful, HostBug, NoPae};
use planted::{Bug, Planted};

/// What goes wrong, once.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    /// Nothing.
    None,
    /// The entry of an earlier fault becomes writable, or read-only.
    Entry,
    /// `__guest_pa` gives the address after the right one.
    Address,
    /// A fault that was fixed is said not to be.
    Fault,
}

/// A mistake in the call of this number.
struct Once {
    mistake: Mistake,
    at: u32,
    calls: u32,
    last_fault: u32,
}

impl Once {
    fn due(&mut self, mistake: Mistake) -> bool {
        self.calls += 1;
        if self.mistake != mistake || self.calls < self.at {
            return false;
        }
        self.mistake = Mistake::None;
        true
    }

    fn change_entry<S: Side>(&self, port: &S) {
        let chain = cpu::chain(port.host(), port.current_root(), false, self.last_fault);
        assert!(chain.complete);
        let (pa, _) = chain.entries[chain.len - 1];
        let words = port.host().table(pa >> 12).expect("a table");
        let cell = &words[(pa as usize >> 2) & 1023];
        cell.set(cell.get() ^ 2);
    }
}

impl<S: Side> Bug<S> for Once {
    fn demand_page(&mut self, port: &mut S, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        let mut demand = port.demand_page(vaddr, errcode)?;
        if demand.fixed && self.last_fault >> 12 != vaddr >> 12 {
            if self.due(Mistake::Entry) {
                self.change_entry(port);
            }
            self.last_fault = vaddr;
        }
        if demand.fixed && self.due(Mistake::Fault) {
            demand.fixed = false;
        }
        Ok(demand)
    }

    fn try_guest_pa(&mut self, port: &mut S, vaddr: u32) -> Result<(bool, u32), HostBug> {
        let (found, paddr) = port.try_guest_pa(vaddr)?;
        let wrong = self.due(Mistake::Address);
        Ok((found, paddr + u32::from(wrong)))
    }
}

fn boot() -> Reader {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/boot/nopae.trace.gz");
    Reader::open(&path).expect("the trace")
}

fn told(reader: Reader, mistake: Mistake, at: u32) -> Option<Mismatch> {
    let host = SimHost::new().expect("room for a host");
    let mut import = Import::new(reader, Detail::Reads).expect("a trace");
    let machine = import.machine;
    let faulty = Planted {
        side: PortSide::<NoPae, _, _>::new(&host, Faithful),
        bug: Once {
            mistake,
            at,
            calls: 0,
            last_fault: 0,
        },
    };
    let mut lane = One::new("port", faulty);
    let done = replay(&mut lane, &machine, &[], &mut import, true).expect("a whole trace");
    match done.end {
        Ok(_) => None,
        Err(Failure::Mismatch(mismatch)) => Some(mismatch),
        Err(Failure::Differ(at, how)) => panic!("{at}: {how}"),
    }
}

/// Only the given letter's line is another one.
#[track_caller]
fn by_this_alone(mismatch: &Mismatch, letter: &str) {
    assert_eq!(mismatch.side, "port");
    assert_eq!(mismatch.recorded.len(), mismatch.got.len(), "{mismatch}");
    for (due, got) in mismatch.recorded.iter().zip(&mismatch.got) {
        assert!(
            due == got || due.starts_with(letter) && got.starts_with(letter),
            "{mismatch}"
        );
    }
    assert_ne!(mismatch.recorded, mismatch.got);
}

#[test]
fn the_port_as_it_is_makes_no_mistake() {
    assert_eq!(told(boot(), Mistake::None, 0), None);
}

#[test]
fn an_entry_that_is_wrong_is_told_by_a_check_alone() {
    for at in [1500, 9000] {
        let mismatch = told(boot(), Mistake::Entry, at).expect("it is told");
        by_this_alone(&mismatch, "= Z ");
        assert_eq!(mismatch.recorded.len(), 1);
    }
}

#[test]
fn a_result_that_is_wrong_is_told_by_itself() {
    let mismatch = told(boot(), Mistake::Address, 40_000).expect("it is told");
    by_this_alone(&mismatch, "= a ");
    assert!(mismatch.step.starts_with("try_guest_pa "), "{mismatch}");
    let mismatch = told(boot(), Mistake::Fault, 3000).expect("it is told");
    by_this_alone(&mismatch, "= d ");
}

/// Every kind of record, changed in a trace of a guest with several CPUs, is told at its line.
#[test]
fn a_change_of_any_recorded_result_is_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guests/cpus.trace");
    let trace = std::fs::read_to_string(path).expect("the trace");
    let mut changed = 0;
    for (i, line) in trace.lines().enumerate() {
        let words: Vec<_> = line.split(' ').collect();
        // Openers say what to do, but for the two whose own numbers are results. A draw is done as it is told.
        let (first, most) = match &words[0][1..] {
            "d" | "a" | "q" | "t" | "n" | "w" | "P" | "i" | "Z" => (1, words.len()),
            "f" => (1, words.len() - 1),
            "R" => (2, words.len()),
            "W" | "B" => (2, 3),
            _ => continue,
        };
        for j in first..most {
            // The message of a slot that does not exist is another test's.
            let other = if words[j] == "0" { "1" } else { "0" };
            let mut words = words.clone();
            words[j] = other;
            let mut lines: Vec<_> = trace.lines().map(String::from).collect();
            lines[i] = words.join(" ");
            let text = lines.join("\n") + "\n";
            let reader = Reader::new(Cursor::new(text.into_bytes())).expect("a reader");
            let mismatch = told(reader, Mistake::None, 0);
            let at = mismatch.map(|mismatch| mismatch.at);
            // What is written back may be read again: then the line after it may tell.
            assert!(at.is_some_and(|at| at >= 1), "line {}: {}", i + 1, lines[i]);
            changed += 1;
        }
    }
    assert!(changed > 100, "{changed}");
}
