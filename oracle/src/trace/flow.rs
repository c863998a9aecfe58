// SPDX-License-Identifier: GPL-2.0-or-later
//! What a recording host would have logged of a call, told from the kernel calls that the call made.
//!
//! The kernel calls say in which order guest tables were read, pages pinned and messages made. Where in the shadow
//! code that was follows from the values, so the flow of the code is gone through once more beside them. What a
//! side does against that flow is still told, in the place where it was done.

use lguest_engine::{Side, State, cpu};

use super::Record;
use crate::sim::{Call, SimHost};

const PRESENT: u64 = 1;
const RW: u64 = 2;
const USER: u64 = 4;
const PSE: u64 = 0x80;
/// Bits of an entry that a directory of the guest may have.
const DIRECTORY: u64 = 0x67;

/// Kernel calls by number.
pub(super) const GET_ZEROED_PAGE: u32 = 1;
const PIN: u32 = 3;
const FROM_USER: u32 = 6;
const TO_USER: u32 = 7;
pub(super) const DRAW: u32 = 8;
const MESSAGE: u32 = 9;

/// Stack pages that one call may pin before it counts as a lockup.
pub(super) const MOST_PINS: u32 = 64;

/// Bytes of an entry of the ring.
const RING_ENTRY: u64 = 20;

/// What of the machine the flow depends on.
#[derive(Clone, Copy, Default)]
pub struct World {
    /// Three levels.
    pub pae: bool,
    /// Guest pages.
    pub pages: u32,
    /// Guest pages and device pages.
    pub device_limit: u32,
    /// Launcher address of guest page 0.
    pub mem_base: u32,
    /// Where the Switcher is.
    pub switcher: u32,
}

impl World {
    /// Bytes of an entry.
    pub fn entry(self) -> u32 {
        if self.pae { 8 } else { 4 }
    }

    /// The check that the host makes of a guest-physical address, in its 32 bits.
    pub fn address_ok(self, at: u32, len: u32) -> bool {
        let end = at.wrapping_add(len);
        end <= self.pages.wrapping_shl(12) && end >= at
    }
}

/// The lowest entry for an address in a shadow, if the tables above it are there.
pub fn leaf<S: Side>(side: &S, state: &State, slot: usize, vaddr: u32) -> Option<u64> {
    let root = state.slots[slot & 3].pgdir;
    if root == 0 {
        return None;
    }
    let chain = cpu::chain(side.host(), root, side.pae(), vaddr);
    chain.complete.then(|| chain.entries[chain.len - 1].1)
}

/// The way through one call; `None` is the end of what the host did before it crashed.
pub struct Flow<'a, S> {
    pub(super) side: &'a S,
    pub(super) world: World,
    calls: &'a [Call],
    out: &'a mut Vec<Record>,
    /// The state before the call, and as much of what the call changed as matters to the rest of it.
    pub(super) state: State,
}

impl<'a, S: Side<Host = SimHost>> Flow<'a, S> {
    /// At the beginning of a call that is over by now.
    pub fn new(
        side: &'a S,
        world: World,
        calls: &'a [Call],
        out: &'a mut Vec<Record>,
        state: State,
    ) -> Self {
        Flow {
            side,
            world,
            calls,
            out,
            state,
        }
    }

    pub(super) fn say(&mut self, depth: u8, letter: u8, numbers: &[u64]) {
        self.out.push(Record::new(depth, letter, numbers));
    }

    /// Takes the next kernel call, if it is of this kind.
    pub(super) fn next_if(&mut self, kind: u32) -> Option<&'a Call> {
        let (call, rest) = self.calls.split_first()?;
        if call.kind != kind {
            return None;
        }
        self.calls = rest;
        Some(call)
    }

    /// Takes kernel calls up to the next of this kind; what is passed over on the way is told as it comes.
    pub(super) fn seek(&mut self, depth: u8, kind: u32) -> Option<&'a Call> {
        loop {
            let (call, rest) = self.calls.split_first()?;
            self.calls = rest;
            if call.kind == kind {
                return Some(call);
            }
            self.tell(depth, call);
        }
    }

    /// Takes what is left, telling it.
    pub fn rest(&mut self, depth: u8) {
        while let Some((call, rest)) = self.calls.split_first() {
            self.calls = rest;
            self.tell(depth, call);
        }
    }

    /// Tells a kernel call by itself.
    pub(super) fn tell(&mut self, depth: u8, call: &Call) {
        let len = call.a >> 32 & 0xffff;
        match call.kind {
            PIN => self.pin(depth, call),
            FROM_USER | TO_USER if len == u64::from(self.world.entry()) => {
                let letter = if call.kind == FROM_USER { b'r' } else { b'w' };
                let at = (call.a as u32).wrapping_sub(self.world.mem_base);
                self.say(depth, letter, &[at.into(), value(call)]);
            }
            MESSAGE => self.out.push(Record::message(depth, &call.bytes)),
            _ => {}
        }
    }

    /// Takes this many copies to or from the guest, telling what comes between them alone.
    pub(super) fn skip_copies(&mut self, mut count: u32) {
        while let Some((call, rest)) = self.calls.split_first().filter(|_| count != 0) {
            self.calls = rest;
            match call.kind {
                FROM_USER | TO_USER => count -= 1,
                _ => self.tell(0, call),
            }
        }
    }

    /// An entry of the ring is fetched next.
    pub(super) fn runs_ring(&self) -> bool {
        let next = self.calls.first();
        next.is_some_and(|call| call.kind == FROM_USER && call.a >> 32 & 0xffff == RING_ENTRY)
    }

    fn pin(&mut self, depth: u8, call: &Call) {
        let page = (call.a as u32).wrapping_sub(self.world.mem_base) >> 12;
        let write = u64::from(call.a >> 32 != 0);
        let ok = u64::from(call.b as u32 != u32::MAX);
        self.say(depth, b'f', &[page.into(), write, ok]);
    }

    /// Tells a message, if one comes now.
    pub(super) fn message(&mut self, depth: u8) {
        if let Some(call) = self.next_if(MESSAGE) {
            self.tell(depth, call);
        }
    }

    /// A guest entry is read: its value, 0 if that fails.
    fn read(&mut self, depth: u8, at: u32) -> Option<u64> {
        if !self.world.address_ok(at, self.world.entry()) {
            self.message(depth);
            self.say(depth, b'r', &[at.into(), 0]);
            return Some(0);
        }
        let call = self.seek(depth, FROM_USER)?;
        if call.a >> 48 & 1 == 0 {
            self.message(depth);
        }
        self.tell(depth, call);
        Some(value(call))
    }

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

/// The bytes that a copy moved, as a number; 0 if it failed.
fn value(call: &Call) -> u64 {
    call.bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
