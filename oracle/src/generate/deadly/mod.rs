// SPDX-License-Identifier: GPL-2.0-or-later
//! Deadly acts: for each way in which a guest can come to its end, a few steps that bring it about.

mod birth;
mod calls;
mod tables;

use lguest_engine::{Quals, Side, Step, Verb};

use super::context::Context;
use super::paging::{P, RW, TABLE, US};
use super::view::{View, Walk};

pub(super) use birth::stillborn;

type Act = fn(&mut Context, &Scene);

/// What deadly acts need to know of the world.
struct Scene {
    /// The page directory in use.
    gpgdir: u32,
    /// An address that the guest's tables do not map, in the user's half.
    vaddr: u32,
    /// Guest-physical address of its `lguest_data`.
    data: u32,
    /// Two pages for tables.
    tables: u32,
    /// A page for memory.
    page: u32,
}

const ACTS: [Act; 22] = [
    tables::read_fails,
    tables::write_fails,
    tables::pin_fails,
    tables::bad_pte,
    tables::bad_pgd,
    tables::bad_pmd,
    tables::no_pte_page,
    tables::no_pmd_page,
    calls::bad_stack_page,
    calls::bad_stack_segment,
    calls::bad_stack_pages,
    calls::bad_address,
    calls::switcher_pte,
    calls::far_pgd,
    calls::bad_call,
    calls::second_init,
    calls::fetching_fails,
    calls::writing_fails,
    calls::crash,
    calls::restart,
    calls::no_message,
    calls::slot_behind,
];

/// Says one deadly act of a guest that has its own tables.
pub(super) fn act<S: Side>(ctx: &mut Context, view: &View<'_, S>) {
    let scene = scene(ctx, view);
    let pae = ctx.paging.pae;
    let act = loop {
        let i = ctx.rng.below(ACTS.len() as u32) as usize;
        // Two texts are PAE's alone.
        if pae || (i != 5 && i != 7) {
            break ACTS[i];
        }
    };
    act(ctx, &scene);
}

fn scene<S: Side>(ctx: &mut Context, view: &View<'_, S>) -> Scene {
    let gpgdir = view.gpgdir();
    let paging = ctx.paging;
    let top = paging
        .top(view.state().kernel_address)
        .clamp(1, paging.top_entries() - 1);
    let mut vaddr = 0;
    for _ in 0..8 {
        let slot = ctx.rng.below(top) << paging.top_shift();
        let inside = ctx.rng.below(1 << paging.top_shift()) & !0xfff;
        vaddr = slot | inside;
        if vaddr < ctx.machine.switcher && view.walk(gpgdir, vaddr) == Walk::Absent {
            break;
        }
    }
    let mut page = || {
        let mut page = 1;
        for _ in 0..8 {
            page = ctx.rng.range(1, ctx.machine.backed() - 2);
            if ctx.launcher.allows(page.into(), true)
                && ctx.launcher.allows(u64::from(page) + 1, true)
            {
                break;
            }
        }
        page
    };
    let (tables, page) = (page(), page());
    Scene {
        gpgdir,
        vaddr,
        data: view.lguest_data(),
        tables,
        page,
    }
}

fn call(ctx: &mut Context, args: [u32; 5], quals: Quals) {
    ctx.say(Step {
        verb: Verb::Hypercall,
        args,
        quals,
    });
}

fn fault(ctx: &mut Context, scene: &Scene, errcode: u32, quals: Quals) {
    let args = [scene.vaddr | ctx.rng.below(4096), errcode, 0, 0, 0];
    ctx.say(Step {
        verb: Verb::DemandPage,
        args,
        quals,
    });
}

/// Whole new tables for the address, so that nothing there is in the way.
fn map(ctx: &mut Context, scene: &Scene, pte: u64) {
    let paging = ctx.paging;
    let mut table = scene.tables;
    if paging.pae {
        ctx.write_entry(
            paging.top_at(scene.gpgdir, scene.vaddr),
            u64::from(table) << 12 | P,
        );
        let middle = paging.middle_at(table, scene.vaddr);
        table += 1;
        ctx.write_entry(middle, u64::from(table) << 12 | TABLE);
    } else {
        ctx.write_entry(
            paging.top_at(scene.gpgdir, scene.vaddr),
            u64::from(table) << 12 | TABLE,
        );
    }
    ctx.write_entry(paging.last_at(table, scene.vaddr), pte);
}

fn good(scene: &Scene) -> u64 {
    u64::from(scene.page) << 12 | P | RW | US
}

/// The lowest-level table that `map` uses.
fn last_table(ctx: &Context, scene: &Scene) -> u32 {
    scene.tables + u32::from(ctx.paging.pae)
}
