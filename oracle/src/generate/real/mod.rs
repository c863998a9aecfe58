// SPDX-License-Identifier: GPL-2.0-or-later
//! Stretches of what real guests did: begun in a state in which they make sense, and then perturbed.

mod library;
mod perturb;

use std::collections::BTreeMap;

use lguest_engine::{Machine, PagingMode, Reuse, Runner, Side, Step, Verb};

use super::chaos::Chaos;
use super::context::Context;
use super::paging::{Paging, call};
use super::rng::Rng;
use crate::scenario_buf::ScenarioBuf;
use library::Boot;

/// Steps cut at once.
const LEAST: u32 = 50;
const MOST: u32 = 200;
/// Places that hostile steps are drawn to.
const PLACES: usize = 24;

/// One thing to be done.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Step(Step),
    /// Hostile steps, chosen when it is their turn, with the world in view.
    Hostile(u32),
}

/// The stretch of one scenario.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pae: bool,
    /// Where it begins in the boot.
    from: u32,
    /// How many of the pieces make its beginning, which stays as it is.
    kept: usize,
    pieces: Vec<Piece>,
    next: usize,
}

/// Steps of a boot that stretches can be cut from, for there is a guest at work in them.
#[must_use]
pub fn at_work(pae: bool) -> std::ops::Range<u32> {
    let boot = Boot::of(pae);
    boot.lives[0].step..boot.steps.len() as u32
}

/// These steps of a boot as they were, behind what brings a guest to where they make sense. They must be
/// [`at_work`].
#[must_use]
pub fn stretch(pae: bool, steps: std::ops::Range<u32>) -> ScenarioBuf {
    let boot = Boot::of(pae);
    let mut stretch = Stretch::default();
    stretch.start(boot);
    stretch.begin(Paging { pae }, boot, steps.start, steps.end, false);
    let beginning = stretch.pieces.iter().filter_map(|piece| match piece {
        Piece::Step(step) => Some(*step),
        Piece::Hostile(_) => None,
    });
    let steps = &boot.steps[steps.start as usize..steps.end as usize];
    let machine = boot.machine;
    ScenarioBuf {
        machine,
        pages: Vec::new(),
        steps: beginning
            .chain(steps.iter().copied())
            .map(|step| step.reduce(&machine))
            .collect(),
    }
}

/// The machine of the boot, with what a trace does not tell drawn anew.
pub(super) fn machine(rng: &mut Rng, mode: PagingMode) -> Machine {
    let machine = Machine {
        cpus: rng.pick(&[1, 1, 2, 4]),
        nx: rng.percent(75),
        global: rng.percent(75),
        reuse: rng.pick(&[Reuse::Lowest, Reuse::Lowest, Reuse::Fifo, Reuse::Seeded]),
        seed: rng.bits(),
        first_slot: None,
        ..Boot::of(mode == PagingMode::Pae).machine
    };
    machine.reduce()
}

fn hypercall(number: u32, a: u32, b: u32, c: u32) -> Step {
    Step::new(Verb::Hypercall, [number, a, b, c, 0])
}

impl Stretch {
    /// Cuts a stretch and perturbs it.
    pub fn draw(&mut self, ctx: &mut Context, chaos: &mut Chaos) {
        self.pae = ctx.paging.pae;
        self.pieces.clear();
        self.next = 0;
        let boot = Boot::of(self.pae);
        let (from, to) = self.cut(ctx, boot);
        self.from = from;
        self.start(boot);
        self.begin(ctx.paging, boot, from, to, false);
        self.kept = self.pieces.len();
        self.copy(ctx, boot, from, to);
        // Some stay as they were.
        for _ in 0..ctx.rng.below(8) {
            self.perturb(ctx, boot);
        }
        self.lead(chaos);
    }

    /// The guest's start.
    fn start(&mut self, boot: &Boot) {
        for step in [
            Step::new(Verb::BootData, [boot.data, boot.kernel_address, 0, 0, 0]),
            hypercall(call::LGUEST_INIT, boot.data, 0, 0),
        ] {
            self.pieces.push(Piece::Step(step));
        }
    }

