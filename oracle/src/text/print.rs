// SPDX-License-Identifier: GPL-2.0-or-later
//! Writes scenarios in the canonical form of their text.

use super::forms::{Arg, form};
use super::head::{MAPPINGS, MODES, ORDERS};
use super::steps::FAULT_WORDS;
use super::{Item, recorded};
use crate::scenario_buf::ScenarioBuf;
use lguest_engine::scenario::step::{ACCESS_USER, ACCESS_WRITE, hypercall_name, join};
use lguest_engine::{Event, Expect, Machine, PageRecord, Quals, Recorded, Step, Verb};
use std::fmt::{Display, Write};

/// The canonical text of a scenario.
#[must_use]
pub fn print(scenario: &ScenarioBuf) -> String {
    let mut out = String::new();
    let mut line = |item: Item| {
        push_item(&mut out, &item);
        out.push('\n');
    };
    line(Item::Machine(scenario.machine));
    line(Item::Expect(scenario.machine.expect));
    scenario.pages.iter().for_each(|p| line(Item::Page(*p)));
    scenario.steps.iter().for_each(|s| line(Item::Step(*s)));
    out
}

/// The canonical text of a step, as it stands on its line.
#[must_use]
pub fn step_text(step: &Step) -> String {
    let mut out = String::new();
    push_step(&mut out, step);
    out
}

impl Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        push_item(&mut out, self);
        f.write_str(&out)
    }
}

/// Writes to a string, which does not fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        let _ = write!($out, $($arg)*);
    }};
}

/// Appends the canonical text of a line, without its end.
pub fn push_item(out: &mut String, item: &Item) {
    match item {
        Item::Machine(machine) => push_machine(out, machine),
        Item::Expect(Expect::Agree) => out.push_str("expect agree"),
        Item::Expect(expect) => put!(out, "expect finding {}", expect.id().unwrap_or_default()),
        Item::Page(page) => push_page(out, page),
        Item::Step(step) => push_step(out, step),
    }
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names
        .iter()
        .find(|(_, v)| *v == value)
        .map_or("", |(name, _)| name)
}

fn push_machine(out: &mut String, m: &Machine) {
    const D: Machine = Machine::DEFAULT;
    put!(out, "machine mode={}", name_of(&MODES, m.mode));
    let mut field = |differs: bool, name: &str, value: &dyn Display| {
        if differs {
            put!(out, " {name}={value}");
        }
    };
    let on = |b: bool| if b { "on" } else { "off" };
    field(m.pages != D.pages, "pages", &m.pages);
    field(
        m.device_pages != D.device_pages,
        "device_pages",
        &m.device_pages,
    );
    field(m.cpus != D.cpus, "cpus", &m.cpus);
    field(
        m.switcher != D.switcher,
        "switcher",
        &format_args!("{:#x}", m.switcher),
    );
    field(
        m.mem_base != D.mem_base,
        "mem_base",
        &format_args!("{:#x}", m.mem_base),
    );
    field(m.nx != D.nx, "nx", &on(m.nx));
    field(m.global != D.global, "global", &on(m.global));
    field(m.tsc_khz != D.tsc_khz, "tsc_khz", &m.tsc_khz);
    field(m.reuse != D.reuse, "reuse", &name_of(&ORDERS, m.reuse));
    field(m.tables != D.tables, "tables", &m.tables);
    field(m.seed != D.seed, "seed", &format_args!("{:#x}", m.seed));
    let first = m.first_slot.unwrap_or(0);
    field(m.first_slot.is_some(), "first_slot", &first);
    field(m.fail_start != 0, "fail_start", &m.fail_start);
}

fn push_page(out: &mut String, page: &PageRecord) {
    put!(out, "page {}", page.first);
    if page.count > 1 {
        put!(
            out,
            "..{}",
            u64::from(page.first) + u64::from(page.count) - 1
        );
    }
    put!(out, " {}", name_of(&MAPPINGS, page.mapping));
    if let Some(shared) = page.shared {
        put!(out, " shared={shared}");
    }
}

fn push_step(out: &mut String, step: &Step) {
    let [a, b, c, d, e] = step.args;
    let name = step.verb.name();
    match step.verb {
        Verb::Hypercall => push_hypercall(out, &step.args),
        Verb::Async => {
            out.push_str("async ");
            push_hypercall(out, &step.args);
        }
        Verb::DemandPage => {
            put!(out, "{name} {a:#x}");
            for (word, bit) in FAULT_WORDS {
                if b & bit != 0 {
                    put!(out, " {word}");
                }
            }
        }
        Verb::Access => {
            put!(out, "{name} {a:#x}");
            if b & ACCESS_WRITE == 0 {
                out.push_str(" read");
            } else {
                put!(out, " write {c:#x}");
            }
            if b & ACCESS_USER != 0 {
                out.push_str(" user");
            }
        }
        Verb::Write | Verb::DeviceWrite => put!(out, "{name} {a:#x} {d} {:#x}", join(b, c)),
        Verb::Map => put!(
            out,
            "{name} pgd={a:#x} {b:#x} -> {:#x} tables={e}",
            join(c, d)
        ),
        Verb::Expect => recorded::push(out, &Recorded::of(step.args)),
        Verb::GuestPa | Verb::TryGuestPa => put!(out, "{name} {a:#x}"),
        Verb::Run | Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => {
            put!(out, "{name} {a}");
        }
        Verb::Destroy => out.push_str(name),
        Verb::BootData => put!(out, "{name} {a:#x} kernel={b:#x}"),
    }
    if step.quals != Quals::NONE {
        push_quals(out, &step.quals);
    }
}

/// A hypercall by its name if its arguments have a place behind it, else by its number.
fn push_hypercall(out: &mut String, args: &[u32; 5]) {
    let number = args[0];
    let named = hypercall_name(number)
        .zip(form(number))
        .filter(|(_, form)| {
            let used = form
                .iter()
                .map(|arg| if *arg == Arg::Entry { 2 } else { 1 })
                .sum::<usize>();
            args[1 + used..].iter().all(|a| *a == 0)
        });
    let Some((name, form)) = named else {
        let [_, b, c, d, e] = args;
        put!(out, "hypercall {number} {b:#x} {c:#x} {d:#x} {e:#x}");
        return;
    };
    out.push_str(name);
    for (i, arg) in form.iter().enumerate() {
        match arg {
            Arg::Hex(_) => put!(out, " {:#x}", args[i + 1]),
            Arg::Count(_) => put!(out, " {}", args[i + 1]),
            Arg::Entry => put!(out, " {:#x}", join(args[i + 1], args[i + 2])),
        }
    }
}

fn push_quals(out: &mut String, quals: &Quals) {
    let start = out.len();
    for (name, n) in [
        ("fail_alloc", quals.fail_alloc),
        ("fail_pin", quals.fail_pin),
        ("fail_copy", quals.fail_copy),
    ] {
        if n != 0 {
            put!(out, " {name}={n}");
        }
    }
    if quals.fail_message {
        out.push_str(" fail_message");
    }
    if let Some(slot) = quals.draw {
        put!(out, " draw={slot}");
    }
    if let Some(during) = quals.during {
        put!(out, " during={}: ", during.call);
        match during.event {
            Event::Write { gpa, value, width } => put!(out, "write {gpa:#x} {width} {value:#x}"),
            Event::Unmap(page) => put!(out, "unmap {page}"),
            Event::Protect(page) => put!(out, "protect {page}"),
            Event::Unprotect(page) => put!(out, "unprotect {page}"),
            Event::Share(page) => put!(out, "share {page}"),
        }
    }
    out.insert(start + 1, '[');
    out.push(']');
}
