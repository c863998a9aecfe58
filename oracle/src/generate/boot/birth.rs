// SPDX-License-Identifier: GPL-2.0-or-later
//! The start of the guest kernel: linear faults, its first tables, LGUEST_INIT, its own page directory.

use lguest_engine::Verb;

use super::super::context::Context;
use super::super::paging::{D, P, RW, TABLE, call};
use super::{Kernel, PROCESSES, Process, REGIONS, VMALLOC, WINDOW};

impl Kernel {
    /// Lays out a new kernel on the machine.
    pub fn lay_out(&mut self, ctx: &mut Context) {
        let backed = ctx.machine.backed();
        let rng = &mut ctx.rng;
        self.top.clear();
        self.middles.clear();
        self.tables.clear();
        self.vmapped = [0; VMALLOC];
        self.processes = [Process::default(); PROCESSES];
        self.current = None;
        self.maps = rng.one_in(3);
        self.flags = rng.pick(&[0x163, 0x163, 0x63, 0x103, 0x3]);
        self.segment = rng.pick(&[0x69, 0x69, 0x61, 0x1, 0x79]);
        self.stack_pages = if rng.percent(80) { 2 } else { 1 };
        self.stacks = (backed.saturating_sub(16) / 9).clamp(2, PROCESSES as u32 + 1);
        self.draw_weights(rng);

        self.base = kernel_base(rng.below(16), rng.below(1024) << 12, ctx.paging.pae);
        let most = ctx.machine.switcher - (backed << 12) - 0x100_0000;
        if self.base > most {
            self.base = most & 0xffc0_0000;
        }
        let after = self.base.wrapping_add(backed << 12).wrapping_add(0x80_0000) & 0xffc0_0000;
        // Often the last entries of a table.
        self.vmalloc = after + rng.pick(&[0, 0x1000, 0x20_0000 - ((VMALLOC as u32) << 12)]);
        self.draw_regions(ctx);

        let rng = &mut ctx.rng;
        self.text = if backed < 64 { 3 } else { rng.range(4, 8) };
        let offset = if rng.percent(80) {
            0
        } else {
            rng.below(3000) & !3
        };
        self.data = 0x1000 + offset;
        self.first_stack = 3 + self.text;
        self.next_page = self.first_stack + self.stacks * self.stack_pages;
        let inside = if ctx.paging.pae {
            rng.below(127) * 32
        } else {
            0
        };
        self.swapper = (self.take() << 12) + inside;
    }

    /// A page for the kernel's own, while it starts.
    fn take(&mut self) -> u32 {
        self.next_page += 1;
        self.next_page - 1
    }

    /// Where processes have their areas: below the kernel's slot, each in a table of its own.
    fn draw_regions(&mut self, ctx: &mut Context) {
        let rng = &mut ctx.rng;
        let paging = ctx.paging;
        let top = paging.top(self.base).min(paging.top(ctx.machine.switcher));
        let last = (((u64::from(top) << paging.top_shift()) - 1) >> paging.table_shift()) as u32;
        self.region_count = if ctx.machine.backed() < 96 {
            rng.range(1, 2)
        } else {
            rng.range(2, 3)
        } as usize;
        let usual = [0x0804_8000u32, 0xb770_0000, 0xbf80_0000];
        let mut taken = [u32::MAX; REGIONS];
        for i in 0..REGIONS {
            let mut table = match rng.below(4) {
                0 => rng.below(last + 1),
                1 => rng.pick(&[0, last, last.saturating_sub(1), last / 2]),
                _ => usual[i] >> paging.table_shift(),
            };
            while table > last || taken.contains(&table) {
                table = rng.below(last + 1);
            }
            taken[i] = table;
            let room = paging.entries() - WINDOW as u32;
            let page = match rng.below(4) {
                0 => 0,
                1 => room,
                _ => rng.below(room + 1),
            };
            self.regions[i] = table << paging.table_shift() | page << 12;
        }
    }

    /// Says the start, up to the kernel's own tables and stack.
    pub fn start(&mut self, ctx: &mut Context) {
        self.linear(ctx);
        let early = ctx.rng.one_in(4);
        if early {
            self.first_tables(ctx);
        }
        ctx.verb(Verb::BootData, [self.data, self.base, 0]);
        ctx.call([call::LGUEST_INIT, self.data, 0, 0, 0]);
        for _ in 0..ctx.rng.below(4) {
            self.misc(ctx);
        }
        if !early {
            self.linear(ctx);
            self.first_tables(ctx);
        }
        self.memory
            .reset(self.next_page, ctx.machine.backed(), &ctx.launcher);
        ctx.call([call::NEW_PGTABLE, self.swapper, 0, 0, 0]);
        self.set_stack(ctx);
        if ctx.rng.percent(70) {
            ctx.call([call::FLUSH_TLB, 1, 0, 0, 0]);
        }
        ctx.run();
        for _ in 0..ctx.rng.range(2, 8) {
            self.kernel_touch(ctx);
        }
        for _ in 0..ctx.rng.below(7) {
            self.fork(ctx);
        }
    }

