// SPDX-License-Identifier: GPL-2.0-or-later
//! How small the scenarios get that a campaign finds planted bugs with.
//!
//! `cargo test -p lguest-alarms --test table -- --ignored --nocapture` prints all of them as a table.

#[path = "../../tests/common/minimal.rs"]
mod minimal;

use std::fmt::Write as _;
use std::time::Duration;

use lguest_alarms::c_table::C;
use lguest_alarms::hunt::{Caught, Small, hunt_and_minimize};
use lguest_alarms::port_table::PORT;
use lguest_alarms::{PlantedSide, spoiled_original};
use lguest_engine::{Care, PagingMode, Pair, PortSide, Side};
use lguest_oracle::drive::Both;
use lguest_oracle::minimize::sides::{Eye, Two};
use lguest_oracle::original::OriginalSide;
use lguest_oracle::rig::Hosts;
use lguest_oracle::text::print;
use lguest_shadow::{Faithful, NoPae, Pae};

/// Scenarios in which a bug must show.
const LIMIT: u64 = 40_000;
/// The most steps that may be left of one.
const MOST: usize = 20;
/// The most that may be left of half of them.
const MEDIAN: usize = 10;
/// Time in which each must be found.
const FOUND: Duration = Duration::from_secs(60);

/// A bug in one mode.
struct Row {
    name: &'static str,
    pae: bool,
    caught: Caught,
    small: Small,
}

fn in_port(name: &'static str, pae: bool) -> Row {
    let hosts = Hosts::new().expect("room for two hosts");
    let copy = PlantedSide::new(name, &hosts.port, pae).expect("a copy for this mode");
    let original = OriginalSide::new(&hosts.original, pae).expect("the original");
    row(name, pae, hunt_and_minimize(&hosts, original, copy, LIMIT))
}

fn in_original(name: &'static str, pae: bool) -> Row {
    let hosts = Hosts::new().expect("room for two hosts");
    let original = spoiled_original(name, &hosts.original, pae).expect("compiled for this mode");
    let found = if pae {
        let port = PortSide::<Pae, _, _>::new(&hosts.port, Faithful);
        hunt_and_minimize(&hosts, original, port, LIMIT)
    } else {
        let port = PortSide::<NoPae, _, _>::new(&hosts.port, Faithful);
        hunt_and_minimize(&hosts, original, port, LIMIT)
    };
    row(name, pae, found)
}

fn row(name: &'static str, pae: bool, found: Option<(Caught, Small)>) -> Row {
    let (caught, small) = found.unwrap_or_else(|| panic!("{name}, pae {pae}: not found"));
    Row {
        name,
        pae,
        caught,
        small,
    }
}

/// The table, sorted by what is left.
fn table(title: &str, rows: &mut [Row]) -> String {
    rows.sort_by_key(|row| (row.small.after, row.name));
    let mut text = format!(
        "| planted in {title} | mode | found after | steps | left | candidates | minimized in | class |\n|---|---|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let Row {
            name,
            pae,
            caught,
            small,
        } = row;
        let mode = if *pae { "pae" } else { "nopae" };
        let class = caught.class.split_once(' ').map_or("", |(_, class)| class);
        // A formatted String takes whatever is written to it.
        let _ = writeln!(
            text,
            "| `{name}` | {mode} | {:.2} s | {} | {} | {} | {:.2} s | {class} |",
            caught.elapsed.as_secs_f64(),
            small.before,
            small.after,
            small.runs,
            small.elapsed.as_secs_f64()
        );
    }
    text
}

/// Asserts the bounds; `title` says of what.
fn hold(title: &str, rows: &[Row]) {
    let mut left: Vec<usize> = rows.iter().map(|row| row.small.after).collect();
    left.sort_unstable();
    for row in rows {
        let name = row.name;
        assert!(row.caught.elapsed <= FOUND, "{title} {name}: found late");
        assert!(row.small.minimal, "{title} {name}: not minimal");
        let text = print(&row.small.scenario);
        assert!(row.small.after <= MOST, "{title} {name}:\n{text}");
    }
    let median = left[left.len() / 2];
    let others: usize = rows.iter().map(|row| row.small.others).sum();
    println!(
        "{title}: {} rows, median {median}, {others} other classes met",
        left.len()
    );
    assert!(median <= MEDIAN, "{title}: {left:?}");
}

