// SPDX-License-Identifier: GPL-2.0-or-later
//! The records of hypercalls: what stands around and between the faults and pins that they make.

use lguest_engine::{Side, State};

use super::flow::{DRAW, Flow, GET_ZEROED_PAGE, MOST_PINS, leaf};
use crate::sim::SimHost;

/// Hypercalls by number.
const LGUEST_INIT: u32 = 1;
const NEW_PGTABLE: u32 = 4;
const FLUSH_TLB: u32 = 5;
const SET_STACK: u32 = 7;
const SET_PMD: u32 = 13;
const SET_PTE: u32 = 14;
const SET_PGD: u32 = 15;

const ACCESSED_OR_DIRTY: u64 = 0x60;
/// Present and writable.
const WRITABLE: u64 = 3;

/// What a hypercall is about to change, as it is before.
#[derive(Default)]
pub struct Before {
    /// A bit for each stack page of a SET_STACK, whether it is mapped writable.
    writable: u64,
    /// The entries that a SET_PTE finds, by slot.
    entries: [Option<u64>; 4],
    /// The top-level entry that a SET_PGD drops, and its slot.
    top: Option<(usize, u64)>,
}

fn find_pgdir(state: &State, gpgdir: u32) -> Option<usize> {
    let shadows = |slot: &lguest_engine::SlotState| slot.pgdir != 0 && slot.gpgdir == gpgdir;
    state.slots.iter().position(shadows)
}

impl Before {
    /// Looks at what the call will change.
    pub fn of<S: Side>(side: &S, state: &State, switcher: u32, args: &[u32; 5]) -> Before {
        let mut before = Before::default();
        let [number, a, b, c, _] = *args;
        match number {
            SET_STACK => {
                for i in 0..c.min(MOST_PINS) {
                    let vaddr = stack_page(b, i);
                    let entry = leaf(side, state, state.cpu_pgd as usize, vaddr);
                    let writable =
                        vaddr < switcher && entry.is_some_and(|e| e & WRITABLE == WRITABLE);
                    before.writable |= u64::from(writable) << i;
                }
            }
            SET_PTE => {
                let one = find_pgdir(state, a);
                for (slot, entry) in before.entries.iter_mut().enumerate() {
                    let named = if b >= state.kernel_address {
                        state.slots[slot].pgdir != 0
                    } else {
                        one == Some(slot)
                    };
                    if named {
                        *entry = leaf(side, state, slot, b);
                    }
                }
            }
            SET_PGD => {
                let size = if side.pae() { 8 } else { 4 };
                let at = |slot: usize| state.slots[slot].pgdir.checked_add(b.checked_mul(size)?);
                before.top = find_pgdir(state, a)
                    .filter(|_| b < 4096 / size)
                    .and_then(|slot| {
                        let entry = lguest_engine::cpu::entry(side.host(), at(slot)?, side.pae())?;
                        Some((slot, entry))
                    });
            }
            _ => {}
        }
        before
    }
}

/// Address of a stack page that is pinned.
fn stack_page(esp: u32, i: u32) -> u32 {
    esp.wrapping_sub(1).wrapping_sub(i.wrapping_mul(4096))
}

