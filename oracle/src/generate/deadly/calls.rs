// SPDX-License-Identifier: GPL-2.0-or-later
//! Ends that come of calls: bad arguments, the ring, and the guest's own wish.

use lguest_engine::{During, Event, Quals, Step, Verb};

use super::super::context::Context;
use super::super::paging::{A, D, call};
use super::{Scene, call, good};

pub(super) fn bad_stack_page(ctx: &mut Context, scene: &Scene) {
    let vaddr = match ctx.rng.below(4) {
        0 => ctx
            .machine
            .switcher
            .wrapping_add(ctx.rng.pick(&[1, 0x1000])),
        1 => 0,
        _ => scene.vaddr | 0x800,
    };
    let pages = ctx.rng.range(1, 2);
    call(ctx, [call::SET_STACK, 1, vaddr, pages, 0], Quals::NONE);
}

pub(super) fn bad_stack_segment(ctx: &mut Context, scene: &Scene) {
    let segment = ctx
        .rng
        .pick(&[0, 2, 3, 0x68, 0x7b, 0xffff_fffc, 0x8000_0002]);
    let pages = ctx.rng.below(3);
    call(
        ctx,
        [call::SET_STACK, segment, scene.vaddr, pages, 0],
        Quals::NONE,
    );
}

pub(super) fn bad_stack_pages(ctx: &mut Context, scene: &Scene) {
    let pages = ctx.rng.pick(&[3, 3, 4, 16, 64, 65, u32::MAX]);
    call(
        ctx,
        [call::SET_STACK, 0x69, scene.vaddr, pages, 0],
        Quals::NONE,
    );
}

pub(super) fn bad_address(ctx: &mut Context, scene: &Scene) {
    let vaddr = scene.vaddr | ctx.rng.below(4096);
    ctx.verb(Verb::GuestPa, [vaddr, 0, 0]);
}

pub(super) fn switcher_pte(ctx: &mut Context, scene: &Scene) {
    let vaddr = ctx
        .machine
        .switcher
        .wrapping_add(ctx.rng.pick(&[0, 0x1000, 0x2000, 0xfff]));
    let pte = ctx.rng.pick(&[0, good(scene), good(scene) | A | D]);
    ctx.set_pte(scene.gpgdir, vaddr, pte);
}

pub(super) fn far_pgd(ctx: &mut Context, scene: &Scene) {
    let index = ctx.paging.top_entries() + ctx.rng.pick(&[1, 1, 2, 0x7fff_0000]);
    call(ctx, [call::SET_PGD, scene.gpgdir, index, 0, 0], Quals::NONE);
}

pub(super) fn bad_call(ctx: &mut Context, _: &Scene) {
    let number = match ctx.rng.below(3) {
        0 if !ctx.paging.pae => call::SET_PMD,
        1 => ctx.rng.word() | 0x20,
        _ => ctx.rng.pick(&[3, 11, 12, 17, 20, u32::MAX]),
    };
    if ctx.rng.one_in(4) {
        ctx.say(Step::new(Verb::Async, [number, 1, 2, 3, 4]));
        call(ctx, [call::FLUSH_ASYNC, 0, 0, 0, 0], Quals::NONE);
    } else {
        call(ctx, [number, 1, 2, 3, 4], Quals::NONE);
    }
}

pub(super) fn second_init(ctx: &mut Context, scene: &Scene) {
    call(ctx, [call::LGUEST_INIT, scene.data, 0, 0, 0], Quals::NONE);
}

/// The ring has something to do, and doing it fails from copy `n` on or by the host's hand.
fn ring(ctx: &mut Context, scene: &Scene, fail_copy: u8, event: Event) {
    ctx.say(Step::new(Verb::Async, [call::TS, 1, 0, 0, 0]));
    let quals = if ctx.rng.one_in(2) {
        Quals {
            fail_copy,
            ..Quals::NONE
        }
    } else {
        Quals {
            during: Some(During {
                call: fail_copy,
                event,
            }),
            ..Quals::NONE
        }
    };
    // A device may have written there in the meantime, and the page be gone.
    let number = if scene.data >> 12 < ctx.machine.backed() {
        call::FLUSH_ASYNC
    } else {
        call::TS
    };
    call(ctx, [number, 0, 0, 0, 0], quals);
}

fn data_page(ctx: &Context, scene: &Scene) -> u32 {
    (scene.data >> 12).min(ctx.machine.backed() - 1)
}

pub(super) fn fetching_fails(ctx: &mut Context, scene: &Scene) {
    ring(ctx, scene, 2, Event::Unmap(data_page(ctx, scene)));
}

pub(super) fn writing_fails(ctx: &mut Context, scene: &Scene) {
    ring(ctx, scene, 3, Event::Protect(data_page(ctx, scene)));
}

fn shut_down(ctx: &mut Context, scene: &Scene, how: u32) {
    let at = if ctx.rng.one_in(8) {
        ctx.rng.word()
    } else {
        (scene.page << 12) + ctx.rng.below(64)
    };
    // Now and then the text fills the host's buffer to the last byte.
    let longest = ctx.rng.one_in(4);
    for i in 0..if longest { 17 } else { ctx.rng.range(1, 3) } {
        let (low, high) = (
            if longest {
                *b"long"
            } else {
                ctx.rng.pick(&[*b"Oops", *b"Kern", *b"\xff\0no"])
            },
            if longest {
                *b" %d!"
            } else {
                ctx.rng.pick(&[*b": no", *b" %s\n", *b"bye\0"])
            },
        );
        let args = [
            at.wrapping_add(i * 8),
            u32::from_le_bytes(low),
            u32::from_le_bytes(high),
            8,
            0,
        ];
        ctx.push(Verb::Write, args);
    }
    call(ctx, [call::SHUTDOWN, at, how, 0, 0], Quals::NONE);
}

pub(super) fn crash(ctx: &mut Context, scene: &Scene) {
    let how = ctx.rng.pick(&[0, 1, 1, 3]);
    shut_down(ctx, scene, how);
}

pub(super) fn restart(ctx: &mut Context, scene: &Scene) {
    shut_down(ctx, scene, 2);
}

pub(super) fn no_message(ctx: &mut Context, scene: &Scene) {
    let args = ctx.rng.pick(&[
        [call::SET_STACK, 0, 0, 0, 0],
        [call::LGUEST_INIT, scene.data, 0, 0, 0],
        [call::SET_PGD, scene.gpgdir, 5000, 0, 0],
        [99, 0, 0, 0, 0],
    ]);
    call(
        ctx,
        args,
        Quals {
            fail_message: true,
            ..Quals::NONE
        },
    );
}

/// The first index that is too high.
pub(super) fn slot_behind(ctx: &mut Context, scene: &Scene) {
    let index = ctx.paging.top_entries() - 1 + ctx.rng.below(2);
    call(ctx, [call::SET_PGD, scene.gpgdir, index, 0, 0], Quals::NONE);
}
