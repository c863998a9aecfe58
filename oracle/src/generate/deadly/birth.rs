// SPDX-License-Identifier: GPL-2.0-or-later
//! Ends that come at the start, before the guest has tables of its own.

use lguest_engine::{Quals, Step, Verb};

use super::super::context::Context;
use super::super::paging::call;

/// Says a start that fails.
pub(in super::super) fn stillborn(ctx: &mut Context) {
    ctx.run();
    let page = ctx.rng.range(1, ctx.machine.backed() - 2);
    let data = page << 12;
    let kernel = 0xc000_0000u32.min(ctx.machine.switcher - 1);
    match ctx.rng.below(8) {
        0 => {
            let number = ctx
                .rng
                .pick(&[0, 2, 4, 5, 7, 10, 13, 14, 15, 19, 99, u32::MAX]);
            ctx.say(Step::new(Verb::Hypercall, [number, data, 0, 0, 0]));
        }
        1 => {
            let limit = ctx.machine.pages << 12;
            let near = [
                limit,
                limit.wrapping_sub(1387),
                limit.wrapping_sub(4),
                0xffff_f000,
                u32::MAX,
            ];
            let at = ctx.rng.pick(&near);
            init(ctx, at, Quals::NONE);
        }
        2 => {
            ctx.verb(Verb::BootData, [data, kernel, 0]);
            let fail_copy = ctx.rng.pick(&[1, 2, 4, 5]);
            init(
                ctx,
                data,
                Quals {
                    fail_copy,
                    ..Quals::NONE
                },
            );
        }
        3 => {
            let kernel = ctx
                .machine
                .switcher
                .wrapping_add(ctx.rng.pick(&[0, 0, 1, 0x1000]))
                .max(ctx.machine.switcher);
            ctx.verb(Verb::BootData, [data, kernel, 0]);
            init(ctx, data, Quals::NONE);
        }
        4 => {
            ctx.verb(Verb::BootData, [data, kernel, 0]);
            init(
                ctx,
                data,
                Quals {
                    fail_copy: 3,
                    ..Quals::NONE
                },
            );
        }
        5 => {
            // The time stands on the first page, the rest that is written on the second.
            let across = data + 0x1000 - 0x200;
            ctx.verb(Verb::BootData, [across, kernel, 0]);
            ctx.verb(Verb::Protect, [page, 0, 0]);
            init(ctx, across, Quals::NONE);
        }
        6 => {
            let page = if ctx.rng.one_in(2) {
                ctx.machine.device_limit()
            } else {
                ctx.machine.pages
            };
            let vaddr = (page << 12).wrapping_add(ctx.rng.below(4096));
            let errcode = ctx.rng.below(8);
            ctx.verb(Verb::DemandPage, [vaddr, errcode, 0]);
        }
        _ => {
            // Not mapped for writing, so nothing of it can be.
            let hidden = if ctx.rng.one_in(2) {
                Verb::Protect
            } else {
                Verb::Unmap
            };
            ctx.verb(Verb::BootData, [data, kernel, 0]);
            ctx.verb(hidden, [page, 0, 0]);
            init(ctx, data, Quals::NONE);
        }
    }
}

fn init(ctx: &mut Context, at: u32, quals: Quals) {
    ctx.say(Step {
        verb: Verb::Hypercall,
        args: [call::LGUEST_INIT, at, 0, 0, 0],
        quals,
    });
}
