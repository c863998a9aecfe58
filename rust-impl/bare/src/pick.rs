// SPDX-License-Identifier: GPL-2.0-or-later
//! Chooses what the processor is asked: pages that are mapped, their neighbours, and addresses anywhere.

use core::cell::Cell;

use lguest_engine::cpu::{NX, P};
use lguest_engine::{Machinery, Side};

use crate::cross::{Access, BATCH, Kind, SPARE};
use crate::host::RealHost;
use crate::probe::{Probe, Root};

/// Most pages that are remembered as mapped.
const PAGES: usize = 4096;
/// Accesses to data at once.
const DATA: usize = 48;
/// Fetches at once.
const FETCHES: usize = 12;

/// A generator of numbers that is good enough to choose by.
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed | 1)
    }

    /// The next number.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(end)) >> 32) as u32
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// Pages that are mapped in some tables.
pub struct Mapped {
    pages: [Cell<u32>; PAGES],
    len: Cell<usize>,
}

// SAFETY: one processor runs all of this.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// None.
    pub const fn new() -> Self {
        Mapped {
            pages: [const { Cell::new(0) }; PAGES],
            len: Cell::new(0),
        }
    }

    /// Finds those of the tables at `root`.
    fn find(&self, probe: &Probe<'_>, host: &RealHost, root: Root, pae: bool) {
        self.len.set(0);
        if pae {
            for i in 0..4 {
                let entry = probe.entry(root.pa + 8 * i);
                if entry & P != 0 {
                    self.below(probe, host, entry as u32, i << 30, 21, true);
                }
            }
        } else {
            self.below(probe, host, root.pa, 0, 22, false);
        }
    }

    /// Those below one table of the last level but one.
    fn below(
        &self,
        probe: &Probe<'_>,
        host: &RealHost,
        table: u32,
        first: u32,
        shift: u32,
        pae: bool,
    ) {
        let (size, count) = if pae { (8, 512) } else { (4, 1024) };
        let table = table & 0xffff_f000;
        if !host.tables.known(table >> 12) {
            return;
        }
        for i in 0..count {
            let entry = probe.entry(table + size * i);
            let low = entry as u32 & 0xffff_f000;
            if entry & P == 0 || !host.tables.known(low >> 12) {
                continue;
            }
            for k in 0..count {
                if probe.entry(low + size * k) & P != 0 {
                    if let Some(page) = self.pages.get(self.len.get()) {
                        page.set(first + (i << shift) + (k << 12));
                        self.len.set(self.len.get() + 1);
                    }
                }
            }
        }
    }

    fn any(&self, dice: &mut Dice) -> u32 {
        match self.len.get() {
            0 => dice.word(),
            len => self.pages[dice.below(len as u32) as usize].get(),
        }
    }
}

/// An address to ask about, made fit for what lies there.
fn address(
    mapped: &Mapped,
    probe: &Probe<'_>,
    host: &RealHost,
    root: Root,
    dice: &mut Dice,
) -> u32 {
    let page = match dice.below(16) {
        0..=9 => mapped.any(dice),
        10..=12 => mapped
            .any(dice)
            .wrapping_add(dice.below(5) << 12)
            .wrapping_sub(2 << 12),
        13 | 14 => mapped.any(dice) & 0xffc0_0000 | dice.word() & 0x003f_f000,
        _ => dice.word(),
    } & 0xffff_f000;
    let chain = probe.chain(root, page);
    let leaf = chain.entries[chain.len.max(1) - 1].1;
    let pfn = (leaf >> 12) as u32;
    if chain.complete && leaf & P != 0 && !host.is_guest(pfn) {
        page | SPARE
    } else {
        page | dice.word() & 0xffc
    }
}

/// Whether the processor can be asked about an address: the walk ends in tables that the walker knows.
fn known(probe: &Probe<'_>, root: Root, vaddr: u32) -> bool {
    let chain = probe.chain(root, vaddr);
    chain.complete || chain.len > 0 && chain.entries[chain.len - 1].1 & P == 0
}

const NO_ACCESS: Access = Access {
    vaddr: 0,
    kind: Kind::Read,
    user: false,
    value: 0,
};

