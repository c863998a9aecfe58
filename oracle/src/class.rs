// SPDX-License-Identifier: GPL-2.0-or-later
//! Classes of difference: what differs in which kind of step, with no address, page or step number in it.

use std::fmt;

use lguest_engine::{
    Difference, FrameName, Left, Level, Machinery, Outcome, Side, State, Step, Verb,
};

use crate::drive::End;
use crate::findings::harms;
use crate::sim::Call;
use crate::watch::doing::Doing;

/// What sort of trouble it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Kind {
    /// The sides differ.
    Diff,
    /// Something is left behind, or an invariant does not hold.
    Breach,
    /// One side would crash its host and the other would not, or in another way.
    HostBug,
    /// An access does not come to an end on one side.
    Stuck,
}

impl Kind {
    /// Its word in the class line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Diff => "diff",
            Kind::Breach => "breach",
            Kind::HostBug => "hostbug",
            Kind::Stuck => "stuck",
        }
    }
}

/// A class; prints as one line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Class {
    /// `nopae` or `pae`.
    pub mode: &'static str,
    /// The sort of trouble.
    pub kind: Kind,
    /// The verb of the step, or the hypercall's name.
    pub verb: &'static str,
    /// What was seen to differ.
    pub observable: String,
}

impl fmt::Display for Class {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} {} {}: {}",
            self.mode,
            self.kind.name(),
            self.verb,
            self.observable
        )
    }
}

impl Class {
    /// The class of harm to the host, if a scenario ends so; `step` is its last, or the one in which the host crashed.
    pub fn of_harm(mode: &'static str, end: &End, step: Option<&Step>) -> Option<Class> {
        let (kind, verb, what) = match end {
            _ if !harms(end) => return None,
            End::Bug(bug) => (Kind::HostBug, verb_name(step), bug.kind().name()),
            End::NoGuest(_, left) => (Kind::Breach, verb_name(None), what_is_left(left)),
            End::Breach(left, _) => (Kind::Breach, Verb::Destroy.name(), what_is_left(left)),
            End::Lived | End::Killed => return None,
        };
        Some(Class {
            mode,
            kind,
            verb,
            observable: what.into(),
        })
    }

    /// Eight hex digits for it: FNV-1a, 32 bits, of its line.
    pub fn id(&self) -> String {
        let hash = self
            .to_string()
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
        format!("{hash:08x}")
    }
}

fn what_is_left(left: &Left) -> &'static str {
    match (left.tables, left.references) {
        (0, _) => "references are left",
        (_, 0) => "tables are left",
        _ => "tables and references are left",
    }
}

/// The name of a step's verb: a hypercall goes by its own.
pub fn verb_name(step: Option<&Step>) -> &'static str {
    step.map_or(Doing::Start, Doing::of).name()
}

/// What both sides were seen to do in the step in which they differ.
pub struct Seen<'a> {
    /// The first differing thing.
    pub difference: Difference,
    /// Kernel calls of the first side in that step.
    pub calls_a: &'a [Call],
    /// Kernel calls of the second side.
    pub calls_b: &'a [Call],
}

/// The sort of trouble that a difference is, and what of it goes into the class.
pub fn observable<A: Side, B: Side>(seen: &Seen<'_>, a: &A, b: &B) -> (Kind, String) {
    match seen.difference {
        Difference::Outcome(Outcome::Stuck, _) | Difference::Outcome(_, Outcome::Stuck) => {
            (Kind::Stuck, "four faults are not enough on one side".into())
        }
        Difference::Outcome(x @ Outcome::Bug(_), y)
        | Difference::Outcome(x, y @ Outcome::Bug(_)) => (
            Kind::HostBug,
            format!("{} / {}", outcome_name(&x), outcome_name(&y)),
        ),
        Difference::Outcome(x, y) if outcome_name(&x) != outcome_name(&y) => (
            Kind::Diff,
            format!("return {} / {}", outcome_name(&x), outcome_name(&y)),
        ),
        Difference::Outcome(x, _) => (Kind::Diff, format!("return value of {}", outcome_name(&x))),
        Difference::Init => (Kind::Diff, "return of init_guest_pagetable".into()),
        Difference::Calls => (Kind::Diff, call_difference(seen.calls_a, seen.calls_b)),
        Difference::State => (
            Kind::Diff,
            format!("field {}", state_field(&a.state(), &b.state())),
        ),
        Difference::Entry { level, a, b } => (Kind::Diff, entry_difference(level, a, b)),
        Difference::Held { pfn } => {
            let more = b.host().held(pfn) > a.host().held(pfn);
            let sign = if more { "more" } else { "fewer" };
            (
                Kind::Diff,
                format!("{sign} references to a {}", frame_kind(a.host().name(pfn))),
            )
        }
        Difference::Memory { .. } => (Kind::Diff, "guest memory".into()),
        Difference::TablesHeld => {
            let more = b.host().tables_held() > a.host().tables_held();
            (
                Kind::Diff,
                format!("{} tables held", if more { "more" } else { "fewer" }),
            )
        }
    }
}

