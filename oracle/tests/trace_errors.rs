// SPDX-License-Identifier: GPL-2.0-or-later
//! Traces that are none, are cut off or belong to another machine: refused with line and reason.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use lguest_oracle::trace::{Detail, Import, Reader};

const HEAD: &str = "0I 10000000 40 42 ffef6000 1 3 1024\n1R 1 1 0\n0i 1\n";
const INIT: &str = "0B c0000000 10a000 1000\n0C\n0c\n";

fn error(trace: impl Into<Vec<u8>>) -> Option<String> {
    let reader = Reader::new(Cursor::new(trace.into())).expect("a reader");
    let import = match Import::new(reader, Detail::Reads) {
        Ok(import) => import,
        Err(error) => return Some(error.to_string()),
    };
    import.filter_map(Result::err).next().map(|e| e.to_string())
}

#[track_caller]
fn refused(trace: &str, said: &str) {
    let told = error(trace).unwrap_or_default();
    assert!(told.starts_with(said), "{told:?} for {trace:?}");
}

#[test]
fn foreign_files() {
    refused("", "1: no trace; expected `0I`");
    refused("machine mode=nopae\n", "1: no record of a trace");
    refused("0W 0 -1 2\n0F\n", "1: no trace; expected `0I`");
    refused("\n", "1: too short for a record");
    refused("0Q 1\n", "1: an unknown kind of record, `Q`");
    let other = HEAD.replace("1024", "512");
    refused(&other, "1: 512 top-level entries; expected 1024 or 4");
    refused(
        &HEAD.replace("1 3 1024", "2 3 1024"),
        "1: the Switcher's pages",
    );
    refused(
        &HEAD.replace("42 ", "2 "),
        "1: device_limit below pfn_limit",
    );
    refused(
        &HEAD.replace("ffef6000", "ffef6001"),
        "1: a machine that the rig does not have: switcher is 0xffef6001",
    );
    assert!(error(vec![0xff, 0xfe, b'\n']).is_some_and(|e| e.starts_with("1: not a text")));
    assert!(error(vec![b'0'; 100_000]).is_some_and(|e| e.starts_with("1: a line of more")));
}

#[test]
fn malformed_records() {
    let with = |line: &str| format!("{HEAD}{line}\n");
    refused(
        &with("0D 1000 0 1"),
        "4: `D` has the wrong number of numbers; expected 4",
    );
    refused(&with("0D 1000 0 1 2 3"), "4: `D` has the wrong number");
    refused(&with("0D 1000 0 1 x"), "4: `x` is not a decimal number");
    refused(
        &with("0D 100000000 0 1 2"),
        "4: `100000000` is not a hexadecimal",
    );
    refused(&with("0D +1000 0 1 2"), "4: `+1000` is not");
    refused(&with("0D1000 0 1 2"), "4: no space");
    refused(&with("0X"), "4: a kill without its message");
    refused(
        &with("0W 1 -1 1"),
        "4: a host CPU that the machine does not have",
    );
    refused(&with("0d 1 0 21"), "4: `d` closes no call");
    refused(
        &with("1r 2000 0"),
        "4: `r` behind the end of the call of line 1",
    );
    refused(&with("0t 0 1000 0 0"), "4: `t` at depth 0 behind `I`");
    refused(
        &with("0D 1000 0 1 1\n0D 2000 0 1 1"),
        "5: `D` of line 4 is not closed",
    );
    refused(
        &with("0D 1000 0 1 1\n1d 1 0 21"),
        "5: `d` closes no call at depth 1",
    );
    refused(
        &with("0Z 4 0 0 -1 0 0 0"),
        "4: a check with a number out of range",
    );
    refused(&with("0F\n0W 0 -1 1"), "5: `W` behind the guest's end");
    refused(&with(HEAD.trim_end()), "4: a second machine in one trace");
}

#[test]
fn what_the_rig_cannot_replay() {
    let with = |line: &str| format!("{HEAD}{INIT}{line}\n");
    refused(&format!("{HEAD}0S 0 0 0\n"), "4: `S` before LGUEST_INIT");
    refused(
        &with("0M 1000 1\n1C\n1c"),
        "7: SET_PMD in a trace of two-level paging",
    );
    refused(
        &with("0B c0000000 10a000 1000\n0C\n0c"),
        "7: a second LGUEST_INIT",
    );
    refused(
        &with("0X Bad hypercall 99\n0U 1"),
        "8: `U` on a guest that is dead",
    );
    refused(
        &with("0N 2000 1 1\n1R 4 1 0\n0n 0 1"),
        "8: a slot that does not exist",
    );
    let far = "0N 2000 1 1\n1R 0 1 0\n0n 0 1\n0D 0 0 0 0\n1r 41000 1\n0d 0 0 0";
    refused(
        &with(far),
        "11: guest address 0x41000 lies beyond the memory",
    );
    let ring = "0N 1000 1 1\n1R 0 1 0\n0n 0 1\n0D 2000000 0 0 0\n1r 1020 5067\n0d 0 0 0";
    refused(
        &with(ring),
        "11: a page table among the ring's status bytes",
    );
}

#[test]
fn traces_that_are_cut_off() {
    let whole = format!("{HEAD}{INIT}0W 0 -1 1\n0F\n");
    assert_eq!(error(whole.as_str()), None);
    let cut = &whole[..whole.len() - 4];
    refused(cut, "7: the trace is cut off in this line");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(whole.as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    assert_eq!(error(packed.clone()), None);
    let told = error(&packed[..packed.len() - 20]).unwrap_or_default();
    assert!(told.contains("is cut off here"), "{told}");
    let mut broken = packed;
    broken[20] ^= 0x55;
    assert!(error(broken).is_some());
}

/// The log drops nothing, but some messages bring a line feed of their own.
#[test]
fn a_blank_line_behind_a_message_is_part_of_it() {
    let trace = format!("{HEAD}{INIT}0X Bad hypercall 99\n\n0F\n");
    assert_eq!(error(trace), None);
    refused(&format!("{HEAD}\n0F\n"), "4: too short for a record");
}
