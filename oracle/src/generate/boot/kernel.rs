// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest kernel's own memory and other calls: vmalloc, I/O memory, flushes, host events that it lives through.

use lguest_engine::{Runner, Side, Step, Verb};

use super::super::context::Context;
use super::super::paging::{P, RW, call};
use super::{Kernel, PROCESSES, VMALLOC};

/// I/O memory is marked so in the books of vmalloc.
const DEVICE: u16 = u16::MAX;

impl Kernel {
    /// The kernel uses its own memory.
    pub(super) fn kernel_touch(&mut self, ctx: &mut Context) {
        let dice = ctx.rng.word();
        let offset = dice & 0xffc;
        let own = self.stacks * self.stack_pages;
        match dice >> 12 & 3 {
            // Text and data; the first half is read-only.
            0 => {
                let page = ctx.rng.range(3 + self.text / 2, self.first_stack - 1);
                ctx.store(self.base + (page << 12) + offset, false);
            }
            1 => {
                let page = self.first_stack + ctx.rng.below(own);
                ctx.store(self.base + (page << 12) + offset, false);
            }
            _ => {
                let page = ctx.rng.range(1, self.mapped.max(self.next_page) - 1);
                ctx.read(self.base + (page << 12) + offset, false);
            }
        }
    }

    /// A page comes to or goes from the kernel's map; the host is told, for all processes at once.
    pub(super) fn vmalloc(&mut self, ctx: &mut Context) {
        let i = ctx.rng.below(VMALLOC as u32) as usize;
        let vaddr = self.vmalloc + ((i as u32) << 12);
        match self.vmapped[i] {
            0 => {
                let Some(page) = self.memory.data(&mut ctx.rng) else {
                    return;
                };
                self.vmapped[i] = page;
                let pte = u64::from(page) << 12 | self.flags | P | RW;
                self.tell_kernel(ctx, vaddr, pte);
                ctx.store(vaddr, false);
            }
            page => {
                if page != DEVICE {
                    if ctx.rng.one_in(2) {
                        return ctx.store(vaddr, false);
                    }
                    self.memory.put(page);
                }
                self.vmapped[i] = 0;
                self.tell_kernel(ctx, vaddr, 0);
                if ctx.rng.one_in(3) {
                    ctx.call([call::FLUSH_TLB, 1, 0, 0, 0]);
                }
            }
        }
    }

    /// Writes a kernel entry and tells the host, mostly in this order.
    fn tell_kernel(&mut self, ctx: &mut Context, vaddr: u32, pte: u64) {
        let pgd = if ctx.rng.one_in(2) {
            self.swapper
        } else {
            self.pgd()
        };
        let late = ctx.rng.one_in(8);
        if late {
            ctx.set_pte(pgd, vaddr, pte);
        }
        self.write_kernel(ctx, vaddr, pte);
        if !late {
            ctx.set_pte(pgd, vaddr, pte);
        }
    }

    /// The kernel maps a device and uses it: each access is the launcher's to do.
    pub(super) fn io_memory(&mut self, ctx: &mut Context) {
        if ctx.machine.device_pages == 0 {
            return;
        }
        let i = ctx.rng.below(VMALLOC as u32) as usize;
        let vaddr = self.vmalloc + ((i as u32) << 12);
        if self.vmapped[i] == 0 {
            self.vmapped[i] = DEVICE;
            let page = ctx
                .machine
                .pages
                .wrapping_add(ctx.rng.below(ctx.machine.device_pages));
            let flags = ctx.rng.pick(&[0x63, 0x7b, 0x163, 0x3]);
            self.tell_kernel(ctx, vaddr, u64::from(page) << 12 | flags);
        }
        if self.vmapped[i] == DEVICE {
            for _ in 0..ctx.rng.range(1, 3) {
                let at = vaddr | ctx.rng.below(1024) << 2;
                if ctx.rng.one_in(2) {
                    ctx.read(at, false)
                } else {
                    ctx.store(at, false)
                }
            }
        }
    }