/// Four batches about one root: data and instructions, from ring 0 and from ring 3.
pub fn ask(
    probe: &mut Probe<'_>,
    host: &RealHost,
    mapped: &Mapped,
    root: Root,
    dice: &mut Dice,
    changed: Option<u32>,
) {
    for (user, fetch) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut accesses = [NO_ACCESS; BATCH];
        let mut len = 0;
        for _ in 0..if fetch { FETCHES } else { DATA } {
            let vaddr = match changed {
                Some(near) if !dice.one_in(4) => {
                    near & 0xffff_f000 | address(mapped, probe, host, root, dice) & 0xffc
                }
                _ => address(mapped, probe, host, root, dice),
            };
            let chain = probe.chain(root, vaddr);
            let leaf = chain.entries[chain.len.max(1) - 1].1;
            let guest = host.is_guest((leaf >> 12) as u32);
            let vaddr = if chain.complete && leaf & P != 0 && !guest {
                vaddr & 0xffff_f000 | SPARE
            } else {
                vaddr
            };
            if !known(probe, root, vaddr) {
                continue;
            }
            accesses[len] = Access {
                vaddr,
                kind: if fetch {
                    Kind::Fetch
                } else if dice.one_in(2) {
                    Kind::Write
                } else {
                    Kind::Read
                },
                user,
                value: dice.word(),
            };
            len += 1;
        }
        if len != 0 {
            probe.batch(root, &mut accesses[..len], changed.is_some());
        }
    }
}

/// The bits that one may change in an entry to see what the processor makes of them: not those of the address.
fn bit(pae: bool, top: bool, last: bool, width: u32, dice: &mut Dice) -> u64 {
    if pae && top {
        // The others are checked when CR3 is loaded, not in a walk.
        return P;
    }
    if pae && dice.one_in(2) {
        let reserved = width + dice.below(63 - width);
        return if dice.one_in(2) { NX } else { 1 << reserved };
    }
    if dice.one_in(2) {
        // Present, writable, open to user mode.
        return 1 << dice.below(3);
    }
    // No large pages: the shadow has none, and the walker does not know them.
    let bits: &[u32] = if last {
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    } else {
        &[0, 1, 2, 5, 6, 8, 9, 10, 11]
    };
    1 << bits[dice.below(bits.len() as u32) as usize]
}

/// Asks about all tables of a side: those in use, those of another slot sometimes, and sometimes with a bit changed.
pub fn ask_all<S: Side<Host = RealHost>>(
    probe: &mut Probe<'_>,
    side: &S,
    mapped: &Mapped,
    width: u32,
    dice: &mut Dice,
) {
    let (host, state, pae) = (side.host(), side.state(), side.pae());
    let slot = if dice.one_in(4) {
        dice.below(4)
    } else {
        state.cpu_pgd & 3
    };
    let slot = state.slots[slot as usize];
    if !host.tables.known(slot.pgdir >> 12) {
        return;
    }
    let root = Root {
        pa: slot.pgdir,
        cpu: u32::try_from(slot.last_host_cpu).ok(),
    };
    mapped.find(probe, host, root, pae);
    ask(probe, host, mapped, root, dice, None);
    if !dice.one_in(4) {
        return;
    }
    // One bit of one entry on the way to a page is changed, but of none on the way to the Switcher.
    let vaddr = mapped.any(dice);
    let chain = probe.chain(root, vaddr);
    if chain.len == 0 {
        return;
    }
    let level = dice.below(chain.len as u32) as usize;
    let (pa, old) = chain.entries[level];
    if old & P == 0 || probe.switcher_goes_through(root, pa) {
        return;
    }
    let flip = bit(pae, level == 0, level + 1 == chain.len, width, dice);
    probe.set(pa, old ^ flip);
    ask(probe, host, mapped, root, dice, Some(vaddr));
    probe.set(pa, old);
}

/// The tables in use, if the side has any.
pub fn current<S: Side<Host = RealHost>>(side: &S) -> Option<Root> {
    let state = side.state();
    let slot = state.slots[state.cpu_pgd as usize & 3];
    side.host().table(slot.pgdir >> 12)?;
    Some(Root {
        pa: slot.pgdir,
        cpu: u32::try_from(slot.last_host_cpu).ok(),
    })
}
