// SPDX-License-Identifier: GPL-2.0-or-later
//! **Told.** An entry gives a translation that the guest's own tables gave at the last fault walk or SET_PTE that
//! concerned that page, unless a hypercall since promised the guest to drop it.
//!
//! To show: of each entry that becomes present, that the guest's SET_PTE or its tables, read by a walker that shares no
//! code with the port, name that page with these rights or more; and after each call that promises to drop entries,
//! that those it speaks of are gone or were told anew. Plain writes to guest tables tell nothing. Rights are those of
//! the lowest level: an upper level is told when its table is made. A kernel's entry that a slot keeps when it is given
//! to another table was told by the table before; that the halves are equal is the guest's affair.

use lguest_engine::State;

use super::course::{Call, Chosen, Course, Slots};
use super::mirror::Mirror;
use super::walk::{self, Told, WRITE};
use crate::sim::SimHost;

/// Hypercall numbers.
pub mod number {
    #![allow(missing_docs)] // the kernel's names
    pub const LGUEST_INIT: u32 = 1;
    pub const NEW_PGTABLE: u32 = 4;
    pub const FLUSH_TLB: u32 = 5;
    pub const SET_STACK: u32 = 7;
    pub const SET_PMD: u32 = 13;
    pub const SET_PTE: u32 = 14;
    pub const SET_PGD: u32 = 15;
}

/// An entry that became present in this step and is still to be held against what the guest says.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Its address.
    pub vaddr: u32,
    /// Frame of its top level.
    pub root: u32,
    /// The page that was pinned for it.
    pub page: u32,
    /// Its rights, as bits of an entry.
    pub rights: u32,
    /// When its pin was made.
    pub clock: u32,
    /// When it was stored,
    pub stored: u32,
    /// by a call.
    pub by_call: bool,
}

/// What is said of it is not what it does.
pub const OTHER_PAGE: &str = "an entry maps another page than the guest's tables say";
/// It gives more.
pub const MORE: &str = "an entry gives a right that the guest's tables do not";
/// Nothing is said of it.
pub const NOWHERE: &str = "an entry maps what the guest's tables do not";
/// A promise was not kept.
pub const OUTLIVED: &str = "an entry outlives the call that drops it";
/// The guest's choice of tables was not followed.
pub const CHOICE: &str = "the slots do not go by the tables that the guest chose";
/// A promise that was kept in one of two slots which go by the same name.
pub const TWIN: &str =
    "an entry of a second slot for the same table outlives the call that drops it";

/// What the guest said of a fresh entry by SET_PTE: nothing if it was not that call that stored it.
pub fn by_update(fresh: &Fresh, course: &Course, pae: bool) -> Option<Option<Told>> {
    let call = course.at(fresh.stored).filter(|_| fresh.by_call)?;
    let [number, _, vaddr, low, high] = call.args;
    if number != number::SET_PTE || vaddr >> 12 != fresh.vaddr >> 12 {
        return None;
    }
    let high = if pae { u64::from(high) << 32 } else { 0 };
    Some(walk::told(u64::from(low) | high, pae))
}

/// What is wrong with an entry of which the guest says this.
pub fn against(fresh: &Fresh, told: Option<Told>) -> Option<&'static str> {
    let Some(told) = told else {
        return Some(NOWHERE);
    };
    if !same_page(told.page, fresh.page) {
        Some(OTHER_PAGE)
    } else if u64::from(fresh.rights) & !told.rights != 0 {
        Some(MORE)
    } else {
        None
    }
}

/// A page that the guest told is the one that was pinned: the launcher's addresses have 32 bits, and what they cannot
/// tell apart is the launcher's affair.
pub fn same_page(told: u64, pinned: u32) -> bool {
    (told as u32 ^ pinned) & 0xf_ffff == 0
}

/// The page that the guest told of an address in the tables that a slot shadows.
pub fn page(host: &SimHost, chosen: &Chosen, slot: usize, pae: bool, vaddr: u32) -> Option<u64> {
    if chosen.linear {
        return Some(linear(vaddr).page);
    }
    let said = walk::guest(host, chosen.name(slot)?, pae, vaddr);
    Some(said.told?.page)
}

/// What a guest without tables of its own has: every page at its own address, for its kernel.
pub fn linear(vaddr: u32) -> Told {
    Told {
        page: u64::from(vaddr >> 12),
        rights: WRITE,
    }
}

