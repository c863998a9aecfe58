// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the probe's own pages are in the tables under test, and the one entry that is added where they are not.

use lguest_engine::cpu::{self, A, P, RW};

use super::{Probe, Root, store};
use crate::code::{LOAD, STORE, STORE_AT, user_code, window_tables};
use crate::cross::{Access, Frames, Place};
use crate::host::FIRST_DATA;
use crate::machine::frame;

/// Words that the code of user mode takes.
const CODE: usize = 8;

/// The code of user mode on a page of the guest's own.
pub struct Lodging {
    /// Where it begins.
    pub vaddr: u32,
    pfn: u32,
    first: usize,
    old: [u32; CODE],
}

impl Lodging {
    /// Puts back what was there.
    pub fn leave(self) {
        for (word, old) in frame(self.pfn)[self.first..].iter().zip(self.old) {
            word.set(old);
        }
    }
}

impl Probe<'_> {
    /// Puts the code of user mode on a page of the guest's that user mode may execute already, beside what the
    /// accesses reach there; nothing if there is no such page among theirs.
    pub(super) fn lodge(&mut self, root: Root, accesses: &[Access]) -> Option<Lodging> {
        let pages = core::iter::once(self.lodged).chain(accesses.iter().map(|a| a.vaddr));
        for page in pages.map(|vaddr| vaddr & 0xffff_f000) {
            let chain = self.chain(root, page);
            let rights = &chain.entries[usize::from(self.pae).min(chain.len)..chain.len];
            // Accessed already, for the fetch must change nothing; no bit that forbids it or is reserved.
            let open = |(_, entry): &(u32, u64)| {
                entry & (P | cpu::US | A) == P | cpu::US | A && entry >> 32 == 0
            };
            let Some((pfn, words)) = self
                .words(&chain)
                .filter(|(pfn, _)| self.host.is_guest(*pfn) && rights.iter().all(open))
            else {
                continue;
            };
            let mut taken = 0u128;
            for access in accesses {
                if self
                    .words(&self.chain(root, access.vaddr))
                    .is_some_and(|at| at.0 == pfn)
                {
                    taken |= 1 << ((access.vaddr & 0xfff) as usize / (4 * CODE));
                }
            }
            // There are more places than accesses.
            let first = taken.trailing_ones() as usize * CODE;
            let Some(place) = words.get(first..first + CODE) else {
                continue;
            };
            let mut old = [0; CODE];
            for (old, word) in old.iter_mut().zip(place) {
                *old = word.get();
            }
            place[0].set(LOAD);
            place[STORE_AT / 4].set(STORE);
            self.lodged = page;
            let vaddr = page + first as u32 * 4;
            return Some(Lodging {
                vaddr,
                pfn,
                first,
                old,
            });
        }
        None
    }

    /// Where the Switcher is in these tables, if its code can run there, and the frames of its pages.
    pub(super) fn switcher(&self, root: Root) -> (Option<Place>, Frames) {
        let cpu = root.cpu.unwrap_or(0);
        let frames = Frames {
            text: FIRST_DATA + 1,
            stack: FIRST_DATA,
            tables: FIRST_DATA + 1 + 2 * cpu + 2,
        };
        let base = self.switcher.wrapping_add((1 + 2 * cpu) << 12);
        let place = Place {
            text: self.switcher,
            stack: base,
            tables: base.wrapping_add(0x1000),
        };
        let there = |vaddr: u32, pfn: u32, wanted: u64, unwanted: u64| {
            let chain = self.chain(root, vaddr);
            let entries = &chain.entries[usize::from(self.pae).min(chain.len)..chain.len];
            chain.complete
                && entries
                    .iter()
                    .all(|(_, entry)| entry & wanted == wanted && entry & unwanted == 0)
                && entries
                    .last()
                    .is_some_and(|(_, entry)| entry >> 12 & 0xff_ffff_ffff == pfn.into())
        };
        let usable = root.cpu.is_some()
            && there(place.text, frames.text, P | A, cpu::NX)
            && there(place.stack, frames.stack, P | RW | A, 0)
            && there(place.tables, frames.tables, P | A, 0);
        (usable.then_some(place), frames)
    }

    /// Whether an entry is on the way to one of the Switcher's pages, or maps one.
    pub fn switcher_goes_through(&self, root: Root, pa: u32) -> bool {
        let cpu = root.cpu.unwrap_or(0);
        let pages = [0, 1 + 2 * cpu, 2 + 2 * cpu];
        pages.into_iter().any(|i| {
            let chain = self.chain(root, self.switcher.wrapping_add(i << 12));
            chain.entries[..chain.len].iter().any(|e| e.0 == pa)
        })
    }

    /// A free entry of an upper level that none of the accesses goes through: its level, physical address and the
    /// first address that it covers.
    pub(super) fn free_entry(&self, root: Root, accesses: &[Access]) -> Option<(usize, u32, u32)> {
        let free = |level: usize, table: u32, first: u32, shift: u32, count: u32| {
            let size = if self.pae { 8 } else { 4 };
            (0..count).rev().find_map(|i| {
                let (pa, covers) = (table + i * size, first + (i << shift));
                let used = accesses.iter().any(|a| a.vaddr >> shift == covers >> shift);
                (self.entry(pa) & P == 0 && !used).then_some((level, pa, covers))
            })
        };
        if !self.pae {
            return free(0, root.pa, 0, 22, 1024);
        }
        free(0, root.pa, 0, 30, 4).or_else(|| {
            (0..4).find_map(|i| {
                let entry = self.entry(root.pa + i * 8);
                let table = entry as u32 & 0xffff_f000;
                if entry & P == 0 || !self.host.tables.known(table >> 12) {
                    return None;
                }
                free(1, table, i << 30, 21, 512)
            })
        })
    }

    /// Moves the accesses of one absent entry of the top level to the end: how many others there are.
    pub(super) fn leave_out(&self, root: Root, accesses: &mut [Access]) -> usize {
        let (size, shift) = if self.pae { (8, 30) } else { (4, 22) };
        let absent = |a: &Access| self.entry(root.pa + (a.vaddr >> shift) * size) & P == 0;
        let Some(out) = accesses
            .iter()
            .find(|a| absent(a))
            .map(|a| a.vaddr >> shift)
        else {
            return 0;
        };
        let mut len = 0;
        for i in 0..accesses.len() {
            if accesses[i].vaddr >> shift != out {
                accesses.swap(i, len);
                len += 1;
            }
        }
        len
    }

    /// Adds an entry for the window, which has the code of user mode and, if `frames` says so, the Switcher's pages.
    pub(super) fn add_window(&self, level: usize, pa: u32, frames: Option<Frames>) {
        let [middle, low] = window_tables();
        frame(middle).iter().for_each(|word| word.set(0));
        frame(low).iter().for_each(|word| word.set(0));
        let size = if self.pae { 8 } else { 4 };
        let page = |i: u32, pfn: u32, flags: u64| {
            store(
                (low << 12) + i * size,
                self.pae,
                u64::from(pfn) << 12 | flags,
            );
        };
        page(16, user_code(), 0x25);
        if let Some(frames) = frames {
            page(17, frames.text, 0x21);
            page(18, frames.stack, 0x63);
            page(19, frames.tables, 0x21);
        }
        if self.pae && level == 0 {
            store(middle << 12, true, u64::from(low) << 12 | 0x67);
            store(pa, true, u64::from(middle) << 12 | 1);
        } else {
            store(pa, self.pae, u64::from(low) << 12 | 0x67);
        }
    }
}
