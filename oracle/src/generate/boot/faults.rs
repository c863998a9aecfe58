// SPDX-License-Identifier: GPL-2.0-or-later
//! Processes touch their memory, and the guest kernel handles the faults that are its own.

use lguest_engine::Verb;

use super::super::context::Context;
use super::{Kernel, Kind, Mapped, WINDOW};

impl Kernel {
    /// A page that the current process has: process, region, index.
    pub(super) fn some_page(&self, ctx: &mut Context) -> Option<(usize, usize, usize)> {
        let process = self.current?;
        let dice = ctx.rng.word();
        // A product, not a remainder: a division costs more than the rest of the choice.
        let region = ((dice & 0xff) as usize * self.region_count) >> 8;
        let there = self.processes[process].regions[region].there;
        let from = dice >> 8;
        // The first page that is there, from one that the dice chose.
        let i = there.rotate_right(from).trailing_zeros() + from;
        (there != 0).then_some((process, region, i as usize % WINDOW))
    }

    /// An access that the tables allow.
    pub(super) fn visit(&self, ctx: &mut Context, region: usize, i: usize, kind: Kind) {
        let dice = ctx.rng.word();
        let vaddr = self.vaddr(region, i) | (dice & 0xffc);
        // The kernel copies from and to processes, too.
        let user = dice >> 12 & 7 != 0;
        // Half of what may be written is; nobody could foresee which, so it is not a branch.
        let write = u32::from(kind == Kind::Own) & (dice >> 16);
        let value = ctx.rng.word() & 0u32.wrapping_sub(write);
        ctx.verb(Verb::Access, [vaddr, u32::from(user) << 1 | write, value]);
    }

    /// The process uses its memory.
    pub(super) fn touch(&mut self, ctx: &mut Context) {
        for _ in 0..ctx.rng.range(1, 3) {
            match self.some_page(ctx) {
                Some((process, region, i)) => {
                    let kind = self.processes[process].regions[region].pages[i].kind;
                    self.visit(ctx, region, i, kind);
                }
                None => return self.new_page(ctx),
            }
        }
    }

    /// The fault goes to the guest: the launcher puts a frame on its stack, and the handler runs.
    fn handler(&mut self, ctx: &mut Context) {
        let top = self.stack_top(self.current);
        ctx.verb(Verb::GuestPa, [top - 8, 0, 0]);
        if ctx.rng.one_in(2) {
            ctx.store(top - 64, false);
        }
        if ctx.rng.one_in(3) {
            self.kernel_touch(ctx);
        }
    }

    /// A new page is put under an address of the current process.
    fn install(&mut self, ctx: &mut Context, at: (usize, usize, usize), mapped: Mapped) {
        let (process, region, i) = at;
        for _ in 0..ctx.rng.pick(&[0, 0, 1, 1]) {
            let (pgd, vaddr) = (self.processes[process].pgd, self.vaddr(region, i));
            ctx.set_pte(pgd, vaddr, 0);
        }
        self.processes[process].regions[region].put(i, mapped);
        let pte = u64::from(mapped.page) << 12 | Self::user_flags(ctx, mapped.kind);
        self.tell(ctx, process, region, i, pte);
        self.visit(ctx, region, i, mapped.kind);
    }

    /// A place where the current process has nothing.
    fn empty_place(&self, ctx: &mut Context) -> Option<(usize, usize, usize)> {
        let process = self.current?;
        let region = ctx.rng.below(self.region_count as u32) as usize;
        let from = ctx.rng.below(WINDOW as u32) as usize;
        let there = self.processes[process].regions[region].there;
        let i = from + (!there >> from).trailing_zeros() as usize;
        (i < WINDOW).then_some((process, region, i))
    }

    /// First use of anonymous memory.
    pub(super) fn new_page(&mut self, ctx: &mut Context) {
        let Some(at) = self.empty_place(ctx) else {
            return self.kernel_touch(ctx);
        };
        let (process, region, i) = at;
        let Some(page) = self.memory.data(&mut ctx.rng) else {
            return self.unmap(ctx);
        };
        ctx.store(self.vaddr(region, i), true);
        self.handler(ctx);
        if !self.need_table(ctx, process, region) {
            return self.memory.put(page);
        }
        self.install(
            ctx,
            at,
            Mapped {
                page,
                kind: Kind::Own,
            },
        );
    }

    /// First use of a page of a file.
    pub(super) fn file_page(&mut self, ctx: &mut Context) {
        let Some(at) = self.empty_place(ctx) else {
            return;
        };
        let (process, region, i) = at;
        let Some(page) = self.memory.file(&mut ctx.rng) else {
            return;
        };
        ctx.read(self.vaddr(region, i), true);
        self.handler(ctx);
        if !self.need_table(ctx, process, region) {
            return self.memory.put(page);
        }
        self.install(
            ctx,
            at,
            Mapped {
                page,
                kind: Kind::File,
            },
        );
    }

    /// A write to a page that is to be copied; to one of a file, it is the end of the process.
    pub(super) fn copy_on_write(&mut self, ctx: &mut Context) {
        let Some((process, region, i)) = self.some_page(ctx) else {
            return self.new_page(ctx);
        };
        let Mapped { page, kind } = self.processes[process].regions[region].pages[i];
        let vaddr = self.vaddr(region, i);
        if kind == Kind::Own {
            return self.visit(ctx, region, i, kind);
        }
        ctx.store(vaddr, true);
        self.handler(ctx);
        if kind == Kind::File {
            return;
        }
        let page = if self.memory.shared(page) {
            let Some(copy) = self.memory.data(&mut ctx.rng) else {
                return;
            };
            self.memory.put(page);
            copy
        } else {
            page
        };
        self.install(
            ctx,
            (process, region, i),
            Mapped {
                page,
                kind: Kind::Own,
            },
        );
    }

    /// A fault that another processor, or the past, has already seen to.
    pub(super) fn spurious(&mut self, ctx: &mut Context) {
        let Some((process, region, i)) = self.some_page(ctx) else {
            return;
        };
        let kind = self.processes[process].regions[region].pages[i].kind;
        let write = if kind == Kind::Own {
            ctx.rng.below(2) << 1
        } else {
            0
        };
        let errcode = write | ctx.rng.pick(&[4, 5, 0, 1]);
        ctx.verb(Verb::DemandPage, [self.vaddr(region, i), errcode, 0]);
    }
}
