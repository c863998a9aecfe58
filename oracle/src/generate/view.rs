// SPDX-License-Identifier: GPL-2.0-or-later
//! The running world as a generator sees it: shadow state, and the guest's own tables as the host would read them.

use lguest_engine::{Machine, Machinery, Runner, Side, SlotState, State};

use super::paging::{P, PSE, Paging, TABLE};

/// What the guest's tables say of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Walk {
    /// Some level is not present.
    Absent,
    /// An entry cannot be read, or the host takes it for an offence.
    Bad,
    /// An entry at this guest-physical address with this value.
    Entry(u32, u64),
}

/// The world before the step that is being chosen.
pub(super) struct View<'a, S> {
    world: &'a Runner<S>,
    machine: &'a Machine,
    paging: Paging,
}

impl<'a, S: Side> View<'a, S> {
    #[inline(always)]
    pub fn new(world: &'a Runner<S>, machine: &'a Machine) -> Self {
        View {
            world,
            machine,
            paging: Paging {
                pae: world.side.pae(),
            },
        }
    }

    /// What the shadow code keeps outside of tables; what is not asked for is not read.
    #[inline(always)]
    pub fn state(&self) -> State {
        self.world.side.state()
    }

    /// The shadow in use.
    #[inline]
    fn current(&self) -> SlotState {
        self.world.side.slot(self.state().cpu_pgd as usize & 3)
    }

    /// The page directory in use, as the guest named it.
    #[inline]
    pub fn gpgdir(&self) -> u32 {
        self.current().gpgdir
    }

    /// Guest-physical address of `lguest_data`.
    pub fn lguest_data(&self) -> u32 {
        self.state().lguest_data.wrapping_sub(self.machine.mem_base)
    }

    /// One of the four shadows stands for this page directory.
    pub fn knows(&self, gpgdir: u32) -> bool {
        self.state()
            .slots
            .iter()
            .any(|slot| slot.pgdir != 0 && slot.gpgdir == gpgdir)
    }

    /// An entry of the guest's tables; nothing if the host cannot read it.
    #[inline]
    pub fn entry(&self, at: u32) -> Option<u64> {
        if !self.in_memory(at, self.paging.entry()) {
            return None;
        }
        let host = self.world.side.host();
        // Reads of a known length, which the host has a short way for.
        if self.paging.pae {
            let mut bytes = [0; 8];
            let done = host.guest_read(at, &mut bytes);
            done.then(|| u64::from_le_bytes(bytes))
        } else {
            let mut bytes = [0; 4];
            let done = host.guest_read(at, &mut bytes);
            done.then(|| u32::from_le_bytes(bytes).into())
        }
    }

    /// The host takes these bytes for guest memory; in 32 bits, as it counts.
    pub fn in_memory(&self, at: u32, len: u32) -> bool {
        let end = at.wrapping_add(len);
        end <= self.machine.pages.wrapping_mul(4096) && end >= at
    }

    fn bad_table(&self, entry: u64, allowed: u64) -> bool {
        entry & 0xfff & !allowed != 0 || entry >> 12 >= u64::from(self.machine.pages)
    }

    /// The lowest-level entry for an address below the page directory `gpgdir`.
    pub fn walk(&self, gpgdir: u32, vaddr: u32) -> Walk {
        let Some(mut table) = self.entry(self.paging.top_at(gpgdir, vaddr)) else {
            return Walk::Bad;
        };
        if table & P == 0 {
            return Walk::Absent;
        }
        if self.bad_table(table, self.paging.top_flags()) {
            return Walk::Bad;
        }
        if self.paging.pae {
            let Some(middle) = self.entry(self.paging.middle_at((table >> 12) as u32, vaddr))
            else {
                return Walk::Bad;
            };
            if middle & P == 0 {
                return Walk::Absent;
            }
            if self.bad_table(middle, TABLE) {
                return Walk::Bad;
            }
            table = middle;
        }
        let at = self.paging.last_at((table >> 12) as u32, vaddr);
        self.entry(at)
            .map_or(Walk::Bad, |entry| Walk::Entry(at, entry))
    }

    /// The entry makes an access fault for good: I/O memory.
    pub fn is_device(&self, entry: u64) -> bool {
        let frame = self.paging.frame(entry);
        entry & PSE == 0
            && frame >= u64::from(self.machine.pages)
            && frame < u64::from(self.machine.device_limit())
    }

    /// The entry names memory that the guest has.
    pub fn is_memory(&self, entry: u64) -> bool {
        entry & PSE == 0 && self.paging.frame(entry) < u64::from(self.machine.pages)
    }

    /// The current shadow claims the Switcher and has it: without its tables, a run crashes the host.
    #[inline(always)]
    pub fn can_run(&self) -> bool {
        let slot = self.current();
        if !slot.switcher_mapped {
            return false;
        }
        // Where it ran last, nothing is looked up.
        if slot.last_host_cpu as u32 == self.world.side.host().cpu() {
            return true;
        }
        let last = self
            .machine
            .switcher
            .wrapping_add((self.machine.switcher_pages() - 1) << 12);
        self.shadowed(slot.pgdir, self.machine.switcher) && self.shadowed(slot.pgdir, last)
    }

    /// There is a lowest-level shadow table for an address.
    pub fn shadowed(&self, pgdir: u32, vaddr: u32) -> bool {
        let host = self.world.side.host();
        let words_each = self.paging.entry() as usize / 4;
        let entry = |table: u32, index: u32| {
            host.table(table >> 12)
                .map_or(0, |words| words[(index as usize * words_each) & 1023].get())
        };
        let top = entry(pgdir, self.paging.top(vaddr));
        if top & 1 == 0 || !self.paging.pae {
            return top & 1 != 0;
        }
        entry(top, (vaddr >> 21) & 511) & 1 != 0
    }
}
