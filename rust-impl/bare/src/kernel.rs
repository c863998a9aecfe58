// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel calls that the port makes: counted, failed where the step plans it, and kept for the recording.

use lguest_engine::draw::draw;
use lguest_engine::{KernelCall, Machinery};
use lguest_shadow::{BugKind, Entry, Host, HostBug, Mode, NoPae, PRESENT, Pae, Slot};

use crate::host::{FIRST_DATA, MESSAGE, NONE, RealHost};

/// The table at a physical address, in the form of one paging mode.
pub trait TableOf<M: Mode> {
    /// As `Host::table`.
    fn table_of(&self, pa: u32) -> Option<&M::Table>;
}

impl TableOf<NoPae> for RealHost {
    fn table_of(&self, pa: u32) -> Option<&<NoPae as Mode>::Table> {
        self.tables.words(pa >> 12)
    }
}

impl TableOf<Pae> for RealHost {
    fn table_of(&self, pa: u32) -> Option<&<Pae as Mode>::Table> {
        self.tables.longs(pa >> 12)
    }
}

impl<M: Mode> Host<M> for RealHost
where
    RealHost: TableOf<M>,
{
    fn get_zeroed_page(&self) -> u32 {
        self.call(1);
        let fails = self.fails(&self.allocs, self.quals.get().fail_alloc);
        let pa = if fails { 0 } else { self.tables.get_zeroed() };
        self.keep(|| KernelCall::GetZeroedPage(pa != 0));
        pa
    }

    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.call(2);
        self.keep(|| KernelCall::FreePage((pa != 0).then(|| self.name(pa >> 12))));
        if pa == 0 || self.tables.free(pa) {
            Ok(())
        } else {
            Err(HostBug::new(BugKind::BadFree, pa >> 12))
        }
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.call(3);
        let fails = self.fails(&self.pins, self.quals.get().fail_pin);
        let address = self.guest_address(addr).filter(|_| !fails);
        let frame = address.and_then(|gpa| self.memory.resolve(gpa >> 12, write != 0));
        let (first, _) = self.data_frames();
        let pfn = frame.map(|k| first + 1 + self.machine.get().switcher_pages() + k);
        if let Some(held) = pfn.and_then(|pfn| self.held_of(pfn)) {
            held.set(held.get() + 1);
        }
        self.pinned.set(pfn.unwrap_or(NONE));
        self.keep(|| KernelCall::GetUserPagesFast {
            addr,
            write,
            got: pfn.map(|pfn| self.name(pfn)),
        });
        pfn
    }

    fn get_page(&self, pfn: u32) {
        self.call(4);
        self.keep(|| KernelCall::GetPage(self.name(pfn)));
        if let Some(held) = self.held_of(pfn) {
            held.set(held.get() + 1);
        }
    }

    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.call(5);
        self.keep(|| KernelCall::PutPage(self.name(pfn)));
        match self.held_of(pfn) {
            Some(held) if held.get() > 0 => {
                held.set(held.get() - 1);
                Ok(())
            }
            _ => Err(HostBug::new(BugKind::PutNotHeld, pfn)),
        }
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.call(6);
        let ok = !self.fails(&self.copies, self.quals.get().fail_copy)
            && self
                .guest_address(from)
                .is_some_and(|gpa| self.memory.read(gpa, to));
        let bytes = ok.then_some(&*to);
        self.keep(|| KernelCall::CopyFromUser { addr: from, bytes });
        ok
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.call(7);
        let ok = !self.fails(&self.copies, self.quals.get().fail_copy)
            && self
                .guest_address(to)
                .is_some_and(|gpa| self.memory.write(gpa, from));
        let bytes = ok.then_some(from);
        self.keep(|| KernelCall::CopyToUser { addr: to, bytes });
        ok
    }

    fn prandom_u32(&self) -> u32 {
        self.call(8);
        let nth = self.step_draws.get();
        self.step_draws.set(nth + 1);
        self.draws.set(self.draws.get() + 1);
        let seed = self.machine.get().seed;
        let value = draw(seed, &self.quals.get(), self.drawer.get(), nth);
        self.keep(|| KernelCall::PrandomU32(value));
        value
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        self.call(9);
        let fails = self.quals.get().fail_message;
        self.keep(|| KernelCall::Kasprintf(!fails));
        if fails {
            return false;
        }
        for (cell, byte) in self.message.iter().zip(text) {
            cell.set(*byte);
        }
        self.message_len.set(text.len().min(MESSAGE));
        true
    }

    fn smp_processor_id(&self) -> u32 {
        self.cpu.get()
    }

    fn nr_cpu_ids(&self) -> u32 {
        self.machine.get().cpus.into()
    }

    fn switcher_addr(&self) -> u32 {
        self.machine.get().switcher
    }

    fn switcher_page(&self, i: u32) -> u32 {
        FIRST_DATA.wrapping_add(1).wrapping_add(i)
    }

    fn supported_pte_mask(&self) -> u64 {
        self.machine.get().supported_pte_mask()
    }

    fn tsc_khz(&self) -> u32 {
        self.machine.get().tsc_khz
    }

    fn table(&self, pa: u32) -> Result<&M::Table, HostBug> {
        self.table_of(pa).ok_or_else(|| self.no_table(pa))
    }

    fn set_pte(&self, slot: &Slot<'_, M>, value: M::Entry) {
        let pinned = self.pinned.replace(NONE);
        if pinned != NONE && pinned == value.pte_pfn() && !value.has(PRESENT) {
            self.orphaned.set(self.orphaned.get() + 1);
        }
        slot.set(value);
    }
}
