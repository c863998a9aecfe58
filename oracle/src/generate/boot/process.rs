// SPDX-License-Identifier: GPL-2.0-or-later
//! Processes of the guest kernel: fork, exit, and switching between them.

use lguest_engine::Verb;

use super::super::context::Context;
use super::super::paging::{A, D, NX, P, RW, TABLE, US, call};
use super::{Kernel, Kind, Mapped, PROCESSES, Process, WINDOW};

/// A bit that Linux keeps to itself.
const SPECIAL: u64 = 0x200;

impl Kernel {
    /// Tells the host of the current kernel stack.
    pub(super) fn set_stack(&mut self, ctx: &mut Context) {
        let args = [
            call::SET_STACK,
            self.segment,
            self.stack_top(self.current),
            self.stack_pages,
            0,
        ];
        if self.current.is_some() && ctx.rng.one_in(12) {
            ctx.push(Verb::Async, args);
            ctx.call([call::FLUSH_ASYNC, 0, 0, 0, 0]);
        } else {
            ctx.call(args);
        }
    }

    /// Goes on with `to`.
    pub(super) fn switch_to(&mut self, ctx: &mut Context, to: Option<usize>) {
        self.current = to;
        ctx.call([call::NEW_PGTABLE, self.pgd(), 0, 0, 0]);
        self.set_stack(ctx);
        match ctx.rng.below(8) {
            0 => ctx.run(),
            1 => ctx.call([call::LOAD_TLS, self.data + 0x600, 0, 0, 0]),
            _ => {}
        }
    }

    pub(super) fn switch(&mut self, ctx: &mut Context) {
        let from = ctx.rng.below(PROCESSES as u32) as usize;
        let mut candidates = (from..PROCESSES).chain(0..from);
        let next = candidates.find(|p| self.processes[*p].live && Some(*p) != self.current);
        if next.is_some() {
            self.switch_to(ctx, next);
        } else if self.current.is_some() && ctx.rng.one_in(4) {
            self.switch_to(ctx, None);
        }
    }

    /// A new process: the kernel half is copied, and so are the areas of the process that forks, on the next write.
    pub(super) fn fork(&mut self, ctx: &mut Context) {
        let most = PROCESSES.min(self.stacks as usize - 1);
        let Some(child) = self.processes[..most]
            .iter()
            .position(|process| !process.live)
        else {
            return;
        };
        let Some(page) = self.memory.table() else {
            return;
        };
        let paging = ctx.paging;
        let inside = if paging.pae {
            ctx.rng.below(127) * 32
        } else {
            0
        };
        let pgd = (u32::from(page) << 12) + inside;
        self.processes[child] = Process {
            live: true,
            pgd,
            ..Process::default()
        };
        for i in 0..self.top.len() {
            let (index, value) = self.top[i];
            ctx.write_entry(pgd + index * paging.entry(), value);
        }
        if let Some(parent) = self.current {
            for region in 0..self.region_count {
                self.copy_region(ctx, parent, child, region);
            }
            if ctx.rng.percent(80) {
                ctx.call([call::FLUSH_TLB, 0, 0, 0, 0]);
            }
        }
        if ctx.rng.percent(60) {
            self.switch_to(ctx, Some(child));
        }
    }

    fn copy_region(&mut self, ctx: &mut Context, parent: usize, child: usize, region: usize) {
        if self.processes[parent].regions[region].table == 0 || !self.need_table(ctx, child, region)
        {
            return;
        }
        for i in 0..WINDOW {
            let Mapped { page, kind } = self.processes[parent].regions[region].pages[i];
            if kind == Kind::None || (kind == Kind::File && ctx.rng.one_in(2)) {
                continue;
            }
            let kind = if kind == Kind::Own {
                Kind::Copied
            } else {
                kind
            };
            let dirty = if kind == Kind::Copied { D } else { 0 };
            let pte = u64::from(page) << 12 | P | US | A | dirty;
            if self.processes[parent].regions[region].pages[i].kind == Kind::Own {
                self.processes[parent].regions[region].pages[i].kind = kind;
                self.tell(ctx, parent, region, i, pte);
            }
            self.memory.get(page);
            self.processes[child].regions[region].put(i, Mapped { page, kind });
            let used = if ctx.rng.one_in(2) { A } else { 0 };
            self.tell(ctx, child, region, i, pte & !A | used);
        }
    }