/// The kind of a frame, without its number.
fn frame_kind(name: FrameName) -> &'static str {
    match name {
        FrameName::Table => "table",
        FrameName::Guest { .. } => "guest page",
        FrameName::Switcher(_) => "Switcher page",
        FrameName::Regs => "regs page",
        FrameName::Foreign(_) => "foreign frame",
    }
}

fn outcome_name(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped => "skipped".into(),
        Outcome::Done => "done".into(),
        Outcome::Value(_) => "value".into(),
        Outcome::Fixed(_) => "fixed".into(),
        Outcome::NotFixed(0) => "not fixed".into(),
        Outcome::NotFixed(_) => "not fixed, iomem".into(),
        Outcome::Found(_) => "found".into(),
        Outcome::NotFound(_) => "not found".into(),
        Outcome::Word(_) => "word".into(),
        Outcome::Reflected(_) => "reflected".into(),
        Outcome::Iomem(_) => "iomem".into(),
        Outcome::Beyond => "beyond the segment".into(),
        Outcome::Foreign(_) => "foreign frame".into(),
        Outcome::Stuck => "stuck".into(),
        Outcome::Killed => "killed".into(),
        Outcome::Bug(bug) => bug.kind().name().into(),
    }
}

fn entry_difference(level: Level, a: u64, b: u64) -> String {
    let level = match level {
        Level::Pgd => "pgd",
        Level::Pmd => "pmd",
        Level::Pte => "pte",
    };
    let bits = a ^ b;
    let flags = bits & 0xfff0_0000_0000_0fff;
    let frame = if bits & 0x000f_ffff_ffff_f000 == 0 {
        ""
    } else {
        " and frame"
    };
    format!("{level} bits {flags:#x}{frame}")
}

fn state_field(a: &State, b: &State) -> &'static str {
    for (a, b) in a.slots.iter().zip(&b.slots) {
        let named = [
            (a.gpgdir == b.gpgdir, "gpgdir"),
            (a.pgdir == b.pgdir, "pgdir"),
            (a.last_host_cpu == b.last_host_cpu, "last_host_cpu"),
            (a.switcher_mapped == b.switcher_mapped, "switcher_mapped"),
        ];
        if let Some((_, name)) = named.iter().find(|(same, _)| !same) {
            return name;
        }
    }
    let named = [
        (a.cpu_pgd == b.cpu_pgd, "cpu_pgd"),
        (a.linear_pages == b.linear_pages, "linear_pages"),
        (a.kernel_address == b.kernel_address, "kernel_address"),
        (a.lguest_data == b.lguest_data, "lguest_data"),
        (a.ss1 == b.ss1, "ss1"),
        (a.esp1 == b.esp1, "esp1"),
        (a.stack_pages == b.stack_pages, "stack_pages"),
        (a.next_hcall == b.next_hcall, "next_hcall"),
        (a.dead == b.dead, "dead"),
    ];
    named
        .iter()
        .find(|(same, _)| !same)
        .map_or("none", |(_, name)| name)
}

fn call_difference(a: &[Call], b: &[Call]) -> String {
    let at = a
        .iter()
        .zip(b)
        .position(|(a, b)| a != b)
        .unwrap_or(a.len().min(b.len()));
    match (a.get(at), b.get(at)) {
        (Some(x), Some(y)) if x.kind == y.kind && x.is_message() => {
            format!(
                "kill text '{}' / '{}'",
                without_numbers(&x.bytes),
                without_numbers(&y.bytes)
            )
        }
        (Some(x), Some(y)) if x.kind == y.kind && x.is_store() && x.a == y.a => {
            format!(
                "{} bits {:#x}",
                x.name(),
                (x.b ^ y.b) & 0xfff0_0000_0000_0fff
            )
        }
        (Some(x), Some(y)) if x.kind == y.kind => format!("arguments of {}", x.name()),
        (x, y) => {
            let name = |call: Option<&Call>| call.map_or("no call", Call::name);
            format!("call {} / {}", name(x), name(y))
        }
    }
}

/// A kill text with its numbers taken out.
pub fn without_numbers(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words = text.split_whitespace().map(|word| {
        let digits = word
            .trim_end_matches([',', '.'])
            .strip_prefix("0x")
            .unwrap_or(word);
        if !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '/')
            && digits.contains(|c: char| c.is_ascii_digit())
        {
            "#"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
