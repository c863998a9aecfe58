// SPDX-License-Identifier: GPL-2.0-or-later
//! Shadow page tables before a processor: an image without an operating system that runs scenarios with the port on
//! physical memory, and has the processor perform accesses in the tables that come of it.
//!
//! What the processor says must be what the rig's walker says, and what the steps return must be what they returned on
//! the original. The serial line tells it; QEMU's exit device ends it.
#![no_std]
#![no_main]

mod cross;
mod follow;
mod frames;
mod host;
mod machine;
mod memory;
mod pack;
mod pick;
mod probe;

use lguest_engine::cpu::Processor;
use lguest_engine::{Outcome, PortHost, PortSide, Runner, Scenario, Side, Verb};
use lguest_shadow::{Faithful, Mode, NoPae, Pae};

use cross::{Access, Answer, Kind};
use follow::{At, follow};
use host::{DATA_END, RealHost};
use machine::{Abilities, End};
use pack::Item;
use pick::{Dice, Mapped};
use probe::{Counts, Probe};

static HOST: RealHost = RealHost::new();
static MAPPED: Mapped = Mapped::new();

/// Mixes a word into a 64-bit state, as the simulated host does.
pub fn mix(state: u64, word: u64) -> u64 {
    let mut x = state.wrapping_add(word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

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
    let mut access = access_of(args);
    let chain = probe.chain(root, access.vaddr);
    if args[0] >= probe.switcher
        || !chain.complete && chain.entries[chain.len.max(1) - 1].1 & 1 != 0
    {
        return;
    }
    if matches!(came, Some(Outcome::Word(_))) {
        access.kind = Kind::Read;
    }
    let [answer, ..] = probe.batch(root, core::slice::from_mut(&mut access), false);
    match (came, answer) {
        (_, Answer::Nothing) => {}
        (Some(Outcome::Word(word)), Answer::Done(found)) if found == *word => {}
        (Some(Outcome::Word(word)), _) => {
            probe.differ(&access, "the step's word", (*word).into(), 0)
        }
        (Some(Outcome::Reflected(code)), Answer::Fault(told, _)) if told == *code => {}
        (Some(Outcome::Reflected(code)), _) => {
            probe.differ(&access, "the guest's fault", (*code).into(), 0)
        }
        _ => {}
    }
}

fn run<M: Mode>(
    item: &Item<'_>,
    abilities: Abilities,
    room: &mut [u32],
    counts: &mut Counts,
) -> bool
where
    RealHost: PortHost<M>,
{
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
    let mut runner = Runner::new(PortSide::<M, _, _>::new(&HOST, Faithful));
    let mut probe = Probe::new(
        &HOST,
        M::PAE,
        (processor, abilities.emulated),
        machine.switcher,
        item.name,
        counts,
    );
    let mut dice = Dice::new(mix(machine.seed, scenario.len() as u64));
    let sums = follow(&mut runner, &scenario, room, |runner, at| {
        let side = &runner.side;
        match at {
            At::Before(step) => {
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
                    pick::ask_all(&mut probe, side, &MAPPED, abilities.width, &mut dice);
                }
            }
        }
    });
    let mode = if M::PAE { "pae" } else { "nopae" };
    if sums.outcomes != item.outcomes {
        say!(
            "DIFFER {mode} {}: its steps do not return what they do on the original",
            item.name
        );
        counts.differences += 1;
    }
    if sums.states != item.states {
        say!(
            "DIFFER {mode} {}: its states are not what they are on the original",
            item.name
        );
        counts.differences += 1;
    }
    counts.differences == before
}

fn report(mode: &str, scenarios: u32, c: &Counts) {
    say!(
        "TOTAL {mode} scenarios={scenarios} accesses={} differences={}",
        c.accesses(),
        c.differences
    );
    say!(
        "TOTAL {mode} tables: unaltered={} with_user_code={} with_switcher={} changed={}",
        c.unaltered,
        c.with_user_code,
        c.with_switcher,
        c.changed
    );
    say!(
        "TOTAL {mode} kinds: writes={} fetches={} ring3={}",
        c.writes,
        c.fetches,
        c.user
    );
    say!(
        "TOTAL {mode} faults: by_code={:?} reserved={} not_executable={}",
        c.faults,
        c.reserved,
        c.not_executable
    );
    say!(
        "TOTAL {mode} others: foreign={} marked_above_faults={} added_at_top={} added_below={} no_room={} summed={}",
        c.foreign,
        c.marked,
        c.added[0],
        c.added[1],
        c.no_room,
        c.summed
    );
    say!(
        "TOTAL {mode} QEMU's own ways: marked_at_pae_top={} reserved_as_absent={}",
        c.marked_top,
        c.reserved_as_absent
    );
}

/// Called at the start, with what the loader left.
#[unsafe(no_mangle)]
extern "C" fn image_main(magic: u32, info: u32) -> ! {
    let abilities = Abilities::ask();
    say!(
        "bare: the MMU is {}; physical addresses of {} bits, no-execute {}",
        if abilities.emulated {
            "QEMU's, emulated"
        } else {
            "the processor's own"
        },
        abilities.width,
        abilities.nx
    );
    let items = machine::module(magic, info).and_then(pack::open);
    let (Some(items), true) = (items, abilities.pae) else {
        say!("broken: a pack of scenarios and a processor with PAE are needed");
        machine::exit(End::Broken)
    };
    if machine::memory_end(info) < u64::from(DATA_END) << 12 {
        say!(
            "broken: memory ends at {:#x}; expected {:#x}",
            machine::memory_end(info),
            u64::from(DATA_END) << 12
        );
        machine::exit(End::Broken)
    }
    HOST.turn_on();
    cross::prepare();
    static ROOM: RoomCell = RoomCell(core::cell::UnsafeCell::new([0; frames::MAX_TABLES]));
    // SAFETY: this function runs once.
    let room = unsafe { &mut *ROOM.0.get() };
    let (mut nopae, mut pae) = (Counts::default(), Counts::default());
    let (mut scenarios, due) = ([0, 0], items.left());
    for item in items {
        let counts = if item.pae { &mut pae } else { &mut nopae };
        let agrees = if item.pae {
            run::<Pae>(&item, abilities, room, counts)
        } else {
            run::<NoPae>(&item, abilities, room, counts)
        };
        scenarios[usize::from(item.pae)] += 1;
        let mode = if item.pae { "pae" } else { "nopae" };
        say!(
            "{} {mode} {}",
            if agrees { "ok" } else { "failed" },
            item.name
        );
    }
    report("nopae", scenarios[0], &nopae);
    report("pae", scenarios[1], &pae);
    if scenarios[0] + scenarios[1] != due {
        say!("broken: the pack is cut short");
        machine::exit(End::Broken)
    }
    let agree = nopae.differences + pae.differences == 0;
    machine::exit(if agree {
        End::AllAgree
    } else {
        End::Differences
    })
}

/// Room for the numbers of tables.
struct RoomCell(core::cell::UnsafeCell<[u32; frames::MAX_TABLES]>);

// SAFETY: one processor runs all of this.
unsafe impl Sync for RoomCell {}