    /// Writes an entry of a process and tells the host.
    pub(super) fn tell(
        &mut self,
        ctx: &mut Context,
        process: usize,
        region: usize,
        i: usize,
        pte: u64,
    ) {
        let Process { pgd, regions, .. } = &self.processes[process];
        let (pgd, table) = (*pgd, regions[region].table);
        let vaddr = self.vaddr(region, i);
        self.write_pte(ctx, pgd, vaddr, table, pte);
        ctx.set_pte(pgd, vaddr, pte);
    }

    /// Makes the tables for a region, if they are not there; false if there is no page for them.
    pub(super) fn need_table(&mut self, ctx: &mut Context, process: usize, region: usize) -> bool {
        let paging = ctx.paging;
        let vaddr = self.regions[region];
        // Borrowed: a copy of all regions would cost more than the rest.
        let of = &self.processes[process];
        if of.regions[region].table != 0 {
            return true;
        }
        let (pgd, middles) = (of.pgd, of.middles);
        let top = paging.top(vaddr);
        let mut at = paging.top_at(pgd, vaddr);
        if paging.pae {
            let mut middle = middles[top as usize];
            if middle == 0 {
                let Some(page) = self.memory.table() else {
                    return false;
                };
                middle = page;
                self.processes[process].middles[top as usize] = page;
                ctx.write_entry(at, u64::from(page) << 12 | P);
                ctx.call([call::SET_PGD, pgd, top, 0, 0]);
            }
            at = paging.middle_at(middle.into(), vaddr);
        }
        let Some(table) = self.memory.table() else {
            return false;
        };
        self.processes[process].regions[region].table = table;
        ctx.write_entry(at, u64::from(table) << 12 | TABLE);
        if !paging.pae {
            ctx.call([call::SET_PGD, pgd, top, 0, 0]);
        } else if ctx.rng.one_in(3) {
            ctx.call([call::SET_PMD, at & !0xfff, at >> 3 & 511, 0, 0]);
        }
        true
    }

    pub(super) fn exit(&mut self, ctx: &mut Context) {
        let victim = ctx.rng.below(PROCESSES as u32) as usize;
        // Most processes that could end go on, so that there are many.
        if !self.processes[victim].live || (self.live() < 6 && ctx.rng.percent(60)) {
            return;
        }
        if self.current == Some(victim) {
            self.switch(ctx);
            if self.current == Some(victim) {
                self.switch_to(ctx, None);
            }
        }
        for region in 0..self.region_count {
            self.drop_region(ctx, victim, region);
        }
        let Process { pgd, middles, .. } = self.processes[victim];
        for (top, middle) in middles
            .into_iter()
            .enumerate()
            .filter(|(_, page)| *page != 0)
        {
            ctx.write_entry(pgd + top as u32 * 8, 0);
            ctx.call([call::SET_PGD, pgd, top as u32, 0, 0]);
            self.memory.put_table(middle);
        }
        for i in 0..self.top.len() {
            ctx.write_entry(pgd + self.top[i].0 * ctx.paging.entry(), 0);
        }
        self.memory.put_table((pgd >> 12) as u16);
        self.processes[victim].live = false;
    }

    /// The flags of a page of a process.
    pub(super) fn user_flags(ctx: &mut Context, kind: Kind) -> u64 {
        let nx = if ctx.paging.pae && ctx.rng.one_in(3) {
            NX
        } else {
            0
        };
        let flags = match kind {
            Kind::Own if ctx.rng.one_in(10) => P | RW | US | A,
            Kind::Own => P | RW | US | A | D,
            Kind::Copied => ctx
                .rng
                .pick(&[P | US | A | D, P | US | A | D, P | US | A, P | US | D]),
            // The launcher may have a file mapped read-only: no D, which asks for a pin for writing.
            _ if ctx.rng.one_in(16) => P | US,
            _ => ctx
                .rng
                .pick(&[P | US | A | SPECIAL, P | US | A | SPECIAL, P | US | A]),
        };
        flags | nx
    }
}
