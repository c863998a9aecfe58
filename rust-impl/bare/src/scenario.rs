// SPDX-License-Identifier: GPL-2.0-or-later
//! Runs one scenario: holds the port to what must come of it, and has the processor asked in between.

use lguest_engine::cpu::Processor;
use lguest_engine::draw::mix;
use lguest_engine::{Outcome, PortHost, PortSide, Runner, Scenario, Side, Verb};
use lguest_shadow::{Faithful, Mode};

use crate::counts::{Counts, mode_name};
use crate::cross::{Access, Answer, Kind};
use crate::follow::{At, Summing, Sums, follow};
use crate::host::RealHost;
use crate::machine::{self, Abilities, End};
use crate::pack::{Due, Item};
use crate::pick::{self, Dice, Mapped};
use crate::probe::Probe;
use crate::recorded::{Recorded, Room};
use crate::say;

/// One guest access, as the scenario has it.
fn access_of(args: &[u32; 5]) -> Access {
    Access {
        vaddr: args[0] & !3,
        kind: if args[1] & 1 != 0 {
            Kind::Write
        } else {
            Kind::Read
        },
        user: args[1] & 2 != 0,
        value: args[2],
    }
}

/// The processor performs a guest's access itself, before the engine does and after.
fn ask_access<S: Side<Host = RealHost>>(
    probe: &mut Probe<'_>,
    side: &S,
    args: &[u32; 5],
    came: Option<&Outcome>,
) {
    let Some(root) = pick::current(side) else {
        return;
    };
    let access = access_of(args);
    let chain = probe.chain(root, access.vaddr);
    if args[0] >= probe.switcher
        || !chain.complete && chain.entries[chain.len.max(1) - 1].1 & 1 != 0
    {
        return;
    }
    // What was reached is read as well: it holds what the step says.
    let read = Access {
        kind: Kind::Read,
        ..access
    };
    let mut accesses = [access, read];
    let done = if matches!(came, Some(Outcome::Word(_))) {
        2
    } else {
        1
    };
    let before = probe.counts.accesses();
    let [first, second, ..] = probe.batch(root, &mut accesses[..done], false);
    probe.counts.steps += probe.counts.accesses() - before;
    match (came, first) {
        (_, Answer::Nothing) => {}
        (Some(Outcome::Word(word)), Answer::Done(_)) if second == Answer::Done(*word) => {}
        (Some(Outcome::Word(word)), _) => {
            probe.differ(&access, "the step's word", (*word).into(), 0);
        }
        (Some(Outcome::Reflected(code)), Answer::Fault(told, _)) if told == *code => {}
        (Some(Outcome::Reflected(code)), _) => {
            probe.differ(&access, "the guest's fault", (*code).into(), 0);
        }
        _ => {}
    }
}

/// What a scenario is held to.
enum Judge<'a> {
    Recording(Recorded<'a>),
    Sums(Summing<'a>, Sums),
}

/// Runs a scenario in one mode; whether all is as it must be.
pub fn run<M: Mode>(
    (host, mapped): (&RealHost, &Mapped),
    item: &Item<'_>,
    abilities: Abilities,
    room: &mut Room,
    counts: &mut Counts,
) -> bool
where
    RealHost: PortHost<M>,
{
    let mode = mode_name(M::PAE);
    let scenario = match Scenario::strict(item.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            say!("broken: {}: {error}", item.name);
            machine::exit(End::Broken)
        }
    };
    let machine = scenario.machine;
    if machine.nx && M::PAE && !abilities.nx {
        say!("broken: {}: this processor has no no-execute", item.name);
        machine::exit(End::Broken)
    }
    machine::choose(M::PAE, machine.nx, abilities);
    let processor = Processor {
        nx: machine.nx,
        width: abilities.width,
    };
    let before = counts.differences;
    let mut runner = Runner::new(PortSide::<M, _, _>::new(host, Faithful));
    let mut judge = match item.due {
        Due::Lines(lines) => Judge::Recording(Recorded::new(lines, room)),
        Due::Sums(outcomes, states) => Judge::Sums(
            Summing::new(scenario.len(), room.tables()),
            Sums { outcomes, states },
        ),
    };
    host.keep_calls(matches!(judge, Judge::Recording(_)));
    let mut probe = Probe::new(
        host,
        M::PAE,
        (processor, abilities.emulated),
        machine.switcher,
        item.name,
        counts,
    );
    let mut dice = Dice::new(mix(machine.seed, scenario.len() as u64));
    follow(&mut runner, &scenario, |runner, at| {
        match &mut judge {
            Judge::Recording(recorded) => recorded.look(runner, &at, mode, item.name),
            Judge::Sums(summing, _) => summing.look(runner, &at),
        }
        let side = &runner.side;
        match at {
            At::Before(_, step) => {
                if step.verb == Verb::Access && item.every != 0 && side.dead() == 0 {
                    ask_access(&mut probe, side, &step.args, None);
                }
            }
            At::After(number, step, came) => {
                probe.step = number;
                if item.every == 0 || runner.over() {
                    return;
                }
                if step.verb == Verb::Access && *came != Outcome::Skipped {
                    ask_access(&mut probe, side, &step.args, Some(came));
                }
                if number as u32 % item.every == 0 {
                    pick::ask_all(&mut probe, side, mapped, abilities.width, &mut dice);
                }
            }
            At::Began(_) | At::Ended => {}
        }
    });
    counts.scenarios += 1;
    match judge {
        Judge::Recording(recorded) => {
            counts.held[0] += 1;
            counts.differences += u32::from(!recorded.agrees());
        }
        Judge::Sums(summing, due) => {
            counts.held[1] += 1;
            let sums = summing.sums();
            for (what, agrees) in [
                ("its steps do not return", sums.outcomes == due.outcomes),
                ("its states are not", sums.states == due.states),
            ] {
                if !agrees {
                    say!(
                        "DIFFER {mode} {}: {what} what they do on the original",
                        item.name
                    );
                    counts.differences += 1;
                }
            }
        }
    }
    counts.differences == before
}
