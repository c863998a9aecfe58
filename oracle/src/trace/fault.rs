// SPDX-License-Identifier: GPL-2.0-or-later
//! The records of a page fault and of a look-up: the guest's tables walked, its page pinned, its entry written back.

use lguest_engine::Side;

use super::flow::{Flow, GET_ZEROED_PAGE, PIN, TO_USER, World, leaf};
use crate::sim::SimHost;

const PRESENT: u64 = 1;
const RW: u64 = 2;
const USER: u64 = 4;
const PSE: u64 = 0x80;
/// Bits of an entry that a directory of the guest may have.
const DIRECTORY: u64 = 0x67;

impl<S: Side<Host = SimHost>> Flow<'_, S> {
    /// The walk of the guest's tables down to the entry for `vaddr`; `refused` says of a level whether it ends it.
    fn walk(
        &mut self,
        depth: u8,
        vaddr: u32,
        refused: impl Fn(usize, u64) -> bool,
    ) -> Option<Option<u64>> {
        let shifts: &[u32] = if self.world.pae {
            &[30, 21, 12]
        } else {
            &[22, 12]
        };
        let size = self.world.entry();
        let mut table = self.state.slots[self.state.cpu_pgd as usize & 3].gpgdir;
        let mut above = 32;
        for (level, shift) in shifts.iter().enumerate() {
            let index = (u64::from(vaddr) & ((1 << above) - 1)) as u32 >> shift;
            let entry = self.read(depth, table.wrapping_add(index.wrapping_mul(size)))?;
            if entry & PRESENT == 0 {
                return Some(None);
            }
            if level + 1 == shifts.len() {
                return Some(Some(entry));
            }
            if refused(level, entry) {
                self.message(depth);
                return Some(None);
            }
            table = (entry as u32 >> 12 | ((entry >> 32) as u32) << 20) << 12;
            above = *shift;
        }
        Some(None)
    }

    /// Whether an entry of a guest's directory kills.
    fn bad_directory(world: World, level: usize, entry: u64) -> bool {
        let allowed = if world.pae && level == 0 {
            PRESENT
        } else {
            DIRECTORY
        };
        entry & 0xfff & !allowed != 0 || entry >> 12 >= world.pages.into()
    }

    /// The page number in a guest's lowest entry.
    fn pfn(entry: u64) -> u64 {
        (entry & 0x0fff_ffff_f000) >> 12
    }

    /// The entry names I/O memory.
    pub(super) fn in_iomem(&self, entry: u64) -> bool {
        let pages = self.world.pages.into()..self.world.device_limit.into();
        entry & PSE == 0 && pages.contains(&Self::pfn(entry))
    }

    /// The entry does not kill.
    pub(super) fn good(&self, entry: u64) -> bool {
        entry & PSE == 0 && Self::pfn(entry) < self.world.pages.into()
    }

    /// A page is pinned, or not, and then the guest dies.
    pub(super) fn pinned(&mut self, depth: u8) -> Option<()> {
        let call = self.seek(depth, PIN)?;
        self.pin(depth, call);
        self.message(depth);
        Some(())
    }

    /// The inside of `demand_page`: whether it maps the page, and the address of I/O memory.
    pub(super) fn fault(&mut self, depth: u8, vaddr: u32, errcode: u32) -> Option<(bool, u32)> {
        if vaddr >= self.world.switcher {
            return Some((false, 0));
        }
        let world = self.world;
        let linear = self.state.linear_pages;
        let entry = if linear {
            u64::from(vaddr & 0xffff_f000) | RW | PRESENT
        } else {
            match self.walk(depth, vaddr, |level, entry| {
                Self::bad_directory(world, level, entry)
            })? {
                Some(entry) => entry,
                None => return Some((false, 0)),
            }
        };
        if errcode & 2 != 0 && entry & RW == 0 || errcode & 4 != 0 && entry & USER == 0 {
            return Some((false, 0));
        }
        if self.in_iomem(entry) {
            return Some((false, (Self::pfn(entry) << 12) as u32 | vaddr & 0xfff));
        }
        if !self.good(entry) {
            self.message(depth);
            return Some((false, 0));
        }
        while let Some(call) = self.calls.first().filter(|call| call.kind != PIN) {
            self.calls = &self.calls[1..];
            self.tell(depth, call);
            if call.kind == GET_ZEROED_PAGE && call.a == 0 {
                self.message(depth);
                return Some((false, 0));
            }
        }
        self.pinned(depth)?;
        if !linear {
            let call = self.seek(depth, TO_USER)?;
            if call.a >> 48 & 1 == 0 {
                self.message(depth);
            }
            self.tell(depth, call);
        }
        Some((true, 0))
    }

    /// `demand_page` with what stands around it; what it returned, if that is known, else what it must have.
    pub fn demand(
        &mut self,
        depth: u8,
        vaddr: u32,
        errcode: u32,
        known: Option<(bool, u32)>,
    ) -> Option<bool> {
        let (linear, slot) = (self.state.linear_pages, self.state.cpu_pgd);
        let opener = [
            vaddr.into(),
            errcode.into(),
            u64::from(linear),
            u64::from(slot),
        ];
        self.say(depth, b'D', &opener);
        let told = self.fault(depth + 1, vaddr, errcode)?;
        if known.is_some() {
            self.rest(depth + 1);
        }
        let (fixed, iomem) = known.unwrap_or(told);
        let flags = if fixed {
            let state = self.side.state();
            leaf(self.side, &state, slot as usize, vaddr).unwrap_or(0) & 0xfff
        } else {
            0
        };
        self.say(depth, b'd', &[fixed.into(), iomem.into(), flags]);
        Some(fixed)
    }

    /// The inside of `__guest_pa`: the address, if something is mapped there.
    pub(super) fn translate(&mut self, depth: u8, vaddr: u32) -> Option<Option<u32>> {
        if self.state.linear_pages {
            return Some(Some(vaddr));
        }
        let entry = self.walk(depth, vaddr, |_, _| false)?;
        Some(entry.map(|entry| (Self::pfn(entry) << 12) as u32 | vaddr & 0xfff))
    }
}