    /// Where a stretch is, behind the start of the guest.
    fn cut(&self, ctx: &mut Context, boot: &Boot) -> (u32, u32) {
        let first = boot.lives[0].step;
        let end = boot.steps.len() as u32;
        let from = if ctx.rng.one_in(2) {
            // Just at a switch, or at the stack that comes with it.
            let live = ctx.rng.below(boot.lives.len() as u32) as usize;
            boot.lives[live].step.min(end - MOST)
        } else {
            ctx.rng.range(first, end - MOST)
        };
        (from, from + ctx.rng.range(LEAST, MOST))
    }

    /// The state in which a stretch begins: its part of the guest's tables, page directories in use, the stack.
    fn begin(&mut self, paging: Paging, boot: &Boot, from: u32, to: u32, again: bool) {
        let live = *boot.live_at(from);
        let mut entries = BTreeMap::new();
        let stack = &boot.reads[live.reads.0 as usize..live.reads.1 as usize];
        for read in boot.reads_of(from, to).iter().chain(stack) {
            entries.entry(read.at).or_insert(read.value);
        }
        let width = paging.entry();
        for (at, value) in entries {
            if (value != 0 || again) && u64::from(at) + 8 <= u64::from(boot.machine.backed()) << 12
            {
                let args = [at, value as u32, (value >> 32) as u32, width, 0];
                self.pieces.push(Piece::Step(Step::new(Verb::Write, args)));
            }
        }
        let last = live.gpgdirs.len() - 1;
        for (i, gpgdir) in live.gpgdirs.into_iter().enumerate() {
            if gpgdir != 0 && (i == last || !again) {
                let step = hypercall(call::NEW_PGTABLE, gpgdir, 0, 0);
                self.pieces.push(Piece::Step(step));
            }
        }
        let [segment, esp, pages] = live.stack;
        if pages != 0 {
            let step = hypercall(call::SET_STACK, segment, esp, pages);
            self.pieces.push(Piece::Step(step));
        }
        self.pieces.push(Piece::Step(Step::new(Verb::Run, [0; 5])));
    }

    /// The stretch itself; where the guest runs is drawn.
    fn copy(&mut self, ctx: &mut Context, boot: &Boot, from: u32, to: u32) {
        for step in &boot.steps[from as usize..to as usize] {
            let mut step = *step;
            if step.verb == Verb::Run {
                step.args[0] = ctx.rng.below(ctx.machine.cpus.into());
            }
            self.pieces.push(Piece::Step(step));
        }
    }

    /// Draws hostile steps to where the stretch is at work.
    fn lead(&self, chaos: &mut Chaos) {
        let leanings = &mut chaos.leanings;
        leanings.gpgdirs.clear();
        leanings.vaddrs.clear();
        for piece in self.pieces.iter().rev() {
            let Piece::Step(Step { verb, args, .. }) = piece else {
                continue;
            };
            let (gpgdir, vaddr) = match (verb, args[0]) {
                (Verb::Hypercall, call::SET_PTE) => (Some(args[1]), Some(args[2])),
                (Verb::Hypercall, call::NEW_PGTABLE) => (Some(args[1]), None),
                (Verb::DemandPage, vaddr) => (None, Some(vaddr)),
                _ => (None, None),
            };
            for (places, place) in [
                (&mut leanings.gpgdirs, gpgdir),
                (&mut leanings.vaddrs, vaddr),
            ] {
                if let Some(place) = place.filter(|place| !places.contains(place))
                    && places.len() < PLACES
                {
                    places.push(place);
                }
            }
        }
    }

    /// Says the beginning.
    pub fn prologue(&mut self, ctx: &mut Context) {
        self.say(ctx);
    }

    /// Says the steps up to the next hostile ones.
    fn say(&mut self, ctx: &mut Context) {
        while let Some(Piece::Step(step)) = self.pieces.get(self.next) {
            ctx.say(*step);
            self.next += 1;
        }
    }

    /// Goes on; false at the end.
    pub fn act<S: Side>(
        &mut self,
        ctx: &mut Context,
        chaos: &mut Chaos,
        world: &Runner<S>,
    ) -> bool {
        let Some(Piece::Hostile(count)) = self.pieces.get(self.next).copied() else {
            return false;
        };
        self.next += 1;
        for _ in 0..count {
            chaos.step(ctx, world);
        }
        self.say(ctx);
        true
    }
}
