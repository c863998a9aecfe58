// SPDX-License-Identifier: GPL-2.0-or-later
//! Hostile steps: any verb with any arguments, drawn to the edges of the running world.

mod arguments;
mod prologue;

use lguest_engine::{During, Quals, Runner, Side, Step, Verb};

use super::context::Context;
use super::forecast::Forecast;
use super::quals::Plan;
use super::rng::Wheel;
use super::values::Leanings;
use super::view::View;

/// What a hostile step may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    SetPte,
    SetPgd,
    SetPmd,
    NewPgtable,
    Flush,
    SetStack,
    Idle,
    Odd,
    Async,
    Fault,
    Access,
    WritePte,
    WriteTable,
    WriteAny,
    Map,
    Run,
    GuestPa,
    Host,
    BootData,
}

const SORTS: [(Sort, u16); 19] = [
    (Sort::SetPte, 24),
    (Sort::SetPgd, 8),
    (Sort::SetPmd, 4),
    (Sort::NewPgtable, 12),
    (Sort::Flush, 5),
    (Sort::SetStack, 5),
    (Sort::Idle, 3),
    (Sort::Odd, 2),
    (Sort::Async, 6),
    (Sort::Fault, 20),
    (Sort::Access, 20),
    (Sort::WritePte, 10),
    (Sort::WriteTable, 4),
    (Sort::WriteAny, 4),
    (Sort::Map, 12),
    (Sort::Run, 8),
    (Sort::GuestPa, 4),
    (Sort::Host, 4),
    (Sort::BootData, 1),
];

/// The hostile mind of one scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Chaos {
    pub leanings: Leanings,
    sorts: Wheel,
    /// One deadly step in so many is taken all the same; 0 is none.
    dare: u32,
    /// One step in so many has qualifiers; 0 is none.
    quals: u32,
    /// One step in so many has an event in its middle; 0 is none.
    during: u32,
    fails: bool,
    pub(super) bump: u32,
}

impl Chaos {
    /// Each scenario has its own verbs, weights and courage.
    pub fn draw(&mut self, ctx: &mut Context) {
        self.leanings.draw(ctx);
        let mut weights = [0; SORTS.len()];
        for (weight, (sort, usual)) in weights.iter_mut().zip(SORTS) {
            let factor = ctx.rng.pick(&[0, 0, 1, 1, 2, 4, 12]);
            *weight = usual
                * if sort == Sort::Run {
                    factor.max(1)
                } else {
                    factor
                };
        }
        self.sorts = Wheel::new(&weights);
        self.dare = ctx.rng.pick(&[0, 0, 0, 0, 96, 48, 12, 3]);
        self.quals = if ctx.rng.percent(60) {
            ctx.rng.pick(&[12, 30, 80])
        } else {
            0
        };
        self.during = if ctx.plan.during {
            ctx.rng.pick(&[2, 5, 12])
        } else {
            0
        };
        self.fails = ctx.rng.percent(60);
        self.bump = ctx.rng.range(1, 4);
    }

    /// Says one hostile step.
    pub fn step<S: Side>(&mut self, ctx: &mut Context, world: &Runner<S>) {
        let machine = ctx.machine;
        let view = View::new(world, &machine);
        for _ in 0..4 {
            let mut step = self.candidate(ctx, &view);
            let befallen = self.befall(ctx, &view, &mut step);
            let dares = self.dare != 0 && ctx.rng.one_in(self.dare);
            if dares || (!befallen && !Self::deadly(ctx, &view, &step)) {
                return ctx.say(step);
            }
        }
        // Nothing that the guest would live through: it waits.
        let step = Step::new(
            Verb::Write,
            [
                ctx.rng.below(machine.backed()) << 12 | 8,
                ctx.rng.word(),
                0,
                4,
                0,
            ],
        );
        ctx.say(step);
    }

    /// The step would be the end.
    #[inline(always)]
    pub fn deadly<S: Side>(ctx: &Context, view: &View<'_, S>, step: &Step) -> bool {
        let switcher = ctx.machine.switcher;
        Forecast {
            view,
            launcher: &ctx.launcher,
            paging: ctx.paging,
            switcher,
        }
        .deadly(step)
    }

