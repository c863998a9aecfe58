// SPDX-License-Identifier: GPL-2.0-or-later
//! What a recording host would have logged of a call, told from the kernel calls that the call made.
//!
//! The kernel calls say in which order guest tables were read, pages pinned and messages made. Where in the shadow
//! code that was follows from the values, so the flow of the code is gone through once more beside them. What a
//! side does against that flow is still told, in the place where it was done.

use lguest_engine::{Side, State, cpu};

use super::Record;
use crate::sim::{Call, SimHost};

/// Kernel calls by number.
pub(super) const GET_ZEROED_PAGE: u32 = 1;
pub(super) const PIN: u32 = 3;
const FROM_USER: u32 = 6;
pub(super) const TO_USER: u32 = 7;
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
    pub(super) calls: &'a [Call],
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

    pub(super) fn pin(&mut self, depth: u8, call: &Call) {
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
    pub(super) fn read(&mut self, depth: u8, at: u32) -> Option<u64> {
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
}

/// The bytes that a copy moved, as a number; 0 if it failed.
fn value(call: &Call) -> u64 {
    call.bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