fn has_original() -> bool {
    let there = lguest_c_reference::reference().is_some_and(|reference| reference.pinned);
    if !there {
        eprintln!("skipped: this program was built without the pinned original");
    }
    there
}

/// A sample of the table: the ones that were largest, and some of each sort.
const PORT_SAMPLE: [(&str, bool); 7] = [
    ("message_not_cut", false),
    ("no_memory_next_slot", true),
    ("user_half_stays", true),
    ("kernel_begins_later", false),
    ("set_pte_keeps_old_reference", true),
    ("pgd_keeps_cpu", false),
    ("global_is_kept", false),
];
/// The same of the original.
const C_SAMPLE: [(&str, bool); 6] = [
    ("reference_put_twice", false),
    ("write_flag", true),
    ("pages_of_another_cpu", true),
    ("ring_entry_of_another", false),
    ("raw_store", false),
    ("middle_table_text", true),
];

/// What is left of a row is 1-minimal: no single reduction of it shows the class.
fn hold_minimal<A: Side, B: Side>(row: &Row, hosts: &Hosts, a: A, b: B) {
    let mode = match row.pae {
        true => PagingMode::Pae,
        false => PagingMode::NoPae,
    };
    let pair = Pair::new(a, b);
    let care = Care::Full;
    let mut eye = Two::new(hosts, Both { pair, care }, mode);
    minimal::assert_minimal(&row.small.scenario, &mut |candidate| {
        eye.see(candidate, None)
            .is_some_and(|seen| seen.class.to_string() == row.caught.class)
    });
}

#[test]
fn a_sample_comes_down_to_a_few_steps_and_no_more_can_go() {
    if !has_original() {
        return;
    }
    let port: Vec<Row> = PORT_SAMPLE
        .iter()
        .map(|(name, pae)| in_port(name, *pae))
        .collect();
    let original: Vec<Row> = C_SAMPLE
        .iter()
        .map(|(name, pae)| in_original(name, *pae))
        .collect();
    let hosts = Hosts::new().expect("room for two hosts");
    for row in &port {
        let copy = PlantedSide::new(row.name, &hosts.port, row.pae).expect("a copy");
        let side = OriginalSide::new(&hosts.original, row.pae).expect("the original");
        hold_minimal(row, &hosts, side, copy);
        let again = in_port(row.name, row.pae);
        assert_eq!(again.small.scenario, row.small.scenario, "the same again");
        assert_eq!(again.small.runs, row.small.runs);
    }
    for row in &original {
        let side = spoiled_original(row.name, &hosts.original, row.pae).expect("compiled");
        if row.pae {
            let port = PortSide::<Pae, _, _>::new(&hosts.port, Faithful);
            hold_minimal(row, &hosts, side, port);
        } else {
            let port = PortSide::<NoPae, _, _>::new(&hosts.port, Faithful);
            hold_minimal(row, &hosts, side, port);
        }
    }
    hold("sample of the port", &port);
    hold("sample of the original", &original);
}

#[test]
#[ignore = "a minute or two: all planted bugs in both modes"]
fn every_planted_bug_comes_down_to_a_few_steps() {
    if !has_original() {
        return;
    }
    let modes = |has: &dyn Fn(bool) -> bool| {
        [false, true]
            .into_iter()
            .filter(|pae| has(*pae))
            .collect::<Vec<_>>()
    };
    let mut port: Vec<Row> = PORT
        .iter()
        .flat_map(|bug| {
            modes(&|pae| bug.modes.has(pae))
                .into_iter()
                .map(|pae| in_port(bug.name, pae))
        })
        .collect();
    let mut original: Vec<Row> = C
        .iter()
        .flat_map(|bug| {
            modes(&|pae| bug.modes.has(pae))
                .into_iter()
                .map(|pae| in_original(bug.name, pae))
        })
        .collect();
    println!("{}", table("the port", &mut port));
    println!("{}", table("the original", &mut original));
    if std::env::var_os("ALARMS_SHOW").is_some() {
        for row in port.iter().chain(&original) {
            println!(
                "{} pae {}: {}\n{}",
                row.name,
                row.pae,
                row.caught.class,
                print(&row.small.scenario)
            );
        }
    }
    hold("port", &port);
    hold("original", &original);
}