/// What the guest's tables say of a fresh entry, under the name that its slot had then, with the pages they stand on:
/// `chosen` after the call that pinned for it, or as the fields say.
#[inline(always)]
pub fn by_tables(
    host: &SimHost,
    state: &State,
    chosen: Option<&Chosen>,
    pae: bool,
    fresh: &Fresh,
) -> Option<walk::Said> {
    if chosen.map_or(state.linear_pages, |chosen| chosen.linear) {
        return Some(walk::Said {
            told: Some(linear(fresh.vaddr)),
            ..walk::Said::default()
        });
    }
    let is = |slot: &lguest_engine::SlotState| slot.pgdir != 0 && slot.pgdir >> 12 == fresh.root;
    let slot = state.slots.iter().position(is)?;
    let name = match chosen {
        Some(chosen) => chosen.name(slot)?,
        None => state.slots[slot].gpgdir,
    };
    Some(walk::guest(host, name, pae, fresh.vaddr))
}

/// Where promises are to be kept.
pub struct Promises<'a> {
    /// The fields after the step; no slot changes its top level once it has one.
    pub state: &'a State,
    /// What the calls chose.
    pub course: &'a Course,
    /// Three levels.
    pub pae: bool,
    /// The Switcher's first address.
    pub switcher: u32,
}

impl Promises<'_> {
    /// An address whose entry outlived a call that promised to drop it, and what is wrong.
    #[inline(always)]
    pub fn broken(
        &self,
        host: &SimHost,
        mirror: &mut Mirror,
        call: &Call,
    ) -> Option<(u32, &'static str)> {
        let vaddr = self.outlived(host, mirror, call)?;
        let [number, gpgdir, ..] = call.args;
        let by_name = matches!(number, number::SET_PTE | number::SET_PGD);
        let twins = by_name && self.course.before(call).named(gpgdir).count() > 1;
        Some((vaddr, if twins { TWIN } else { OUTLIVED }))
    }

    fn outlived(&self, host: &SimHost, mirror: &mut Mirror, call: &Call) -> Option<u32> {
        let [number, a1, a2, ..] = call.args;
        let before = self.course.before(call);
        let top = self.switcher - 1;
        let users = || Some(self.state.kernel_address.checked_sub(1)?.min(top));
        let (slots, first, last) = match number {
            number::SET_PTE => return self.page_outlived(host, mirror, call),
            number::SET_PGD => {
                let shift = if self.pae { 30 } else { 22 };
                if a2 >> (32 - shift) != 0 {
                    return None;
                }
                let first = a2 << shift;
                let last = (first | ((1 << shift) - 1)).min(top);
                (before.named(a1), first, last)
            }
            number::FLUSH_TLB if a1 == 0 => (Slots::one(before.current()), 0, users()?),
            number::FLUSH_TLB => (before.used(), 0, top),
            // Of a guest that lives: a second one kills.
            number::LGUEST_INIT => (before.used(), 0, top),
            number::SET_PMD if self.pae => (before.used(), 0, top),
            number::NEW_PGTABLE if before.linear => (before.used(), 0, top),
            number::NEW_PGTABLE => {
                // A slot that had no tables has nothing to drop.
                let took = Slots::one(usize::from(call.took?));
                (took.among(before.used()), 0, users()?)
            }
            _ => return None,
        };
        let mut roots = [None; 4];
        for slot in slots {
            roots[slot] = Some(self.state.slots[slot].pgdir >> 12);
        }
        mirror.outlived(roots, (first, last), call.clock)
    }

    /// The same of SET_PTE: the page it speaks of.
    #[inline]
    fn page_outlived(&self, host: &SimHost, mirror: &mut Mirror, call: &Call) -> Option<u32> {
        let [_, gpgdir, vaddr, ..] = call.args;
        let before = self.course.before(call);
        let slots = match vaddr {
            vaddr if vaddr >= self.switcher => Slots::NONE,
            vaddr if vaddr >= self.state.kernel_address => before.used(),
            _ => before.named(gpgdir),
        };
        let mut found = None;
        for slot in slots {
            let root = self.state.slots[slot].pgdir;
            if let Some(at) = walk::shadow(host, root, self.pae, vaddr)
                && mirror.renew(at.pa, call.clock)
            {
                found = Some(vaddr & !0xfff);
            }
        }
        found
    }
}
