// SPDX-License-Identifier: GPL-2.0-or-later
//! Hostile steps among those of a guest kernel.

use lguest_engine::{Runner, Side, Step, Verb};

use super::boot::Kernel;
use super::chaos::Chaos;
use super::context::Context;
use super::paging::{A, D, call};
use super::rng::Rng;
use super::view::View;

/// How hostile a kernel is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spice {
    /// One act in so many is followed by hostile steps; 0 is none.
    every: u32,
    /// Most of them at once.
    most: u32,
    /// Some come next.
    pub is_next: bool,
    /// There was one, so the kernel's books may be wrong.
    pub tainted: bool,
}

impl Spice {
    pub fn draw(ctx: &mut Context) -> Self {
        Spice {
            every: ctx.rng.pick(&[3, 6, 12, 30, 80]),
            most: ctx.rng.range(1, 6),
            is_next: false,
            tainted: false,
        }
    }

    /// Whether it is time for hostile steps.
    #[inline]
    pub fn due(&self, rng: &mut Rng) -> bool {
        self.every != 0 && rng.one_in(self.every)
    }

    /// Says hostile steps.
    pub fn add<S: Side>(
        &mut self,
        ctx: &mut Context,
        chaos: &mut Chaos,
        kernel: &Kernel,
        world: &Runner<S>,
    ) {
        self.tainted = true;
        let leanings = &mut chaos.leanings;
        leanings.gpgdirs.clear();
        leanings.vaddrs.clear();
        kernel.places(&mut leanings.gpgdirs, &mut leanings.vaddrs);
        for _ in 0..ctx.rng.range(1, self.most) {
            chaos.step(ctx, world);
        }
    }
}

/// The guest lives through the step, as far as can be seen; what does not enter the host is left alone.
///
/// Of an access it is seen to alone that the host does: in tables that were tampered with it may be the guest's end,
/// which is of interest, and looking those up for each access takes a fifth of the time in which such a guest is made.
#[inline(always)]
pub(super) fn survives<S: Side>(ctx: &Context, world: &Runner<S>, step: &Step) -> bool {
    if harmless(ctx, step) {
        return true;
    }
    let view = View::new(world, &ctx.machine);
    if step.verb == Verb::Access {
        return view.can_run();
    }
    !Chaos::deadly(ctx, &view, step)
}

/// The step is nobody's end, whatever the world is like; cheap to tell.
#[inline(always)]
fn harmless(ctx: &Context, step: &Step) -> bool {
    let [number, _, vaddr, pte, _] = step.args;
    match step.verb {
        Verb::Hypercall if number == call::SET_PTE => {
            u64::from(pte) & (A | D) == 0 && vaddr < ctx.machine.switcher
        }
        Verb::Hypercall => call::IDLE.contains(&number),
        Verb::DemandPage | Verb::Access | Verb::Run | Verb::GuestPa | Verb::Async => false,
        _ => true,
    }
}
