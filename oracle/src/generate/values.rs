// SPDX-License-Identifier: GPL-2.0-or-later
//! Values at the edges of the running world: its limits and its live values, one below, equal, one above.

use lguest_engine::Side;

use super::context::Context;
use super::paging::{A, D, GLOBAL, NX, P, PSE, RW, US};
use super::view::{View, Walk};

/// What a scenario is drawn to: places that it comes back to, and its own subset of flags.
#[derive(Clone, Debug, Default)]
pub(super) struct Leanings {
    /// Page directories.
    pub gpgdirs: Vec<u32>,
    /// Guest-virtual addresses.
    pub vaddrs: Vec<u32>,
    /// Flags that entries may have.
    pub flags: u64,
    /// One entry in so many goes beyond the guest's memory.
    pub far: u32,
}

const STEPS: [u32; 12] = [
    0,
    0,
    0,
    0,
    0x1000,
    0xffff_f000,
    1,
    u32::MAX,
    4,
    0xffff_fffc,
    0x2000,
    0xfff,
];

impl Leanings {
    /// New leanings; the caller fills in the places.
    pub fn draw(&mut self, ctx: &mut Context) {
        self.gpgdirs.clear();
        self.vaddrs.clear();
        let rng = &mut ctx.rng;
        self.flags = rng.bits() & 0xfff | rng.bits() & 0xfff;
        if rng.one_in(3) {
            self.flags |= rng.bits() << 32;
        }
        if rng.percent(60) {
            self.flags |= RW | US | A | D;
        }
        if rng.percent(60) {
            self.flags &= !PSE;
        }
        self.far = rng.pick(&[4, 12, 40]);
    }

    /// A page directory.
    pub fn gpgdir<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> u32 {
        let rng = &mut ctx.rng;
        let limit = ctx.machine.pages << 12;
        match rng.below(64) {
            0..24 => view.state().slots[rng.below(4) as usize].gpgdir,
            24..30 => view.gpgdir(),
            30..54 if !self.gpgdirs.is_empty() => rng.pick(&self.gpgdirs),
            54 => 0,
            55 => {
                limit.wrapping_add(rng.pick(&[0, 0xffff_f000, 0xffff_fffc, 4, 0x1000, 0xffff_ffe0]))
            }
            56 => rng.word(),
            57 => 0u32.wrapping_sub(rng.pick(&[4, 8, 32, 4096])),
            58 => rng.below(ctx.machine.backed()) << 12 | rng.pick(&[0x20, 0xff0, 0xffc, 1]),
            59 => view.gpgdir().wrapping_add(rng.pick(&STEPS)),
            _ => rng.below(ctx.machine.backed()) << 12,
        }
    }

    /// A guest-virtual address.
    pub fn vaddr<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> u32 {
        let rng = &mut ctx.rng;
        let machine = &ctx.machine;
        let slot = 1u32 << rng.pick(&[21, 22, 30]);
        let place = match rng.below(64) {
            0..36 if !self.vaddrs.is_empty() => {
                return rng.pick(&self.vaddrs).wrapping_add(rng.below(4) * 4);
            }
            36..42 if !self.vaddrs.is_empty() => rng.pick(&self.vaddrs),
            42..45 => view.state().esp1.wrapping_sub(1),
            45..49 => view.state().kernel_address,
            49..52 => machine.switcher,
            52 => machine
                .switcher
                .wrapping_add(machine.switcher_pages() << 12),
            53 => machine.switcher & 0u32.wrapping_sub(slot),
            54 => view.state().kernel_address & 0u32.wrapping_sub(slot),
            55 => machine.pages << 12,
            56 => machine.device_limit() << 12,
            // In linear mode, where the sum of address and mem_base wraps.
            57 if rng.one_in(2) => machine.mem_base.wrapping_neg(),
            57 => machine.mem_base,
            58 => view.state().lguest_data,
            59 => rng.word(),
            60 => slot.wrapping_mul(rng.below(1024)).wrapping_sub(0x1000),
            61 => rng.pick(&[0, 0x1000, u32::MAX, 0x7fff_ffff, 0x8000_0000]),
            _ => rng.below(machine.pages.min(0x10_0000)) << 12,
        };
        place.wrapping_add(rng.pick(&STEPS))
    }

    /// A page number for an entry.
    pub fn frame(&self, ctx: &mut Context) -> u64 {
        let rng = &mut ctx.rng;
        let machine = &ctx.machine;
        if self.far == 0 || !rng.one_in(self.far) {
            let backed = machine.backed();
            return match rng.below(16) {
                0 => backed - 1,
                1 => 0,
                2 if !self.gpgdirs.is_empty() => rng.pick(&self.gpgdirs) >> 12,
                _ => rng.below(backed),
            }
            .into();
        }
        let (pages, devices) = (u64::from(machine.pages), u64::from(machine.device_limit()));
        match rng.below(12) {
            0 => pages,
            1 => pages + 1,
            2 => devices.wrapping_sub(1),
            3 => devices,
            4 => devices + 1,
            5 => 0xf_ffff,
            6 => 0x10_0000,
            7 => u64::from(machine.mem_base.wrapping_neg() >> 12),
            8 => rng.bits() & 0xff_ffff_ffff,
            9 => rng.range(0x10, 0x44).into(),
            10 => 1u64 << rng.range(20, 39) | u64::from(rng.below(machine.backed())),
            _ => rng.bits() & 0xf_ffff,
        }
    }