    /// Faults before there are any tables: addresses are guest-physical.
    fn linear(&mut self, ctx: &mut Context) {
        ctx.run();
        for _ in 0..ctx.rng.range(1, 8) {
            let page = ctx.rng.range(2, self.first_stack);
            let vaddr = page << 12 | ctx.rng.below(1024) << 2;
            match ctx.rng.below(8) {
                0..3 => ctx.read(vaddr, false),
                3..5 => ctx.store(vaddr, false),
                5 => {
                    let errcode = ctx.rng.below(8);
                    ctx.verb(Verb::DemandPage, [vaddr, errcode, 0]);
                }
                6 => ctx.verb(Verb::GuestPa, [vaddr, 0, 0]),
                // A fault of the guest's own: nothing is open to user mode yet.
                _ => ctx.read(vaddr, true),
            }
        }
    }

    /// The kernel half: all of it in tables that never change again.
    fn first_tables(&mut self, ctx: &mut Context) {
        let lowest = self.base >> ctx.paging.table_shift();
        let highest =
            self.base.wrapping_add((ctx.machine.backed() << 12) - 1) >> ctx.paging.table_shift();
        for key in lowest..=highest {
            self.kernel_table(ctx, key << ctx.paging.table_shift());
        }
        self.kernel_table(ctx, self.vmalloc);
        let safe = ctx.machine.backed() - ctx.machine.backed() / 3;
        let few = self.next_page.min(safe);
        self.mapped = match ctx.rng.below(8) {
            0 => safe.min(few + 160),
            1 | 2 => safe.min(few + 32),
            _ => safe.min(few + 4),
        };
        for page in 0..self.mapped.max(self.next_page) {
            // Pages of kernel text are read-only.
            let text = page >= 3 && page < 3 + self.text / 2;
            let flags = if text {
                self.flags & !(RW | D)
            } else {
                self.flags
            };
            self.write_kernel(
                ctx,
                self.base.wrapping_add(page << 12),
                u64::from(page) << 12 | flags | P,
            );
        }
    }

    /// Makes the kernel's table for an address, if it is not there.
    fn kernel_table(&mut self, ctx: &mut Context, vaddr: u32) {
        let paging = ctx.paging;
        let key = vaddr >> paging.table_shift();
        if self.tables.iter().any(|(known, _)| *known == key) {
            return;
        }
        let table = self.take();
        self.tables.push((key, table as u16));
        let entry = u64::from(table) << 12 | TABLE;
        if !paging.pae {
            self.top.push((paging.top(vaddr), entry));
            ctx.write_entry(paging.top_at(self.swapper, vaddr), entry);
            return;
        }
        let top = paging.top(vaddr);
        let middle = match self.middles.iter().find(|(known, _)| *known == top) {
            Some((_, page)) => u32::from(*page),
            None => {
                let page = self.take();
                self.middles.push((top, page as u16));
                self.top.push((top, u64::from(page) << 12 | P));
                ctx.write_entry(
                    paging.top_at(self.swapper, vaddr),
                    u64::from(page) << 12 | P,
                );
                page
            }
        };
        ctx.write_entry(paging.middle_at(middle, vaddr), entry);
    }

    /// Writes an entry of the kernel half.
    pub(super) fn write_kernel(&mut self, ctx: &mut Context, vaddr: u32, pte: u64) {
        let key = vaddr >> ctx.paging.table_shift();
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| *known == key) {
            self.write_pte(ctx, self.swapper, vaddr, *table, pte);
        }
    }

    /// Writes an entry of the lowest level, in one of two ways that a scenario can say it.
    pub(super) fn write_pte(&self, ctx: &mut Context, pgd: u32, vaddr: u32, table: u16, pte: u64) {
        if self.maps && ctx.rng.one_in(2) {
            let args = [pgd, vaddr, pte as u32, (pte >> 32) as u32, table.into()];
            ctx.push(Verb::Map, args);
        } else {
            ctx.write_entry(ctx.paging.last_at(table.into(), vaddr), pte);
        }
    }
}

/// Where a kernel lies: most often at 3 GiB, sometimes inside of a slot of its top level.
fn kernel_base(dice: u32, inside: u32, pae: bool) -> u32 {
    match dice {
        0..10 => 0xc000_0000,
        10 => 0x8000_0000,
        11 => 0xb000_0000,
        12 => 0x4000_0000 + if pae { 0 } else { 0x40_0000 },
        13 => 0xc010_0000,
        14 => 0xc000_0000 + (inside & 0x3f_f000),
        _ => 0x7800_0000,
    }
}
