// SPDX-License-Identifier: GPL-2.0-or-later
//! Takes the lines of a recording from a side.

use lguest_engine::record::{ENTRIES, Entry, FRAMES, Held, Scratch};
use lguest_engine::{Outcome, PagingMode, Recorder, Runner, Side, Step, Verb};
use lguest_shadow::{Faithful, NoPae, Pae};

use crate::original::OriginalSide;
use crate::rig::Hosts;
use crate::scenario_buf::ScenarioBuf;
use crate::sim::{MAX_TABLES, SimHost};

/// What a scenario ends with that does not say it itself.
const DESTROY: Step = Step::new(Verb::Destroy, [0; 5]);

/// What someone who looks on is shown of each step.
pub enum Moment<'a, S> {
    /// The world, and the step that is next.
    Before(&'a Runner<S>, &'a Step),
    /// What came of it.
    After(&'a Outcome),
}

/// Runs a scenario on a side, to the guest's end, and takes its lines.
pub fn lines<S: Side<Host = SimHost>>(side: S, scenario: &ScenarioBuf) -> String {
    take(side, scenario, true, |_| {})
}

/// The same without digests, while someone looks on.
pub fn lines_seen<S: Side<Host = SimHost>>(
    side: S,
    scenario: &ScenarioBuf,
    seen: impl FnMut(Moment<'_, S>),
) -> String {
    take(side, scenario, false, seen)
}

fn take<S: Side<Host = SimHost>>(
    side: S,
    scenario: &ScenarioBuf,
    digests: bool,
    mut seen: impl FnMut(Moment<'_, S>),
) -> String {
    let mut tables = vec![0; MAX_TABLES as usize];
    let mut entries = vec![Entry::NONE; 2 * ENTRIES];
    let mut held = vec![Held::NONE; 2 * FRAMES];
    let mut recorder = Recorder::new(Scratch {
        tables: &mut tables,
        entries: &mut entries,
        held: &mut held,
    });
    if !digests {
        recorder = recorder.without_digests();
    }
    let mut runner = Runner::new(side);
    let mut text = String::new();
    let mut log = Vec::new();
    // A host keeps calls if it keeps a log of them; that one is not needed here.
    runner.side.host().keep_log(true);
    let begun = runner.start(&scenario.machine, &mut scenario.pages.iter().copied());
    // A String takes whatever is written to it.
    let _ = recorder.began(&runner.side, &begun, &mut text);
    for step in scenario.steps.iter().chain([&DESTROY]) {
        if runner.over() {
            break;
        }
        runner.side.host().swap_log(&mut log);
        seen(Moment::Before(&runner, step));
        let outcome: Outcome = runner.step(step);
        seen(Moment::After(&outcome));
        let _ = recorder.step(&runner.side, step, &outcome, &mut text);
    }
    let _ = recorder.ended(&runner.side, &mut text);
    runner.side.host().keep_log(false);
    text
}

/// The original's lines; nothing if it is not built in.
pub fn of_original(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> Option<String> {
    let side = OriginalSide::new(&hosts.original, mode == PagingMode::Pae)?;
    Some(lines(side, scenario))
}

/// The port's.
pub fn of_port(hosts: &Hosts, scenario: &ScenarioBuf, mode: PagingMode) -> String {
    use lguest_engine::PortSide;
    let host = &hosts.port;
    match mode {
        PagingMode::Pae => lines(PortSide::<Pae, _, _>::new(host, Faithful), scenario),
        _ => lines(PortSide::<NoPae, _, _>::new(host, Faithful), scenario),
    }
}
