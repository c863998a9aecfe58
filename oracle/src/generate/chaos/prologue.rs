// SPDX-License-Identifier: GPL-2.0-or-later
//! How a hostile guest begins: some page directories that share an address or two, and a stack.

use lguest_engine::{Mapping, Verb};

use super::super::context::Context;
use super::super::paging::{A, D, P, RW, US, call};
use super::Chaos;

/// Bytes of `struct lguest_data`.
const LGUEST_DATA: u32 = 1388;

impl Chaos {
    /// A page that can be written, and that this has not given before, as long as there are such.
    fn fresh(&mut self, ctx: &Context) -> u32 {
        for _ in 0..64 {
            self.bump += 1;
            let page = self.bump % ctx.machine.backed();
            if page != 0 && ctx.launcher.mapping(page.into()) == Mapping::Writable {
                return page;
            }
        }
        1
    }

    /// Says the beginning.
    pub fn prologue(&mut self, ctx: &mut Context) {
        let kernel = self.kernel_address(ctx);
        let stack = self.places(ctx, kernel);
        ctx.run();
        for _ in 0..ctx.rng.below(4) {
            let vaddr = ctx.rng.below(ctx.machine.pages.min(64)) << 12;
            if ctx.launcher.allows(u64::from(vaddr >> 12), true) {
                let errcode = ctx.rng.below(8);
                ctx.verb(Verb::DemandPage, [vaddr, errcode, 0]);
            }
        }
        self.tables(ctx, stack);
        let last = ctx.machine.backed() - 1;
        let data = match ctx.rng.below(12) {
            0 if ctx.launcher.allows(last.into(), true) => (last << 12) + 0x1000 - LGUEST_DATA,
            1..4 => (self.fresh(ctx) << 12) + ctx.rng.below(0x1000 - LGUEST_DATA),
            _ => self.fresh(ctx) << 12,
        };
        ctx.verb(Verb::BootData, [data, kernel, 0]);
        ctx.call([call::LGUEST_INIT, data, 0, 0, 0]);
        if ctx.rng.one_in(16) {
            // It stays without tables of its own for a while.
            return;
        }
        let gpgdir = self.leanings.gpgdirs[0];
        ctx.call([call::NEW_PGTABLE, gpgdir, 0, 0, 0]);
        let pages = ctx.rng.pick(&[0, 1, 1, 2]);
        if pages != 0 {
            let (segment, used) = (ctx.rng.pick(&[1, 0x69]), ctx.rng.below(64) * 4);
            ctx.call([call::SET_STACK, segment, stack + 0x1000 - used, pages, 0]);
        }
        ctx.run();
    }

    /// Where its kernel begins: anywhere below the Switcher, often at an edge.
    fn kernel_address(&self, ctx: &mut Context) -> u32 {
        let switcher = ctx.machine.switcher;
        let rng = &mut ctx.rng;
        let address = match rng.below(16) {
            0..7 => 0xc000_0000,
            7 => switcher - 1,
            8 => switcher - 0x1000,
            9 => switcher & 0xffc0_0000,
            10 => rng.pick(&[0, 1, 0x1000, 0x3f_ffff, 0x40_0000, 0x40_0001]),
            11 | 12 => 0xc000_0000 + rng.below(0x400) * 0x1000,
            13 => rng.pick(&[0x4000_0000, 0x8000_0000, 0x3fff_ffff, 0x8000_1000]),
            _ => rng.word(),
        };
        if address < switcher {
            address
        } else {
            switcher - 1
        }
    }

