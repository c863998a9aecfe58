// SPDX-License-Identifier: GPL-2.0-or-later
//! Reads what stands before the steps of a scenario's text: machine, expectation, page records.

use super::TextError;
use super::lex::{Cursor, Token, list, quote};
use lguest_engine::scenario::machine::{MAX_CPUS, MAX_TABLES};
use lguest_engine::{Expect, Machine, Mapping, PageRecord, PagingMode, Reuse};

/// The names of the machine's fields in their canonical order.
pub const FIELDS: [&str; 14] = [
    "mode",
    "pages",
    "device_pages",
    "cpus",
    "switcher",
    "mem_base",
    "nx",
    "global",
    "tsc_khz",
    "reuse",
    "tables",
    "seed",
    "first_slot",
    "fail_start",
];

/// Paging modes by name.
pub const MODES: [(&str, PagingMode); 3] = [
    ("nopae", PagingMode::NoPae),
    ("pae", PagingMode::Pae),
    ("both", PagingMode::Both),
];
/// Orders of reuse by name.
pub const ORDERS: [(&str, Reuse); 3] = [
    ("lowest", Reuse::Lowest),
    ("fifo", Reuse::Fifo),
    ("seeded", Reuse::Seeded),
];
/// Mappings by name.
pub const MAPPINGS: [(&str, Mapping); 4] = [
    ("absent", Mapping::Absent),
    ("read-only", Mapping::ReadOnly),
    ("writable", Mapping::Writable),
    ("copy-on-write", Mapping::CopyOnWrite),
];
/// Whether the processor has something.
pub const SWITCHES: [(&str, bool); 2] = [("on", true), ("off", false)];

/// Takes the machine's fields; its line starts at `start`.
pub fn machine(cursor: &mut Cursor<'_>, start: usize) -> Result<Machine, TextError> {
    let mut machine = Machine::DEFAULT;
    let mut seen = [None; FIELDS.len()];
    while let Token::Atom(name) = cursor.peek() {
        let at = cursor.position();
        let Some(field) = FIELDS.iter().position(|f| *f == name) else {
            let what = format!("unknown field {} of the machine", quote(name));
            return Err(cursor.error_at(at, what, list(FIELDS.into_iter())));
        };
        if seen[field].replace(at).is_some() {
            let what = format!("{} for the second time", quote(name));
            return Err(cursor.error_at(at, what, "each field at most once"));
        }
        cursor.advance()?;
        cursor.need_mark("=")?;
        let m = &mut machine;
        match name {
            "mode" => m.mode = cursor.one_of(&MODES)?,
            "pages" => m.pages = cursor.number("guest pages", 1..=u32::MAX.into())? as u32,
            "device_pages" => m.device_pages = cursor.u32("device pages")?,
            "cpus" => m.cpus = cursor.number("host CPUs", 1..=MAX_CPUS.into())? as u8,
            "switcher" => m.switcher = cursor.u32("the Switcher's virtual address")?,
            "mem_base" => m.mem_base = cursor.u32("the launcher's address of guest memory")?,
            "nx" => m.nx = cursor.one_of(&SWITCHES)?,
            "global" => m.global = cursor.one_of(&SWITCHES)?,
            "tsc_khz" => m.tsc_khz = cursor.u32("the clock in kHz")?,
            "reuse" => m.reuse = cursor.one_of(&ORDERS)?,
            "tables" => m.tables = cursor.number("table frames", 1..=MAX_TABLES.into())? as u16,
            "seed" => m.seed = cursor.number("a seed", 0..=u64::MAX)?,
            "first_slot" => m.first_slot = Some(cursor.number("a slot", 0..=3)? as u8),
            _ => m.fail_start = cursor.number("an allocation", 0..=255)? as u8,
        }
    }
    machine.check().map_err(|e| {
        // A default can be out of range by another field's value: then the line is to blame.
        let field = FIELDS.iter().position(|f| *f == e.field);
        let at = field.and_then(|f| seen[f]).unwrap_or(start);
        let what = format!("{} is {}", e.field, e.found());
        cursor.error_at(at, what, e.expected())
    })?;
    Ok(machine)
}

/// Takes what must come of the scenario.
pub fn expect(cursor: &mut Cursor<'_>) -> Result<Expect, TextError> {
    if !cursor.one_of(&[("agree", false), ("finding", true)])? {
        return Ok(Expect::Agree);
    }
    let at = cursor.position();
    let id = cursor.atom("the finding's id")?;
    Expect::finding(id).ok_or_else(|| {
        let what = format!("{} is no finding's id", quote(id));
        cursor.error_at(at, what, "1 to 15 characters of A-Z a-z 0-9 _")
    })
}

/// Takes a page record.
pub fn page(cursor: &mut Cursor<'_>, machine: &Machine) -> Result<PageRecord, TextError> {
    let last = u64::from(machine.backed() - 1);
    let first = cursor.number("a guest page that has memory", 0..=last)?;
    let end = match cursor.mark("..")? {
        true => cursor.number("the range's last page", first..=last)?,
        false => first,
    };
    let mapping = cursor.one_of(&MAPPINGS)?;
    let shared = match cursor.peek() {
        Token::End => None,
        _ => {
            cursor.need_key("shared")?;
            Some(cursor.number("the guest page whose frame is shared", 0..=last)? as u32)
        }
    };
    Ok(PageRecord {
        first: first as u32,
        count: (end - first + 1) as u32,
        mapping,
        shared,
    })
}