impl<S: Side<Host = SimHost>> Flow<'_, S> {
    /// A hypercall; nothing is told of one that runs the ring first.
    pub fn hypercall(&mut self, args: &[u32; 5], before: &Before) -> Option<()> {
        let [number, a, b, c, d] = *args;
        if self.state.lguest_data == 0 {
            return match number {
                LGUEST_INIT => self.init(),
                _ => Some(()),
            };
        }
        // The ring's status bytes; what a ring does next cannot be told apart.
        self.skip_copies(1);
        if self.runs_ring() {
            return None;
        }
        let slot = u64::from(self.state.cpu_pgd);
        match number {
            NEW_PGTABLE => return self.new_pagetable(a),
            FLUSH_TLB if a == 0 => self.say(0, b'U', &[slot]),
            FLUSH_TLB => return self.clear_all(0),
            SET_STACK => {
                self.say(0, b'K', &[a.into(), b.into(), c.into()]);
                self.message(1);
                self.pins(1, |i| before.writable >> i & 1 != 0)?;
                self.rest(1);
                self.say(0, b'k', &[]);
            }
            SET_PMD if self.world.pae => {
                self.say(0, b'M', &[a.into(), b.into()]);
                return self.clear_all(1);
            }
            SET_PTE => {
                let pte = u64::from(c)
                    | if self.world.pae {
                        u64::from(d) << 32
                    } else {
                        0
                    };
                self.say(0, b'S', &[a.into(), b.into(), pte]);
                if b < self.world.switcher {
                    self.set_pte(b, pte, before)?;
                }
            }
            SET_PGD => {
                self.say(0, b'G', &[a.into(), b.into(), slot]);
                let most = if self.world.pae { 4 } else { 1024 };
                if let Some((slot, entry)) = before.top.filter(|_| b <= most) {
                    self.say(0, b'q', &[slot as u64, entry & 0xfff]);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn set_pte(&mut self, vaddr: u32, pte: u64, before: &Before) -> Option<()> {
        let after = self.side.state();
        for (slot, old) in before.entries.iter().enumerate() {
            let Some(old) = old else { continue };
            if pte & ACCESSED_OR_DIRTY != 0 && !self.in_iomem(pte) {
                if self.good(pte) {
                    self.pinned(0)?;
                } else {
                    self.message(0);
                }
            }
            let new = leaf(self.side, &after, slot, vaddr).unwrap_or(0);
            self.say(
                0,
                b't',
                &[slot as u64, vaddr.into(), old & 0xfff, new & 0xfff],
            );
        }
        Some(())
    }

    /// LGUEST_INIT makes five copies of its own before it throws all away; none of them is a table's entry.
    fn init(&mut self) -> Option<()> {
        let after = self.side.state();
        if after.lguest_data != 0 {
            let reserved = 0_u32.wrapping_sub(self.world.switcher);
            let data = after.lguest_data.wrapping_sub(self.world.mem_base);
            let opener = [after.kernel_address.into(), reserved.into(), data.into()];
            self.say(0, b'B', &opener);
            self.skip_copies(5);
            return self.clear_all(0);
        }
        Some(())
    }

    /// Throws away all shadows; nothing is mapped writable then.
    fn clear_all(&mut self, depth: u8) -> Option<()> {
        self.say(depth, b'C', &[]);
        self.pins(depth + 1, |_| false)?;
        self.rest(depth + 1);
        self.say(depth, b'c', &[]);
        Some(())
    }

    /// `__guest_pa`, alone or within `guest_pa`, of which what was found is not known.
    pub(super) fn look_up(
        &mut self,
        vaddr: u32,
        found: Option<bool>,
        paddr: Option<u32>,
    ) -> Option<()> {
        let (linear, slot) = (self.state.linear_pages, self.state.cpu_pgd);
        self.say(0, b'A', &[vaddr.into(), linear.into(), slot.into()]);
        let told = self.translate(1, vaddr)?;
        let found = found.unwrap_or(told.is_some());
        self.say(0, b'a', &[found.into(), paddr?.into()]);
        Some(())
    }

    fn pins(&mut self, depth: u8, writable: impl Fn(u32) -> bool) -> Option<()> {
        let state = self.side.state();
        for i in 0..state.stack_pages.min(MOST_PINS) {
            let vaddr = stack_page(state.esp1, i);
            self.say(depth, b'P', &[vaddr.into(), writable(i).into()]);
            if !writable(i) && !self.demand(depth + 1, vaddr, 2, None)? {
                self.message(depth);
            }
        }
        Some(())
    }

    fn new_pagetable(&mut self, pgtable: u32) -> Option<()> {
        let before = self.state;
        let old = u64::from(before.cpu_pgd);
        self.say(0, b'N', &[pgtable.into(), before.linear_pages.into(), old]);
        let known = !before.linear_pages && find_pgdir(&before, pgtable).is_some();
        let mut blank = false;
        if !known {
            blank = self.draw(1, &before)?;
        }
        let after = self.side.state();
        self.state = after;
        if blank {
            self.pins(1, |_| false)?;
        }
        self.rest(1);
        self.say(0, b'n', &[after.cpu_pgd.into(), blank.into()]);
        Some(())
    }

    /// A slot is drawn: whether its page was allocated just then.
    pub(super) fn draw(&mut self, depth: u8, before: &State) -> Option<bool> {
        let drawn = (self.seek(depth, DRAW)?.a % 4) as usize;
        let slot = before.slots[drawn];
        let fresh = slot.pgdir == 0 && self.next_if(GET_ZEROED_PAGE)?.a != 0;
        let numbers = [drawn as u64, fresh.into(), slot.gpgdir.into()];
        self.say(depth, b'R', &numbers);
        Some(fresh)
    }
}
