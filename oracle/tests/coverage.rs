// SPDX-License-Identifier: GPL-2.0-or-later
//! The coverage gate rings: for an arm that is missed or wrongly listed, for a list that is broken, and for figures
//! that fall. `oracle/coverage` has it judge a real export.

#[path = "../examples/coverage/gate.rs"]
mod gate;
#[path = "../examples/coverage/profile.rs"]
mod profile;

use gate::{Figures, complaints, fallen, listed, parse, print};
use profile::{Arm, Covered, arms, lcov};
use serde_json::{Value, json};

const LIST: &str = "\
| line | mode | never | which is | why |
|---|---|---|---|---|
| 20 | two levels | true | the macro acts | nobody can |
| 30.2 | both | false | … | … |
";

/// One function: `if (a && b)` at line 30, a macro at line 20 whose file has `if (c)` and `while (0)`, and an inlined
/// function's condition.
fn export(macro_acts: u64, second_is_false: u64) -> Value {
    json!({"data": [{"functions": [
        {
            "filenames": ["/out/source.c", "/shim/macro.h"],
            "regions": [
                [10, 1, 40, 2, 9, 0, 0, 0],
                [20, 2, 20, 8, 9, 0, 1, 1],
            ],
            "branches": [
                [30, 6, 30, 7, 4, 5, 0, 0, 4],
                [30, 11, 30, 12, 4, second_is_false, 0, 0, 4],
                [2, 5, 2, 6, macro_acts, 9, 1, 0, 4],
                [3, 8, 3, 9, 0, 9, 1, 0, 4],
            ],
        },
        {
            "filenames": ["/shim/inline.h"],
            "regions": [[1, 1, 2, 2, 0, 0, 0, 0]],
            "branches": [[1, 5, 1, 6, 0, 9, 0, 0, 4]],
        },
    ]}]})
}

fn of(export: &Value) -> Vec<Arm> {
    let read = |name: &str| (name == "/shim/macro.h").then(|| "\nif (c)\nwhile (0)\n".to_owned());
    arms(export, "/source.c", read).expect("a good export")
}

#[test]
fn arms_are_found_where_they_are_used() {
    let places: Vec<_> = of(&export(0, 0))
        .iter()
        .map(|arm| (arm.line, arm.condition, arm.when, arm.taken))
        .collect();
    let expected = [
        (20, 1, true, 0),
        (20, 1, false, 9),
        (30, 1, true, 4),
        (30, 1, false, 5),
        (30, 2, true, 4),
        (30, 2, false, 0),
    ];
    assert_eq!(places, expected);
}

#[test]
fn a_complete_list_is_left_in_peace() {
    let rows = listed(LIST).expect("a good list");
    assert_eq!(complaints("nopae", &of(&export(0, 0)), &rows), [""; 0]);
    assert_eq!(complaints("pae", &of(&export(1, 0)), &rows), [""; 0]);
}

#[test]
fn a_missed_arm_is_told() {
    let rows = listed(LIST).expect("a good list");
    let said = complaints("pae", &of(&export(0, 0)), &rows);
    assert_eq!(
        said,
        ["pae: line 20, condition 1, true: never taken, and not listed"]
    );
}

#[test]
fn a_listed_arm_that_is_taken_or_not_there_is_told() {
    let rows = listed(LIST).expect("a good list");
    let said = complaints("nopae", &of(&export(3, 0)), &rows);
    assert_eq!(
        said,
        ["nopae: line 20, condition 1, true: listed, and taken 3 times"]
    );
    let rows = listed("| 30.3 | PAE | true |\n| 30.2 | PAE | false |").expect("a good list");
    let said = complaints("pae", &of(&export(1, 0)), &rows);
    assert_eq!(
        said,
        ["pae: line 30, condition 3, true: listed, and there is no such arm"]
    );
}

#[test]
fn a_broken_list_or_export_is_refused() {
    for list in [
        "",
        "| 20 | one level | true |",
        "| 20 | both | never |",
        "| 20 and 30 | both | true |",
        "| 20",
    ] {
        assert!(listed(list).is_err(), "{list}");
    }
    for export in [
        json!({}),
        json!({"data": [{"functions": []}]}),
        json!({"data": [{"functions": [{"filenames": [], "regions": [], "branches": [[1, 2]]}]}]}),
    ] {
        assert!(arms(&export, "/source.c", |_| None).is_err(), "{export}");
    }
    assert!(lcov("").is_err() && lcov("DA:x\n").is_err());
}

#[test]
fn lines_and_arms_are_counted() {
    let text =
        "SF:/a.rs\nDA:1,2\nDA:2,0\nBRDA:1,0,0,-\nBRDA:1,0,1,0\nBRDA:1,1,0,3\nend_of_record\n";
    let found = lcov(text).expect("an export");
    assert_eq!((found.lines.reached, found.lines.total), (1, 2));
    assert_eq!((found.arms.reached, found.arms.total), (1, 3));
    assert_eq!(found.missed["/a.rs"], [2]);
}

#[test]
fn figures_may_grow_and_must_not_fall() {
    let figures =
        |reached, total| Figures::from([("port lines".to_owned(), Covered { reached, total })]);
    let before = parse("port lines: 90 of 100\n").expect("figures");
    assert_eq!(print(&before), "port lines: 90 of 100\n");
    assert_eq!(fallen(&figures(90, 100), &before), [""; 0]);
    assert_eq!(fallen(&figures(140, 150), &before), [""; 0]);
    assert_eq!(fallen(&figures(89, 100), &before).len(), 1);
    assert_eq!(fallen(&figures(90, 101), &before).len(), 1);
    assert_eq!(fallen(&Figures::new(), &before).len(), 1);
    assert!(parse("port lines: many\n").is_err());
}

/// The list that is checked in is one.
#[test]
fn the_list_is_well_formed() {
    let rows = listed(include_str!("../../corpora/UNREACHED.md")).expect("a good list");
    assert!(rows.iter().any(|row| row.nopae) && rows.iter().any(|row| row.pae));
    parse(include_str!("../../corpora/COVERAGE")).expect("figures");
}
