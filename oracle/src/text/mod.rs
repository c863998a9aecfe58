// SPDX-License-Identifier: GPL-2.0-or-later
//! The text form of scenarios, `.scn`: UTF-8, one thing a line, comments from `#` to the line's end.
//!
//! ```text
//! machine mode=nopae cpus=2 seed=0x1        fields that are left out have their defaults
//! expect agree                              or: expect finding ID; agree if left out
//! page 5 absent                             also: read-only, writable, copy-on-write
//! page 6..8 copy-on-write shared=6          a range includes its last page
//! boot_data 0x1000 kernel=0xc0000000
//! LGUEST_INIT 0x1000                        each named hypercall with its arguments
//! SET_PTE 0x2000 0xc0000000 0x5067          the entry is one number of up to 64 bits
//! hypercall 99 1 2 3 4                      any number, up to four arguments
//! async SET_PTE 0x2000 0x1000 0x5067        put into the ring
//! map pgd=0x2000 0xc0000000 -> 0x5067 tables=3
//! demand_page 0xc0000000 present write user any of these bits of the error code
//! access 0x1000 read user                   without `user` as the kernel
//! access 0x1004 write 0x55
//! write 0x2000 4 0x5067                     address, width in bytes, value
//! device_write 0x2000 8 0x5067
//! guest_pa 0x1000
//! try_guest_pa 0x1000
//! run 1
//! unmap 5                                   also: protect, unprotect, share
//! destroy                                   the last step, if there is one
//! ```
//!
//! A step may end with qualifiers:
//! `[fail_alloc=1 fail_pin=2 fail_copy=1 fail_message draw=3 during=2: write 0x2000 4 0x0]`.
//!
//! Behind a step may stand what it did on a host that was recorded, a line each ([`recorded`]):
//! `= d 1 0x0 0x21`, `= X "bad stack page "`, `= none`.
//!
//! Machine, expectation, pages and steps come in this order. Numbers are decimal or, with `0x`,
//! hexadecimal. [`print()`] and [`format()`] give the canonical form, with one way to write each thing.

pub mod forms;
mod head;
mod lex;
mod parse;
pub mod print;
pub mod recorded;
mod steps;
mod words;

pub use parse::{Item, Line, Reader};
pub use print::print;
pub use words::words;

use crate::scenario_buf::ScenarioBuf;
use std::fmt;

/// The most bytes of a scenario's text, 64 MiB: a guest's boot with all that was recorded of it.
pub const MAX_TEXT_LEN: usize = 64 << 20;

/// What is wrong in a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was found.
    pub what: String,
    /// What was expected there.
    pub expected: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TextError {
            line,
            column,
            what,
            expected,
        } = self;
        write!(f, "{line}:{column}: {what}; expected {expected}")
    }
}

impl std::error::Error for TextError {}

/// Reads a scenario.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<ScenarioBuf, TextError> {
    let mut scenario = ScenarioBuf::default();
    for line in Reader::new(text)? {
        match line?.item {
            Some(Item::Machine(machine)) => scenario.machine = machine,
            Some(Item::Expect(expect)) => scenario.machine.expect = expect,
            Some(Item::Page(page)) => scenario.pages.push(page),
            Some(Item::Step(step)) => scenario.steps.push(step),
            None => {}
        }
    }
    Ok(scenario)
}

/// The canonical form of a text: that of [`print()`] with the text's comments, and with its blank
/// lines where they part others.
///
/// # Errors
/// The first thing that is wrong; then nothing is to be written.
pub fn format(text: &str) -> Result<String, TextError> {
    let mut out = String::with_capacity(text.len());
    // Where an expectation that was left out belongs, until it is known whether it was.
    let mut expectation_at = None;
    let mut blank = false;
    for line in Reader::new(text)? {
        let line = line?;
        if line.item.is_none() && line.comment.is_none() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push('\n');
        }
        if let Some(item) = &line.item {
            if let (Some(at), false) = (expectation_at.take(), matches!(item, Item::Expect(_))) {
                out.insert_str(at, "expect agree\n");
            }
            print::push_item(&mut out, item);
        }
        if let Some(comment) = line.comment {
            out.push_str(if line.item.is_some() { "  #" } else { "#" });
            out.push_str(comment.trim_end());
        }
        out.push('\n');
        if matches!(line.item, Some(Item::Machine(_))) {
            expectation_at = Some(out.len());
        }
    }
    if let Some(at) = expectation_at {
        out.insert_str(at, "expect agree\n");
    }
    if out.len() > MAX_TEXT_LEN {
        let what = format!("the canonical form has {} bytes", out.len());
        return Err(TextError {
            line: 1,
            column: 1,
            what,
            expected: format!("at most {MAX_TEXT_LEN}"),
        });
    }
    Ok(out)
}
