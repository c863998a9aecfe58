// SPDX-License-Identifier: GPL-2.0-or-later
//! What befalls the steps of a well-behaved guest: failures and draws, and events in the middle of a step.

use lguest_engine::{During, Event, Mapping, Quals, Step, Verb};

use super::context::Context;
use super::paging::call;
use super::rng::Rng;

/// Shares of one scenario, at most: each may cost a copy, and the host has memory for 256.
const SHARES: u32 = 48;

/// How often, and how hard, something befalls a step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    /// Steps until the next time.
    countdown: u32,
    /// Steps between two times, about.
    every: u32,
    /// Events in the middle of a step are among it.
    pub during: bool,
    /// Failures that the guest may die of are among it.
    pub failing: bool,
    shares: u32,
}

impl Plan {
    /// A plan for one scenario; one in eight has events in the middle of steps.
    pub fn draw(rng: &mut Rng, failing: u32) -> Self {
        let during = rng.one_in(8);
        let failing = rng.percent(failing);
        let every = if during {
            rng.range(6, 40)
        } else {
            rng.pick(&[24, 60, 150, 400])
        };
        Plan {
            countdown: rng.range(1, every),
            every,
            during,
            failing,
            shares: 0,
        }
    }

    /// Whether something is due to befall the next step.
    #[inline]
    pub fn due(&mut self) -> bool {
        self.countdown = self.countdown.wrapping_sub(1);
        self.countdown == 0
    }

    /// Whether the host may still share a page.
    pub fn may_share(&mut self) -> bool {
        self.shares += 1;
        self.shares <= SHARES
    }

    /// Lets something befall `step`.
    #[cold]
    pub fn befall(ctx: &mut Context, step: &mut Step) {
        let plan = ctx.plan;
        ctx.plan.countdown = ctx.rng.range(1, plan.every.saturating_mul(2));
        if plan.during && ctx.rng.percent(75) {
            if let Some(event) = mild_event(ctx) {
                step.quals.during = Some(During {
                    call: ctx.rng.range(1, 4) as u8,
                    event,
                });
            }
        } else if plan.failing && ctx.rng.percent(30) {
            step.quals = Self::failure(&mut ctx.rng);
        } else {
            step.quals = mild_failure(&mut ctx.rng, step);
        }
    }

    /// A failure that may be the end.
    pub fn failure(rng: &mut Rng) -> Quals {
        let mut quals = Quals::NONE;
        match rng.below(3) {
            0 => quals.fail_alloc = rng.range(1, 3) as u8,
            1 => quals.fail_pin = rng.range(1, 2) as u8,
            _ => quals.fail_copy = rng.range(1, 5) as u8,
        }
        quals.fail_message = rng.one_in(8);
        quals
    }
}

/// A failure that the guest lives through: of what the step does not do, or of a look at the ring.
fn mild_failure(rng: &mut Rng, step: &Step) -> Quals {
    let mut quals = Quals::NONE;
    let call = matches!(step.verb, Verb::Hypercall);
    match (rng.below(4), step.verb, step.args[0]) {
        (0, Verb::Hypercall, number) if number != call::LGUEST_INIT => quals.fail_copy = 1,
        (1, Verb::Hypercall, call::SET_PTE) | (1, Verb::GuestPa | Verb::Run, _) => {
            quals.fail_alloc = rng.range(1, 2) as u8
        }
        (1, Verb::Write | Verb::Map | Verb::Async, _) => quals.fail_pin = 1,
        (2, _, _) if !call => quals.fail_message = true,
        _ => quals.draw = Some(rng.below(4) as u8),
    }
    quals
}

/// An event that a well-behaved guest does not notice: page 0 is nobody's, and a shared page is copied in time.
fn mild_event(ctx: &mut Context) -> Option<Event> {
    let page = ctx.rng.below(ctx.machine.backed());
    Some(match ctx.rng.below(6) {
        0 => Event::Protect(0),
        1 => Event::Unmap(0),
        2 if ctx.launcher.mapping(page.into()) == Mapping::Writable => Event::Unprotect(page),
        3 | 4 if ctx.plan.may_share() => Event::Share(page),
        _ => {
            let width = ctx.rng.pick(&[1u8, 4, 8]);
            let value = ctx.rng.bits() >> (64 - 8 * u32::from(width));
            Event::Write {
                gpa: ctx.rng.below(4088),
                value,
                width,
            }
        }
    })
}