    /// The launcher asks for the guest-physical address of something.
    pub(super) fn look_up(&mut self, ctx: &mut Context) {
        let vaddr = match (ctx.rng.below(3), self.some_page(ctx)) {
            (0, Some((_, region, i))) => self.vaddr(region, i) | ctx.rng.below(4096),
            (1, _) => self.base + (ctx.rng.range(1, self.first_stack) << 12 | ctx.rng.below(4096)),
            _ => self.stack_top(self.current) - ctx.rng.below(16) * 4,
        };
        ctx.verb(Verb::GuestPa, [vaddr, 0, 0]);
    }

    /// Calls that have nothing to do with page tables.
    pub(super) fn misc(&mut self, ctx: &mut Context) {
        let number = ctx.rng.pick(&call::IDLE);
        let args = match number {
            call::TS => [number, ctx.rng.below(2), 0, 0, 0],
            call::HALT | call::FLUSH_ASYNC | call::SEND_INTERRUPTS => [number, 0, 0, 0, 0],
            call::SET_CLOCKEVENT => [number, ctx.rng.word(), 0, 0, 0],
            _ => [
                number,
                ctx.rng.below(256),
                ctx.rng.word(),
                ctx.rng.word(),
                0,
            ],
        };
        ctx.call(args);
    }

    pub(super) fn flush(&mut self, ctx: &mut Context) {
        let all = u32::from(ctx.rng.one_in(4));
        ctx.call([call::FLUSH_TLB, all, 0, 0, 0]);
        if all != 0 && ctx.rng.one_in(2) {
            self.kernel_touch(ctx);
        }
    }

    /// The host changes its mind about a page, without harm; a device writes.
    pub(super) fn host_event(&mut self, ctx: &mut Context) {
        let user = self.some_page(ctx);
        match (ctx.rng.below(5), user) {
            (0..3, Some((process, region, i))) if ctx.plan.may_share() => {
                let mapped = self.processes[process].regions[region].pages[i];
                ctx.verb(Verb::Share, [mapped.page.into(), 0, 0]);
                self.visit(ctx, region, i, mapped.kind);
            }
            (3, _) => {
                // Nobody writes to kernel text.
                let page = ctx.rng.range(3, 2 + (self.text / 2).max(1));
                let protect = ctx.rng.one_in(2);
                ctx.verb(
                    if protect {
                        Verb::Protect
                    } else {
                        Verb::Unprotect
                    },
                    [page, 0, 0],
                );
                ctx.read(self.base + (page << 12), false);
            }
            (4, Some((process, region, i))) => {
                let page = u32::from(self.processes[process].regions[region].pages[i].page);
                let value = ctx.rng.word();
                if ctx.launcher.allows(page.into(), true) {
                    let at = page << 12 | ctx.rng.below(1024) << 2;
                    ctx.push(Verb::DeviceWrite, [at, value, 0, 4, 0]);
                }
                self.visit(ctx, region, i, super::Kind::File);
            }
            _ => ctx.verb(Verb::Unmap, [0, 0, 0]),
        }
    }

    /// The host has no page for a new top level, and uses the current one again.
    // Not in `act`, as `unmap_region`.
    #[cold]
    pub(super) fn out_of_memory<S: Side>(&mut self, ctx: &mut Context, world: &Runner<S>) {
        let state = world.side.state();
        let from = ctx.rng.below(4) as usize;
        let blank = (0..4)
            .map(|i| (from + i) % 4)
            .find(|i| state.slots[*i].pgdir == 0);
        let start = ctx.rng.below(PROCESSES as u32) as usize;
        let mut others = (start..PROCESSES).chain(0..start).filter(|p| {
            let process = &self.processes[*p];
            process.live && state.slots.iter().all(|slot| slot.gpgdir != process.pgd)
        });
        let (Some(slot), Some(next)) = (blank, others.next()) else {
            return;
        };
        self.current = Some(next);
        let mut step = Step::new(Verb::Hypercall, [call::NEW_PGTABLE, self.pgd(), 0, 0, 0]);
        step.quals.draw = Some(slot as u8);
        step.quals.fail_alloc = 1;
        ctx.say(step);
        self.set_stack(ctx);
        self.touch(ctx);
    }
}
