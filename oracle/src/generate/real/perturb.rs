// SPDX-License-Identifier: GPL-2.0-or-later
//! What is done to a stretch so that it is one that no guest did.

use lguest_engine::{Step, Verb};

use super::super::context::Context;
use super::super::paging::call;
use super::super::quals::Plan;
use super::library::Boot;
use super::{Piece, Stretch, hypercall};

/// Steps that enter the host.
fn enters(step: &Step) -> bool {
    !matches!(step.verb, Verb::Write)
}

fn switches(step: &Step) -> bool {
    step.verb == Verb::Hypercall && step.args[0] == call::NEW_PGTABLE
}

impl Stretch {
    /// One change, of any sort.
    pub(super) fn perturb(&mut self, ctx: &mut Context, boot: &'static Boot) {
        match ctx.rng.below(16) {
            0..4 => self.change(ctx, boot),
            4..6 => self.drop(ctx),
            6..9 => self.hostile(ctx, boot),
            9..11 => self.move_switch(ctx),
            11..14 => self.fail(ctx),
            14 => self.splice(ctx, boot),
            _ => self.repeat(ctx),
        }
    }

    /// Any place behind the beginning.
    fn place(&self, ctx: &mut Context) -> usize {
        let count = (self.pieces.len() - self.kept) as u32;
        self.kept + ctx.rng.below(count) as usize
    }

    /// A step that is as it should be; nothing if luck does not find one.
    fn find(&self, ctx: &mut Context, fits: impl Fn(&Step) -> bool) -> Option<usize> {
        if self.pieces.len() == self.kept {
            return None;
        }
        let from = self.place(ctx);
        let around = (from..self.pieces.len()).chain(self.kept..from);
        let fit = |i: &usize| matches!(&self.pieces[*i], Piece::Step(step) if fits(step));
        around.into_iter().find(fit)
    }

    fn step(&mut self, at: Option<usize>) -> Option<&mut Step> {
        match self.pieces.get_mut(at?) {
            Some(Piece::Step(step)) => Some(step),
            _ => None,
        }
    }

    /// A value at an edge, or near the one that was there.
    fn value(ctx: &mut Context, boot: &Boot, old: u32) -> u32 {
        let machine = &ctx.machine;
        let edges = [
            0,
            u32::MAX,
            boot.kernel_address,
            boot.kernel_address.wrapping_sub(1),
            machine.switcher,
            machine.switcher.wrapping_sub(1),
            machine.pages << 12,
            (machine.pages << 12).wrapping_sub(4),
            machine.device_limit() << 12,
        ];
        let rng = &mut ctx.rng;
        match rng.below(8) {
            0..3 => old ^ 1 << rng.below(32),
            3 => old ^ 1 << rng.below(12),
            4 | 5 => old.wrapping_add(rng.pick(&[1, 4, 0x1000, 0x40_0000, u32::MAX, 0xffff_f000])),
            6 => rng.pick(&edges),
            _ => rng.word(),
        }
    }

    /// Another argument, or another entry in the guest's tables.
    fn change(&mut self, ctx: &mut Context, boot: &Boot) {
        let calls = ctx.rng.percent(80);
        let at = self.find(ctx, |step| enters(step) == calls && step.verb != Verb::Run);
        let pae = ctx.paging.pae;
        let Some(Step { verb, args, .. }) = self.step(at) else {
            return;
        };
        let used = match (*verb, args[0]) {
            (Verb::Hypercall, call::SET_PTE) => 1..if pae { 5 } else { 4 },
            (Verb::Hypercall, call::SET_STACK) => 1..4,
            (Verb::Hypercall, call::SET_PGD | call::SET_PMD) => 1..3,
            (Verb::Hypercall, _) => 1..2,
            (Verb::DemandPage, _) => 0..2,
            (Verb::Write, _) => 1..if pae { 3 } else { 2 },
            _ => 0..1,
        };
        let which = ctx.rng.range(used.start, used.end - 1) as usize;
        args[which] = match (*verb, which) {
            (Verb::DemandPage, 1) => ctx.rng.below(8),
            _ => Self::value(ctx, boot, args[which]),
        };
    }

    fn drop(&mut self, ctx: &mut Context) {
        let calls = ctx.rng.percent(75);
        if let Some(at) = self.find(ctx, |step| enters(step) == calls) {
            self.pieces.remove(at);
        }
    }

    /// Hostile steps, or one call that is near what the guest said.
    fn hostile(&mut self, ctx: &mut Context, boot: &Boot) {
        if self.pieces.len() == self.kept {
            return;
        }
        let at = self.place(ctx);
        let piece = match ctx.rng.below(4) {
            0 | 1 => Piece::Hostile(ctx.rng.range(1, 3)),
            2 => {
                let fits = |step: &Step| step.verb == Verb::Hypercall;
                let near = self.find(ctx, fits);
                let Some(mut step) = self.step(near).copied() else {
                    return;
                };
                let which = ctx.rng.range(1, 3) as usize;
                step.args[which] = Self::value(ctx, boot, step.args[which]);
                Piece::Step(step)
            }
            _ => {
                let gpgdir = boot.live_at(self.from).gpgdirs[2];
                let entries = ctx.paging.top_entries();
                let top = ctx.rng.below(entries);
                let index = ctx
                    .rng
                    .pick(&[0, top, top, entries - 1, entries, entries + 1]);
                let mut number = call::SET_PGD;
                if ctx.paging.pae && ctx.rng.one_in(3) {
                    number = call::SET_PMD;
                }
                Piece::Step(hypercall(number, gpgdir, index, 0))
            }
        };
        self.pieces.insert(at, piece);
    }

    /// A switch comes sooner or later; one more if there is none.
    fn move_switch(&mut self, ctx: &mut Context) {
        let step = match self.find(ctx, switches) {
            Some(at) => self.pieces.remove(at),
            None => {
                let old = Boot::of(self.pae).live_at(self.from).gpgdirs;
                Piece::Step(hypercall(call::NEW_PGTABLE, ctx.rng.pick(&old), 0, 0))
            }
        };
        if self.pieces.len() > self.kept {
            let at = self.place(ctx);
            self.pieces.insert(at, step);
        }
    }

    /// An allocation, a pin or a copy fails, or a slot is drawn.
    fn fail(&mut self, ctx: &mut Context) {
        let at = self.find(ctx, enters);
        let Some(step) = self.step(at) else { return };
        if ctx.rng.one_in(3) {
            step.quals.draw = Some(ctx.rng.below(4) as u8);
        } else {
            step.quals = Plan::failure(&mut ctx.rng);
        }
    }

    /// From some place on, another stretch, with its part of the tables.
    fn splice(&mut self, ctx: &mut Context, boot: &'static Boot) {
        if self.pieces.len() == self.kept {
            return;
        }
        let at = self.place(ctx);
        self.pieces.truncate(at);
        let (from, to) = self.cut(ctx, boot);
        let begins = self.pieces.len();
        self.begin(ctx.paging, boot, from, to, true);
        if ctx.rng.one_in(4) {
            // With nothing of its own tables.
            self.pieces.truncate(begins);
        }
        self.copy(ctx, boot, from, to);
    }

    fn repeat(&mut self, ctx: &mut Context) {
        if let Some(at) = self.find(ctx, enters) {
            let piece = self.pieces[at];
            let to = self.place(ctx);
            self.pieces.insert(to, piece);
        }
    }
}