    /// Draws the scenario's page directories and addresses; the result is the page below the top of the stack.
    fn places(&mut self, ctx: &mut Context, kernel: u32) -> u32 {
        for _ in 0..ctx.rng.range(2, 7) {
            let page = self.fresh(ctx);
            let inside = if ctx.paging.pae {
                ctx.rng.below(127) * 32
            } else {
                0
            };
            self.leanings.gpgdirs.push((page << 12) + inside);
        }
        // The edges of memory, as the first table of all now and then.
        let last = ctx.machine.backed() - 1;
        let inside = if ctx.paging.pae { 0x1000 - 32 } else { 0 };
        for edge in [0, (last << 12) + inside] {
            if ctx.rng.one_in(8) && ctx.launcher.allows(u64::from(edge >> 12), true) {
                self.leanings.gpgdirs.push(edge);
                if ctx.rng.one_in(2) {
                    let end = self.leanings.gpgdirs.len() - 1;
                    self.leanings.gpgdirs.swap(0, end);
                }
            }
        }
        let switcher = ctx.machine.switcher;
        let rng = &mut ctx.rng;
        // Two pages, below the Switcher and not at the bottom.
        let high = kernel.wrapping_add(rng.range(2, 40) << 12) & 0xffff_f000;
        let high = if rng.one_in(8) { switcher } else { high };
        let stack = high.min(switcher - 0x1000).max(0x1000);
        for _ in 0..rng.range(3, 7) {
            let slot = 1u32 << rng.pick(&[21, 22, 30]);
            let vaddr = match rng.below(10) {
                0 => rng.below(4) << 12,
                1 => slot.wrapping_mul(rng.below(1024)).wrapping_sub(0x1000),
                2 => slot.wrapping_mul(rng.below(1024)),
                3 => kernel & 0xffff_f000,
                4 => kernel.wrapping_sub(0x1000) & 0xffff_f000,
                5 => switcher.wrapping_sub(0x1000 * rng.range(1, 3)),
                6 => (kernel & 0u32.wrapping_sub(slot)).wrapping_add(rng.below(8) << 12),
                7 => stack.wrapping_add(rng.below(3) << 12),
                _ => rng.word() & 0xffff_f000,
            };
            self.leanings.vaddrs.push(vaddr);
            if rng.one_in(2) {
                self.leanings.vaddrs.push(vaddr.wrapping_add(0x1000));
            }
        }
        stack
    }

    /// Tables for all of them; levels that are missing are shared between page directories now and then.
    fn tables(&mut self, ctx: &mut Context, stack: u32) {
        for g in 0..self.leanings.gpgdirs.len() {
            let gpgdir = self.leanings.gpgdirs[g];
            let shared = self.bump;
            let strict = ctx.rng.one_in(8);
            for page in [stack, stack.wrapping_sub(0x1000)] {
                let frame = u64::from(self.fresh(ctx)) << 12;
                self.map(ctx, gpgdir, page, frame | P | RW | A | D);
            }
            for v in 0..self.leanings.vaddrs.len() {
                if ctx.rng.percent(if g < 2 { 25 } else { 60 }) {
                    continue;
                }
                let vaddr = self.leanings.vaddrs[v];
                let page = if ctx.rng.one_in(4) {
                    ctx.rng.below(ctx.machine.backed())
                } else {
                    self.fresh(ctx)
                };
                let flags = ctx.rng.pick(&[
                    P | RW | US,
                    P | US,
                    P | RW,
                    P | RW | US | A | D,
                    P | RW | US | A,
                    P | US | D,
                ]);
                self.map(ctx, gpgdir, vaddr, u64::from(page) << 12 | flags);
            }
            if strict {
                self.restrict(ctx, gpgdir, stack);
            }
            if ctx.rng.one_in(3) {
                self.bump = shared;
            }
        }
    }

    /// Has an address by tables that allow less than its page does.
    fn restrict(&mut self, ctx: &mut Context, gpgdir: u32, vaddr: u32) {
        let table = u64::from(self.fresh(ctx)) << 12;
        let flags = P | ctx.rng.bits() & (RW | US | A | D);
        let at = if ctx.paging.pae {
            let middle = self.fresh(ctx);
            ctx.write_entry(
                ctx.paging.top_at(gpgdir, vaddr),
                u64::from(middle) << 12 | P,
            );
            ctx.paging.middle_at(middle, vaddr)
        } else {
            ctx.paging.top_at(gpgdir, vaddr)
        };
        ctx.write_entry(at, table | flags);
        let frame = u64::from(self.fresh(ctx)) << 12;
        for page in [vaddr, vaddr.wrapping_sub(0x1000)] {
            self.map(ctx, gpgdir, page, frame | P | RW | A | D);
        }
    }

    fn map(&mut self, ctx: &mut Context, gpgdir: u32, vaddr: u32, pte: u64) {
        let mut tables = self.fresh(ctx);
        if ctx.paging.pae {
            // The next page is needed as well.
            let next = self.fresh(ctx);
            if next != tables + 1 {
                tables = next.saturating_sub(1).max(1);
            }
        }
        ctx.push(
            Verb::Map,
            [gpgdir, vaddr, pte as u32, (pte >> 32) as u32, tables],
        );
    }
}
