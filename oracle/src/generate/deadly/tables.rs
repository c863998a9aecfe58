// SPDX-License-Identifier: GPL-2.0-or-later
//! Ends that come of tables and memory.

use lguest_engine::{Quals, Step, Verb};

use super::super::context::Context;
use super::super::paging::{A, D, P, PSE, RW, TABLE, US, call};
use super::{Scene, call, fault, good, last_table, map};

pub(super) fn read_fails(ctx: &mut Context, scene: &Scene) {
    match ctx.rng.below(4) {
        0 => {
            let limit = ctx.machine.pages << 12;
            let gpgdir =
                limit.wrapping_add(ctx.rng.pick(&[0, 4, 0xffff_fffc, 0x1000, 0x8000_0000]));
            call(ctx, [call::NEW_PGTABLE, gpgdir, 0, 0, 0], Quals::NONE);
            fault(ctx, scene, 4, Quals::NONE);
        }
        1 => {
            map(ctx, scene, good(scene));
            let fail_copy = ctx.rng.range(1, 2) as u8;
            fault(
                ctx,
                scene,
                4,
                Quals {
                    fail_copy,
                    ..Quals::NONE
                },
            );
        }
        2 => {
            map(ctx, scene, good(scene));
            let page = last_table(ctx, scene);
            ctx.verb(Verb::Unmap, [page, 0, 0]);
            fault(ctx, scene, 6, Quals::NONE);
        }
        _ => {
            let vaddr = scene.vaddr;
            ctx.say(Step {
                verb: Verb::GuestPa,
                args: [vaddr, 0, 0, 0, 0],
                quals: Quals {
                    fail_copy: 1,
                    ..Quals::NONE
                },
            });
        }
    }
}

pub(super) fn write_fails(ctx: &mut Context, scene: &Scene) {
    map(ctx, scene, good(scene));
    if ctx.rng.one_in(2) {
        let fail_copy = if ctx.paging.pae { 4 } else { 3 };
        fault(
            ctx,
            scene,
            6,
            Quals {
                fail_copy,
                ..Quals::NONE
            },
        );
    } else {
        let page = last_table(ctx, scene);
        ctx.verb(Verb::Protect, [page, 0, 0]);
        fault(ctx, scene, 4, Quals::NONE);
    }
}

pub(super) fn pin_fails(ctx: &mut Context, scene: &Scene) {
    map(ctx, scene, good(scene));
    match ctx.rng.below(4) {
        0 => fault(
            ctx,
            scene,
            4,
            Quals {
                fail_pin: 1,
                ..Quals::NONE
            },
        ),
        1 => {
            ctx.verb(Verb::Unmap, [scene.page, 0, 0]);
            fault(ctx, scene, 4, Quals::NONE);
        }
        2 => {
            fault(ctx, scene, 4, Quals::NONE);
            ctx.verb(Verb::Protect, [scene.page, 0, 0]);
            ctx.set_pte(scene.gpgdir, scene.vaddr, good(scene) | D);
        }
        _ => {
            ctx.verb(Verb::Protect, [scene.page, 0, 0]);
            fault(ctx, scene, 6, Quals::NONE);
        }
    }
}

pub(super) fn bad_pte(ctx: &mut Context, scene: &Scene) {
    let pte = if ctx.rng.one_in(2) {
        good(scene) | PSE
    } else {
        u64::from(ctx.machine.device_limit()) << 12 | P | RW | US
    };
    if ctx.rng.one_in(2) {
        map(ctx, scene, pte);
        fault(ctx, scene, 4, Quals::NONE);
    } else {
        map(ctx, scene, good(scene));
        fault(ctx, scene, 4, Quals::NONE);
        let touched = ctx.rng.pick(&[A, D]);
        ctx.set_pte(scene.gpgdir, scene.vaddr, pte | touched);
    }
}

/// An upper-level entry that the host refuses.
fn bad_table(ctx: &mut Context, scene: &Scene, allowed: u64) -> u64 {
    if ctx.rng.one_in(2) {
        let bad = ctx.rng.pick(&[PSE, 0x100, 8, 0x10, 0x200, 0x800]);
        u64::from(scene.tables) << 12 | allowed | bad
    } else {
        u64::from(ctx.machine.pages) << 12 | allowed
    }
}

pub(super) fn bad_pgd(ctx: &mut Context, scene: &Scene) {
    let entry = bad_table(ctx, scene, ctx.paging.top_flags());
    ctx.write_entry(ctx.paging.top_at(scene.gpgdir, scene.vaddr), entry);
    fault(ctx, scene, 4, Quals::NONE);
}

pub(super) fn bad_pmd(ctx: &mut Context, scene: &Scene) {
    let paging = ctx.paging;
    ctx.write_entry(
        paging.top_at(scene.gpgdir, scene.vaddr),
        u64::from(scene.tables) << 12 | P,
    );
    let nx = u64::from(ctx.rng.one_in(4)) << 63;
    let entry = bad_table(ctx, scene, TABLE) | nx;
    ctx.write_entry(paging.middle_at(scene.tables, scene.vaddr), entry);
    fault(ctx, scene, 4, Quals::NONE);
}

pub(super) fn no_pte_page(ctx: &mut Context, scene: &Scene) {
    let quals = Quals {
        fail_alloc: 1,
        ..Quals::NONE
    };
    if ctx.rng.one_in(2) {
        return call(ctx, [call::FLUSH_TLB, 1, 0, 0, 0], quals);
    }
    map(ctx, scene, good(scene));
    call(ctx, [call::FLUSH_TLB, 0, 0, 0, 0], Quals::NONE);
    fault(ctx, scene, 4, quals);
}

pub(super) fn no_pmd_page(ctx: &mut Context, scene: &Scene) {
    let quals = Quals {
        fail_alloc: 2,
        ..Quals::NONE
    };
    if ctx.rng.one_in(2) {
        return call(ctx, [call::FLUSH_TLB, 1, 0, 0, 0], quals);
    }
    map(ctx, scene, good(scene));
    call(ctx, [call::FLUSH_TLB, 0, 0, 0, 0], Quals::NONE);
    fault(ctx, scene, 4, quals);
}
