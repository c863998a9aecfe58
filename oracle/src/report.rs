// SPDX-License-Identifier: GPL-2.0-or-later
//! What a person is shown of a difference: the scenario run again with everything compared after each step, the
//! first step that differs, and a unified diff of what each side did and holds then.

use std::fmt::Write as _;

use lguest_engine::observe::{Visited, observe};
use lguest_engine::scenario::hypercall_name;
use lguest_engine::{Care, Difference, Outcome, PagingMode, Side, Step, Verb};
use similar::TextDiff;

use crate::class::{Class, Seen, observable, verb_name};
use crate::drive::{Both, Given, run};
use crate::rig::{Hosts, mode_name};
use crate::scenario_buf::ScenarioBuf;
use crate::sim::{Call, MAX_TABLES};
use crate::text::print;

/// A difference between original and port, with all that is needed to see it again.
pub struct Divergence {
    /// Its class.
    pub class: Class,
    /// Number of the step, from 0; none for `init_guest_pagetable`.
    pub step: Option<usize>,
    /// The scenario up to that step, in the mode in question.
    pub scenario: ScenarioBuf,
    /// The unified diff, with a heading.
    pub text: String,
}

/// Runs a scenario that is known to diverge once more, slowly; nothing if the sides agree this time.
///
/// # Panics
/// The original must be built in.
pub fn investigate(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Option<Divergence> {
    match mode {
        PagingMode::Pae => slowly(hosts, &mut hosts.pae(Care::Full)?, scenario, mode),
        _ => slowly(hosts, &mut hosts.nopae(Care::Full)?, scenario, mode),
    }
}

/// The same for any two sides on `hosts`, which compare as carefully as `both` says.
pub fn slowly<A: Side, B: Side>(
    hosts: &Hosts,
    both: &mut Both<A, B>,
    scenario: &ScenarioBuf,
    mode: PagingMode,
) -> Option<Divergence> {
    hosts.keep_log(true);
    let mut last = (None, None);
    let run = run(
        both,
        &scenario.machine,
        &scenario.pages,
        &mut Given(scenario.steps.iter()),
        |_, step, outcome| {
            if outcome.is_some() {
                hosts.original.take_log();
                hosts.port.take_log();
            }
            last = (Some(*step), outcome.copied());
        },
    );
    hosts.keep_log(false);
    let (number, difference) = run.end.err()?;
    let (calls_a, calls_b) = (hosts.original.take_log(), hosts.port.take_log());
    let step = number.and(last.0);
    let seen = Seen {
        difference,
        calls_a: &calls_a,
        calls_b: &calls_b,
    };
    let (kind, what) = observable(&seen, &both.pair.a.side, &both.pair.b.side);
    let class = Class {
        mode: mode_name(mode),
        kind,
        verb: verb_name(step.as_ref()),
        observable: what,
    };

    let outcomes = match difference {
        Difference::Outcome(a, b) => [Some(a), Some(b)],
        _ => [None, None],
    };
    let a = side_text(&both.pair.a.side, outcomes[0], &calls_a);
    let b = side_text(&both.pair.b.side, outcomes[1], &calls_b);
    let mut witness = scenario.clone();
    witness.machine.mode = mode;
    witness
        .steps
        .truncate(number.map_or(0, |number| number + 1));
    let mut text = heading(&class, number, step.as_ref());
    let diff = TextDiff::from_lines(&a, &b);
    let _ = write!(
        text,
        "{}",
        diff.unified_diff()
            .context_radius(2)
            .header("original", "port")
    );
    Some(Divergence {
        class,
        step: number,
        scenario: witness,
        text,
    })
}

fn heading(class: &Class, number: Option<usize>, step: Option<&Step>) -> String {
    let mut text = format!("class {} {class}\n", class.id());
    match (number, step) {
        (Some(number), Some(step)) => {
            let _ = writeln!(text, "step {}: {}", number + 1, print::step_text(step));
        }
        _ => text.push_str("before the first step: init_guest_pagetable\n"),
    }
    let _ = writeln!(text, "original: lines {}", c_lines(step));
    text
}

/// Both texts of a divergence begin so, and a state that `explain` shows.
pub fn side_text<S: Side>(side: &S, outcome: Option<Outcome>, calls: &[Call]) -> String {
    let mut text = String::new();
    if let Some(outcome) = outcome {
        let _ = writeln!(text, "outcome {}", outcome_text(&outcome));
    }
    for call in calls {
        let _ = writeln!(text, "call {call}");
    }
    let mut room = vec![0; MAX_TABLES as usize];
    // A String takes whatever is written to it.
    let _ = observe(side, &mut Visited::new(&mut room), &mut text);
    text
}

/// An outcome as a person reads it.
pub fn outcome_text(outcome: &Outcome) -> String {
    match *outcome {
        Outcome::Skipped => "skipped: the guest is dead".into(),
        Outcome::Done => "done".into(),
        Outcome::Value(value) => format!("{value:#x}"),
        Outcome::Fixed(_) => "fault fixed".into(),
        Outcome::NotFixed(0) => "fault not fixed".into(),
        Outcome::NotFixed(iomem) => format!("fault in I/O memory at {iomem:#x}"),
        Outcome::Found(paddr) => format!("{paddr:#x}"),
        Outcome::NotFound(_) => "not mapped".into(),
        Outcome::Word(word) => format!("word {word:#x}"),
        Outcome::Reflected(errcode) => format!("fault for the guest, error code {errcode:#x}"),
        Outcome::Iomem(at) => format!("I/O memory at {at:#x}"),
        Outcome::Beyond => "beyond the segment's limit".into(),
        Outcome::Foreign(pfn) => format!("reached frame {pfn:#x}, which is not the guest's"),
        Outcome::Stuck => "stuck after four faults".into(),
        Outcome::Killed => "killed".into(),
        Outcome::Bug(bug) => format!(
            "the host crashes: {} (frame {:#x})",
            bug.kind().name(),
            bug.pfn()
        ),
    }
}

/// The lines of the original that a step is about.
fn c_lines(step: Option<&Step>) -> &'static str {
    let Some(step) = step else { return "1073-1093" };
    match step.verb {
        Verb::DemandPage => "393-538",
        Verb::Access => "1167-1226, 393-538",
        Verb::Run => "1167-1226",
        Verb::GuestPa | Verb::TryGuestPa => "676-726",
        Verb::Destroy => "1128-1137, 827-842",
        Verb::Hypercall => match hypercall_name(step.args[0]) {
            Some("LGUEST_INIT") => "1096-1125, 850-858",
            Some("NEW_PGTABLE") => "867-904, 747-782, 794-820",
            Some("FLUSH_TLB") => "668-672, 654-660, 850-858",
            Some("SET_STACK") => "551-584",
            Some("SET_PMD") => "1056-1059, 850-858",
            Some("SET_PTE") => "932-1014",
            Some("SET_PGD") => "1030-1052, 588-647",
            _ => "none of its own; the ring before it can reach any",
        },
        _ => "none: no entry into it",
    }
}