    /// Lets something befall the step; true if that may well be the end.
    fn befall<S: Side>(&mut self, ctx: &mut Context, view: &View<'_, S>, step: &mut Step) -> bool {
        if self.during != 0 && ctx.rng.one_in(self.during) {
            let event = self.event(ctx, view);
            step.quals.during = Some(During {
                call: ctx.rng.range(1, 5) as u8,
                event,
            });
        }
        if self.quals == 0 || !ctx.rng.one_in(self.quals) {
            return false;
        }
        let during = step.quals.during;
        if self.fails && ctx.rng.one_in(3) {
            step.quals = Quals {
                during,
                ..Plan::failure(&mut ctx.rng)
            };
            return ctx.rng.percent(80);
        }
        match ctx.rng.below(3) {
            0 => step.quals.fail_message = true,
            1 => step.quals.fail_copy = ctx.rng.range(4, 8) as u8,
            _ => step.quals.draw = Some(ctx.rng.below(4) as u8),
        }
        false
    }

    /// A hostile step, without regard to what comes of it.
    pub fn candidate<S: Side>(&mut self, ctx: &mut Context, view: &View<'_, S>) -> Step {
        let lean = &self.leanings;
        let (sort, _) = SORTS[self.sorts.spin(&mut ctx.rng)];
        match sort {
            Sort::Fault => {
                let vaddr = lean.vaddr(ctx, view);
                Step::new(Verb::DemandPage, [vaddr, ctx.rng.below(8), 0, 0, 0])
            }
            Sort::Access => {
                let vaddr = lean.vaddr(ctx, view);
                let flags = ctx.rng.below(4);
                Step::new(
                    Verb::Access,
                    [
                        vaddr,
                        flags,
                        if flags & 1 != 0 { ctx.rng.word() } else { 0 },
                        0,
                        0,
                    ],
                )
            }
            Sort::WritePte | Sort::WriteTable => {
                let at = lean.spot(ctx, view);
                let value = if sort == Sort::WritePte {
                    lean.pte(ctx)
                } else {
                    lean.table(ctx)
                };
                write(ctx, at, value)
            }
            Sort::WriteAny => {
                let at = lean.spot(ctx, view);
                let width = ctx.rng.pick(&[1, 4, 8]);
                let value = ctx.rng.bits() >> (64 - 8 * width);
                let verb = ctx.rng.pick(&[Verb::Write, Verb::DeviceWrite]);
                Step::new(verb, [at, value as u32, (value >> 32) as u32, width, 0])
            }
            Sort::Map => {
                let (gpgdir, vaddr, pte) =
                    (lean.gpgdir(ctx, view), lean.vaddr(ctx, view), lean.pte(ctx));
                let tables = ctx.rng.below(ctx.machine.backed());
                Step::new(
                    Verb::Map,
                    [gpgdir, vaddr, pte as u32, (pte >> 32) as u32, tables],
                )
            }
            Sort::Run => Step::new(
                Verb::Run,
                [ctx.rng.below(ctx.machine.cpus.into()), 0, 0, 0, 0],
            ),
            Sort::GuestPa => Step::new(Verb::GuestPa, [lean.vaddr(ctx, view), 0, 0, 0, 0]),
            Sort::Host => {
                let page = lean.page(ctx, view);
                let verb = ctx.rng.pick(&[
                    Verb::Unmap,
                    Verb::Protect,
                    Verb::Unprotect,
                    Verb::Unprotect,
                    Verb::Share,
                ]);
                Step::new(verb, [page, 0, 0, 0, 0])
            }
            Sort::BootData => {
                let at = if ctx.rng.one_in(2) {
                    view.lguest_data()
                } else {
                    lean.spot(ctx, view)
                };
                Step::new(Verb::BootData, [at, lean.vaddr(ctx, view), 0, 0, 0])
            }
            Sort::Async => {
                let sort = ctx.rng.pick(&[
                    Sort::SetPte,
                    Sort::SetPte,
                    Sort::SetPgd,
                    Sort::NewPgtable,
                    Sort::Flush,
                    Sort::SetStack,
                    Sort::Idle,
                    Sort::Odd,
                ]);
                Step::new(Verb::Async, self.call(ctx, view, sort))
            }
            sort => Step::new(Verb::Hypercall, self.call(ctx, view, sort)),
        }
    }
}

/// A write of an entry.
fn write(ctx: &Context, at: u32, value: u64) -> Step {
    let high = if ctx.paging.pae {
        (value >> 32) as u32
    } else {
        0
    };
    Step::new(Verb::Write, [at, value as u32, high, ctx.paging.entry(), 0])
}
