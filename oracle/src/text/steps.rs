// SPDX-License-Identifier: GPL-2.0-or-later
//! Reads the steps of a scenario's text, and their qualifiers.

use super::TextError;
use super::forms::{Arg, form};
use super::lex::{Cursor, Token, list, quote};
use super::recorded;
use lguest_engine::scenario::step::{
    ACCESS_USER, ACCESS_WRITE, FAULT_PRESENT, FAULT_USER, FAULT_WRITE, HYPERCALLS, split,
};
use lguest_engine::{During, Event, Machine, Quals, Step, Verb};

/// The bits of a page fault's error code by name, in order.
pub const FAULT_WORDS: [(&str, u32); 3] = [
    ("present", FAULT_PRESENT),
    ("write", FAULT_WRITE),
    ("user", FAULT_USER),
];

const VADDR: &str = "a guest-virtual address";
const GPA: &str = "a guest-physical address";

/// Takes a step with its qualifiers, up to the end of the line.
pub fn step(cursor: &mut Cursor<'_>, machine: &Machine) -> Result<Step, TextError> {
    let at = cursor.position();
    if cursor.mark("=")? {
        let args = recorded::parse(cursor)?.args();
        return finish(Step::new(Verb::Expect, args), cursor, machine, at);
    }
    let name = cursor.atom("a verb")?;
    let Some(verb) = Verb::ALL.into_iter().find(|v| v.name() == name) else {
        let args = hypercall(cursor, name, at, &|| {
            list(
                Verb::ALL
                    .iter()
                    .map(|v| v.name())
                    .chain(HYPERCALLS.iter().map(|(_, n)| *n)),
            )
        })?;
        return finish(Step::new(Verb::Hypercall, args), cursor, machine, at);
    };
    let mut args = [0; 5];
    match verb {
        Verb::Hypercall => args = numbered(cursor)?,
        Verb::Async => {
            let at = cursor.position();
            let name = cursor.atom("a hypercall")?;
            args = match name {
                "hypercall" => numbered(cursor)?,
                _ => hypercall(cursor, name, at, &|| {
                    list(HYPERCALLS.iter().map(|(_, n)| *n).chain(["hypercall"]))
                })?,
            };
        }
        Verb::DemandPage => {
            args[0] = cursor.u32(VADDR)?;
            while let Token::Atom(_) = cursor.peek() {
                let at = cursor.position();
                let bit = cursor.one_of(&FAULT_WORDS)?;
                if args[1] & bit != 0 {
                    let what = "the same word for the second time".into();
                    return Err(cursor.error_at(at, what, "each at most once"));
                }
                args[1] |= bit;
            }
        }
        Verb::Access => {
            args[0] = cursor.u32(VADDR)?;
            args[1] = cursor.one_of(&[("read", 0), ("write", ACCESS_WRITE)])?;
            if args[1] != 0 {
                args[2] = cursor.u32("the word to write")?;
            }
            if let Token::Atom(_) = cursor.peek() {
                args[1] |= cursor.one_of(&[("user", ACCESS_USER)])?;
            }
        }
        Verb::Write | Verb::DeviceWrite => {
            let (gpa, value, width) = write(cursor)?;
            let (lo, hi) = split(value);
            args = [gpa, lo, hi, width.into(), 0];
        }
        Verb::Map => {
            cursor.need_key("pgd")?;
            args[0] = cursor.u32("a top-level table's guest-physical address")?;
            args[1] = cursor.u32(VADDR)?;
            cursor.need_mark("->")?;
            (args[2], args[3]) = split(cursor.number("an entry", 0..=u64::MAX)?);
            cursor.need_key("tables")?;
            args[4] = cursor.u32("the first guest page for missing tables")?;
        }
        Verb::Run => {
            let last = u64::from(machine.cpus) - 1;
            args[0] = cursor.number("a host CPU of the machine", 0..=last)? as u32;
        }
        Verb::GuestPa | Verb::TryGuestPa => args[0] = cursor.u32(VADDR)?,
        Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => {
            args[0] = page(cursor, machine)?;
        }
        Verb::Destroy | Verb::Expect => {}
        Verb::BootData => {
            args[0] = cursor.u32("lguest_data's guest-physical address")?;
            cursor.need_key("kernel")?;
            args[1] = cursor.u32("where the guest's kernel starts")?;
        }
    }
    finish(Step::new(verb, args), cursor, machine, at)
}

fn finish(
    mut step: Step,
    cursor: &mut Cursor<'_>,
    machine: &Machine,
    at: usize,
) -> Result<Step, TextError> {
    if cursor.mark("[")? {
        step.quals = quals(cursor, machine)?;
    } else if cursor.peek() != Token::End {
        return Err(cursor.error("`[` or the end of the line"));
    }
    // The tokens have been checked one by one; this keeps the parser no laxer than the readers.
    step.check(machine)
        .map_err(|e| cursor.error_at(at, format!("bad {}", e.field), e.expected))?;
    Ok(step)
}

