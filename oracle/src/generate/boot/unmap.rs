// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest kernel takes mappings away, or rights from them: munmap, mprotect, ageing.

use lguest_engine::Verb;

use super::super::context::Context;
use super::super::paging::{A, call};
use super::{Kernel, Kind, Mapped, WINDOW};

impl Kernel {
    /// Takes page `i` of a region away.
    fn drop_page(&mut self, ctx: &mut Context, process: usize, region: usize, i: usize) {
        let Mapped { page, kind } = self.processes[process].regions[region].pages[i];
        if kind == Kind::None {
            return;
        }
        self.processes[process].regions[region].put(i, Mapped::default());
        self.memory.put(page);
        self.tell(ctx, process, region, i, 0);
    }

    /// Takes a whole region away, and its tables.
    pub(super) fn drop_region(&mut self, ctx: &mut Context, process: usize, region: usize) {
        let table = self.processes[process].regions[region].table;
        if table == 0 {
            return;
        }
        for i in 0..WINDOW {
            self.drop_page(ctx, process, region, i);
        }
        let paging = ctx.paging;
        let vaddr = self.regions[region];
        let pgd = self.processes[process].pgd;
        if paging.pae {
            let middle = self.processes[process].middles[paging.top(vaddr) as usize];
            let at = paging.middle_at(middle.into(), vaddr);
            ctx.write_entry(at, 0);
            if ctx.rng.one_in(3) {
                ctx.call([call::SET_PMD, at & !0xfff, at >> 3 & 511, 0, 0]);
            }
        } else {
            ctx.write_entry(paging.top_at(pgd, vaddr), 0);
            ctx.call([call::SET_PGD, pgd, paging.top(vaddr), 0, 0]);
        }
        self.processes[process].regions[region].table = 0;
        self.memory.put_table(table);
    }

    /// A few neighbouring pages go.
    pub(super) fn unmap(&mut self, ctx: &mut Context) {
        let Some((process, region, first)) = self.some_page(ctx) else {
            return;
        };
        let count = ctx.rng.range(1, 4) as usize;
        for i in first..(first + count).min(WINDOW) {
            self.drop_page(ctx, process, region, i);
        }
        if ctx.rng.one_in(3) {
            ctx.call([call::FLUSH_TLB, 0, 0, 0, 0]);
        }
    }

    // Not in `act`: nothing is to be saved before its jump.
    #[cold]
    pub(super) fn unmap_region(&mut self, ctx: &mut Context) {
        let Some(process) = self.current else { return };
        let region = ctx.rng.below(self.region_count as u32) as usize;
        self.drop_region(ctx, process, region);
    }

    /// A page becomes read-only, or its own again.
    pub(super) fn protect(&mut self, ctx: &mut Context) {
        let Some((process, region, i)) = self.some_page(ctx) else {
            return;
        };
        let Mapped { page, kind } = self.processes[process].regions[region].pages[i];
        let to = match kind {
            Kind::Own => Kind::Copied,
            Kind::Copied if !self.memory.shared(page) => Kind::Own,
            kind => kind,
        };
        self.processes[process].regions[region].pages[i].kind = to;
        let pte = u64::from(page) << 12 | Self::user_flags(ctx, to);
        if ctx.rng.one_in(4) {
            // The entry is emptied while it changes, as Linux does where several processors may look at it.
            self.tell(ctx, process, region, i, 0);
        }
        self.tell(ctx, process, region, i, pte);
    }

    /// The kernel wants to know whether a page is still in use.
    pub(super) fn age(&mut self, ctx: &mut Context) {
        let Some((process, region, i)) = self.some_page(ctx) else {
            return;
        };
        let Mapped { page, kind } = self.processes[process].regions[region].pages[i];
        let pte = u64::from(page) << 12 | Self::user_flags(ctx, kind) & !A;
        self.tell(ctx, process, region, i, pte);
        self.visit(ctx, region, i, kind);
    }

    /// Calls of other sorts, and some in the ring.
    pub(super) fn asynchronous(&mut self, ctx: &mut Context) {
        for _ in 0..ctx.rng.range(1, 6) {
            let args = match (ctx.rng.below(4), self.some_page(ctx)) {
                (0..3, Some((process, region, i))) => {
                    let Mapped { page, kind } = self.processes[process].regions[region].pages[i];
                    let pte = if ctx.rng.one_in(3) {
                        0
                    } else {
                        u64::from(page) << 12 | Self::user_flags(ctx, kind)
                    };
                    if pte != 0 {
                        let (pgd, table) =
                            (self.pgd(), self.processes[process].regions[region].table);
                        self.write_pte(ctx, pgd, self.vaddr(region, i), table, pte);
                    }
                    [
                        call::SET_PTE,
                        self.pgd(),
                        self.vaddr(region, i),
                        pte as u32,
                        (pte >> 32) as u32,
                    ]
                }
                (3, _) => [
                    call::SET_STACK,
                    self.segment,
                    self.stack_top(self.current),
                    self.stack_pages,
                    0,
                ],
                _ => [
                    ctx.rng.pick(&call::IDLE),
                    ctx.rng.word(),
                    ctx.rng.below(8),
                    0,
                    0,
                ],
            };
            ctx.push(Verb::Async, args);
        }
        match ctx.rng.below(4) {
            0 => self.touch(ctx),
            1 => self.misc(ctx),
            _ => ctx.call([call::FLUSH_ASYNC, 0, 0, 0, 0]),
        }
    }
}
