// SPDX-License-Identifier: GPL-2.0-or-later
//! Arguments of hostile hypercalls, and what happens in the middle of hostile steps.

use lguest_engine::{Event, Side};

use super::super::context::Context;
use super::super::paging::call;
use super::super::view::View;
use super::{Chaos, Sort};

impl Chaos {
    /// The arguments of a hypercall.
    pub(super) fn call<S: Side>(
        &self,
        ctx: &mut Context,
        view: &View<'_, S>,
        sort: Sort,
    ) -> [u32; 5] {
        let lean = &self.leanings;
        match sort {
            Sort::SetPte => {
                let (gpgdir, vaddr, pte) =
                    (lean.gpgdir(ctx, view), lean.vaddr(ctx, view), lean.pte(ctx));
                let high = if ctx.paging.pae || !ctx.rng.one_in(8) {
                    (pte >> 32) as u32
                } else {
                    ctx.rng.word()
                };
                [call::SET_PTE, gpgdir, vaddr, pte as u32, high]
            }
            Sort::SetPgd => [
                call::SET_PGD,
                lean.gpgdir(ctx, view),
                lean.index(ctx, view),
                0,
                0,
            ],
            Sort::SetPmd => [
                call::SET_PMD,
                lean.gpgdir(ctx, view),
                ctx.rng.below(513),
                0,
                0,
            ],
            Sort::NewPgtable => [call::NEW_PGTABLE, lean.gpgdir(ctx, view), 0, 0, 0],
            Sort::Flush => [
                call::FLUSH_TLB,
                ctx.rng.pick(&[0, 0, 1, 2, u32::MAX]),
                0,
                0,
                0,
            ],
            Sort::SetStack => {
                let segment =
                    ctx.rng
                        .pick(&[0x69, 0x69, 1, 0x79, 0xffff_fffd, 0x68, 0x6b, u32::MAX]);
                let pages = ctx.rng.pick(&[0, 1, 1, 2, 2, 2, 2, 3, 4, 64, 65]);
                let esp = match ctx.rng.below(4) {
                    0 => view.state().esp1.wrapping_add(ctx.rng.pick(&[
                        0,
                        4,
                        0xffff_fffc,
                        0x1000,
                        0xffff_f000,
                    ])),
                    _ => lean
                        .vaddr(ctx, view)
                        .wrapping_add(ctx.rng.pick(&[0, 1, 0x1000])),
                };
                [call::SET_STACK, segment, esp, pages, 0]
            }
            Sort::Odd => {
                let number = match ctx.rng.below(4) {
                    0 => ctx
                        .rng
                        .pick(&[call::LGUEST_INIT, call::SHUTDOWN, call::SET_PMD]),
                    1 => ctx.rng.below(32),
                    2 => ctx.rng.pick(&[20, 3, 11, 12, 17, u32::MAX, 0x8000_0000]),
                    _ => ctx.rng.word(),
                };
                [
                    number,
                    lean.spot(ctx, view),
                    ctx.rng.below(4),
                    ctx.rng.word(),
                    0,
                ]
            }
            _ => [
                ctx.rng.pick(&call::IDLE),
                ctx.rng.word(),
                ctx.rng.below(64),
                ctx.rng.word(),
                ctx.rng.below(2),
            ],
        }
    }

    /// Something that happens in the middle of a step.
    pub(super) fn event<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> Event {
        let lean = &self.leanings;
        match ctx.rng.below(16) {
            0 => Event::Unmap(lean.page(ctx, view)),
            1 => Event::Protect(lean.page(ctx, view)),
            2 | 3 => Event::Unprotect(lean.page(ctx, view)),
            4..7 => Event::Share(lean.page(ctx, view)),
            _ => {
                let gpa = lean.spot(ctx, view);
                let value = lean.pte(ctx);
                let width =
                    ctx.rng
                        .pick(&[ctx.paging.entry() as u8, ctx.paging.entry() as u8, 1, 4]);
                let value = if width == 8 {
                    value
                } else {
                    value & ((1 << (8 * width)) - 1)
                };
                Event::Write { gpa, value, width }
            }
        }
    }
}