    /// An entry of the lowest level.
    pub fn pte(&self, ctx: &mut Context) -> u64 {
        let frame = self.frame(ctx) << 12;
        let rng = &mut ctx.rng;
        let flags = match rng.below(16) {
            0 => 0,
            1..4 => rng.pick(&[0x67, 0x65, 0x25, 0x63, 0x45, 0x61, 0x163]),
            4 => rng.bits() & 0xfff,
            5 => P | 1 << rng.below(12),
            6 if ctx.paging.pae => P | A | 1 << rng.range(32, 63),
            7 if ctx.paging.pae => P | RW | US | NX,
            8 => P | RW | GLOBAL,
            _ => rng.bits() & self.flags & !0xf_ffff_f000 | P,
        };
        let value = frame | flags;
        if ctx.paging.pae {
            value
        } else {
            value & 0xffff_ffff
        }
    }

    /// An entry of an upper level.
    pub fn table(&self, ctx: &mut Context) -> u64 {
        let frame = self.frame(ctx) << 12;
        let rng = &mut ctx.rng;
        let flags = match rng.below(12) {
            0 => 0,
            1 => P | 1 << rng.below(12),
            2 if ctx.paging.pae && rng.one_in(2) => P | NX,
            2 if ctx.paging.pae => P | 1 << rng.range(32, 63),
            3 => 0x67 | rng.bits() & self.flags & 0xfff,
            4..8 => 0x67,
            _ => 1,
        };
        let value = frame | flags;
        if ctx.paging.pae {
            value
        } else {
            value & 0xffff_ffff
        }
    }

    /// An index in a top level.
    pub fn index<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> u32 {
        let paging = ctx.paging;
        let most = paging.top_entries();
        match ctx.rng.below(16) {
            0 => most - 1,
            1 => most,
            2 => ctx.rng.pick(&[most + 1, u32::MAX, 0x8000_0000]),
            3 | 4 => paging.top(ctx.machine.switcher),
            5 => paging.top(
                ctx.machine
                    .switcher
                    .wrapping_add((ctx.machine.switcher_pages() - 1) << 12),
            ),
            6 => paging.top(view.state().kernel_address),
            7 => ctx.rng.below(most),
            _ => paging.top(self.vaddr(ctx, view)),
        }
    }

    /// Guest-physical address of something that the host reads: an entry, the ring, a limit.
    pub fn spot<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> u32 {
        match ctx.rng.below(16) {
            0..5 => {
                let vaddr = self.vaddr(ctx, view);
                match view.walk(view.gpgdir(), vaddr) {
                    Walk::Entry(at, _) => at,
                    _ => ctx.paging.top_at(view.gpgdir(), vaddr),
                }
            }
            5..7 => {
                let (gpgdir, vaddr) = (self.gpgdir(ctx, view), self.vaddr(ctx, view));
                ctx.paging.top_at(gpgdir, vaddr)
            }
            7 => {
                let (gpgdir, vaddr) = (self.gpgdir(ctx, view), self.vaddr(ctx, view));
                match view.entry(ctx.paging.top_at(gpgdir, vaddr)) {
                    Some(top) if ctx.paging.pae => ctx.paging.middle_at((top >> 12) as u32, vaddr),
                    Some(top) => ctx.paging.last_at((top >> 12) as u32, vaddr),
                    None => gpgdir,
                }
            }
            8 => view.lguest_data().wrapping_add(24 + ctx.rng.below(64)),
            9 => view.lguest_data().wrapping_add(88 + ctx.rng.below(320) * 4),
            10 => view
                .lguest_data()
                .wrapping_add(ctx.rng.pick(&[12, 1368, 1372, 1376, 1380, 1384])),
            11 => (ctx.machine.pages << 12).wrapping_sub(ctx.rng.range(0, 9)),
            12 => ctx.rng.word(),
            _ => ctx.rng.below(ctx.machine.backed()) << 12 | ctx.rng.below(1024) << 2,
        }
    }

    /// A backed page, most often one that matters.
    pub fn page<S: Side>(&self, ctx: &mut Context, view: &View<'_, S>) -> u32 {
        let page = match ctx.rng.below(8) {
            0..3 => {
                let vaddr = self.vaddr(ctx, view);
                match view.walk(view.gpgdir(), vaddr) {
                    Walk::Entry(_, entry) => ctx.paging.frame(entry) as u32,
                    _ => u32::MAX,
                }
            }
            3 => self.spot(ctx, view) >> 12,
            4 => view.lguest_data() >> 12,
            _ => u32::MAX,
        };
        if page < ctx.machine.backed() {
            page
        } else {
            ctx.rng.below(ctx.machine.backed())
        }
    }
}