/// The arguments of a hypercall by number.
fn numbered(cursor: &mut Cursor<'_>) -> Result<[u32; 5], TextError> {
    let mut args = [cursor.u32("a hypercall's number")?, 0, 0, 0, 0];
    for arg in &mut args[1..] {
        let Token::Atom(_) = cursor.peek() else { break };
        *arg = cursor.u32("an argument")?;
    }
    Ok(args)
}

/// The arguments of a hypercall by a name that has been taken at `at`.
fn hypercall(
    cursor: &mut Cursor<'_>,
    name: &str,
    at: usize,
    expected: &dyn Fn() -> String,
) -> Result<[u32; 5], TextError> {
    let number = HYPERCALLS
        .iter()
        .find(|(_, n)| *n == name)
        .map(|(number, _)| *number);
    let Some((number, form)) = number.and_then(|n| Some((n, form(n)?))) else {
        return Err(cursor.error_at(at, format!("unknown verb {}", quote(name)), expected()));
    };
    let mut args = [number, 0, 0, 0, 0];
    for (i, arg) in form.iter().enumerate() {
        match arg {
            Arg::Hex(what) | Arg::Count(what) => args[i + 1] = cursor.u32(what)?,
            Arg::Entry => {
                (args[i + 1], args[i + 2]) = split(cursor.number("an entry", 0..=u64::MAX)?);
            }
        }
    }
    Ok(args)
}

fn page(cursor: &mut Cursor<'_>, machine: &Machine) -> Result<u32, TextError> {
    let last = u64::from(machine.backed()) - 1;
    Ok(cursor.number("a guest page that has memory", 0..=last)? as u32)
}

/// Address, value and width of a write.
fn write(cursor: &mut Cursor<'_>) -> Result<(u32, u64, u8), TextError> {
    let gpa = cursor.u32(GPA)?;
    let width = cursor.one_of(&[("1", 1), ("4", 4), ("8", 8)])?;
    let most = u64::MAX >> (64 - 8 * u32::from(width));
    let what = match width {
        1 => "a value of 1 byte",
        4 => "a value of 4 bytes",
        _ => "a value of 8 bytes",
    };
    Ok((gpa, cursor.number(what, 0..=most)?, width))
}

/// The names of the qualifiers in their canonical order.
pub const QUALIFIERS: [&str; 6] = [
    "fail_alloc",
    "fail_pin",
    "fail_copy",
    "fail_message",
    "draw",
    "during",
];

/// Takes qualifiers up to the closing bracket.
fn quals(cursor: &mut Cursor<'_>, machine: &Machine) -> Result<Quals, TextError> {
    let mut quals = Quals::NONE;
    let mut seen = [false; QUALIFIERS.len()];
    loop {
        let name = match cursor.peek() {
            Token::Atom(name) => name,
            Token::Mark("]") if seen.contains(&true) => break,
            _ => return Err(cursor.error(list(QUALIFIERS.into_iter()))),
        };
        let Some(i) = QUALIFIERS.iter().position(|q| *q == name) else {
            let what = format!("unknown qualifier {}", quote(name));
            return Err(cursor.error_at(cursor.position(), what, list(QUALIFIERS.into_iter())));
        };
        if std::mem::replace(&mut seen[i], true) {
            let what = format!("{} for the second time", quote(name));
            return Err(cursor.error_at(cursor.position(), what, "each qualifier at most once"));
        }
        cursor.advance()?;
        if name == "fail_message" {
            quals.fail_message = true;
            continue;
        }
        cursor.need_mark("=")?;
        if name == "draw" {
            quals.draw = Some(cursor.number("a slot", 0..=3)? as u8);
            continue;
        }
        let n = cursor.number("which one of the step", 1..=255)? as u8;
        match name {
            "fail_alloc" => quals.fail_alloc = n,
            "fail_pin" => quals.fail_pin = n,
            "fail_copy" => quals.fail_copy = n,
            _ => {
                cursor.need_mark(":")?;
                quals.during = Some(During {
                    call: n,
                    event: event(cursor, machine)?,
                });
            }
        }
    }
    cursor.advance()?;
    Ok(quals)
}

/// The event of a `during`.
fn event(cursor: &mut Cursor<'_>, machine: &Machine) -> Result<Event, TextError> {
    let verb = cursor.one_of(&[
        ("write", Verb::Write),
        ("unmap", Verb::Unmap),
        ("protect", Verb::Protect),
        ("unprotect", Verb::Unprotect),
        ("share", Verb::Share),
    ])?;
    Ok(match verb {
        Verb::Unmap => Event::Unmap(page(cursor, machine)?),
        Verb::Protect => Event::Protect(page(cursor, machine)?),
        Verb::Unprotect => Event::Unprotect(page(cursor, machine)?),
        Verb::Share => Event::Share(page(cursor, machine)?),
        _ => {
            let (gpa, value, width) = write(cursor)?;
            Event::Write { gpa, value, width }
        }
    })
}
