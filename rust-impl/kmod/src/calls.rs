// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel calls that the code under test makes, for the port and, through C, for the original: counted, mixed into
//! the trail with frames by canonical number, failed where the step plans it, and else handed to the glue.

use core::cell::Cell;

use lguest_engine::draw::{START, draw};
use lguest_engine::{KernelCall, Machinery, Quals};
use lguest_shadow::{BugKind, Entry, Host, HostBug, Mode, PRESENT, Slot};

use crate::PagingMode;
use crate::glue::{self, NONE};
use crate::host::KernelHost;

/// The kinds of word that go into the trail.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Kind {
    GetZeroedPage = 1,
    FreePage,
    GetUserPagesFast,
    GetPage,
    PutPage,
    CopyFromUser,
    CopyToUser,
    PrandomU32,
    Kasprintf,
    SetPte,
    SetPmd,
    SetPgd,
}

impl KernelHost {
    /// Counts a kernel call, and lets happen what is planned just before it.
    fn call(&self) {
        let n = self.calls.get() + 1;
        self.calls.set(n);
        if let Some(during) = self.quals.get().and_then(|quals| quals.during) {
            if u32::from(during.call) == n {
                self.planned_event(during.event);
            }
        }
    }

    fn mix(&self, word: u64) {
        let mixed = (self.trail.get().rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.trail.set(mixed);
    }

    fn note(&self, kind: Kind, word: u64) {
        self.mix((kind as u64) << 56 | word);
    }

    /// Keeps a call for the recording, if there is one; frames are named as they are now.
    fn keep(&self, call: &KernelCall<'_>) {
        if self.keeping.get() {
            self.kept.note(call);
        }
    }

    fn mix_bytes(&self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let word = part
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.mix(word);
        }
    }

    /// Whether the n-th of its sort in this step is planned to fail.
    fn fails(&self, count: &Cell<u32>, planned: fn(&Quals) -> u8) -> bool {
        let Some(quals) = self.quals.get() else {
            return false;
        };
        let n = count.get() + 1;
        count.set(n);
        n == u32::from(planned(&quals))
    }

    /// A physical address with its frame by canonical number.
    fn canonical_pa(&self, pa: u32) -> u64 {
        u64::from(self.canonical(pa >> 12)) << 12 | u64::from(pa & 0xfff)
    }

    pub(crate) fn do_get_zeroed_page(&self) -> u32 {
        self.call();
        let fails = self.fails(&self.allocs, |quals| quals.fail_alloc)
            || self.tables_held() >= self.tables.get();
        let pa = if fails {
            0
        } else {
            // SAFETY: the guest lives as long as the world; so below.
            unsafe { glue::kg_get_zeroed_page(self.guest.get()) }
        };
        self.note(Kind::GetZeroedPage, self.canonical_pa(pa));
        self.keep(&KernelCall::GetZeroedPage(pa != 0));
        pa
    }

    pub(crate) fn do_free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.call();
        self.note(Kind::FreePage, self.canonical_pa(pa));
        self.keep(&KernelCall::FreePage(
            (pa != 0).then(|| self.name(pa >> 12)),
        ));
        if pa == 0 {
            return Ok(());
        }
        // SAFETY: as above; the ledger refuses what is no table of this guest.
        if unsafe { glue::kg_free_page(self.guest.get(), pa) } != 0 {
            return Err(HostBug::new(BugKind::BadFree, pa >> 12));
        }
        self.freed.set(true);
        Ok(())
    }

    pub(crate) fn do_get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.call();
        let planned = self.fails(&self.pins, |quals| quals.fail_pin);
        let frame = if planned || addr < self.mem_base.get() {
            None
        } else {
            self.pin(addr.wrapping_sub(self.mem_base.get()) >> 12, write)
        };
        // SAFETY: as above.
        let pfn = frame.map(|frame| unsafe { glue::kg_pfn(self.guest.get(), frame) });
        self.pinned.set(pfn.unwrap_or(NONE));
        self.note(
            Kind::GetUserPagesFast,
            u64::from(write & 0xff) << 32 | u64::from(addr),
        );
        self.mix(frame.unwrap_or(NONE).into());
        self.keep(&KernelCall::GetUserPagesFast {
            addr,
            write,
            got: pfn.map(|pfn| self.name(pfn)),
        });
        pfn
    }

    fn pin(&self, page: u32, write: u32) -> Option<u32> {
        let map = self.page(page)?.get();
        let fresh = if write == 0 { NONE } else { self.fresh(map)? };
        // SAFETY: as above.
        let frame = unsafe { glue::kg_get_user_pages_fast(self.guest.get(), page, write, fresh) };
        if frame == NONE {
            return None;
        }
        if frame == fresh {
            self.broken(page, fresh);
        }
        Some(frame)
    }

    pub(crate) fn do_get_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.call();
        self.note(Kind::GetPage, self.canonical(pfn).into());
        self.keep(&KernelCall::GetPage(self.name(pfn)));
        // SAFETY: as above; the ledger refuses a frame that it does not know.
        let done = unsafe {
            let frame = glue::kg_find(self.guest.get(), pfn);
            glue::kg_get_page(self.guest.get(), frame)
        };
        if done == 0 {
            Ok(())
        } else {
            Err(HostBug::new(BugKind::WildPage, pfn))
        }
    }

    pub(crate) fn do_put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.call();
        self.note(Kind::PutPage, self.canonical(pfn).into());
        self.keep(&KernelCall::PutPage(self.name(pfn)));
        // SAFETY: as above; the ledger refuses a reference that it does not hold.
        let done = unsafe {
            let frame = glue::kg_find(self.guest.get(), pfn);
            glue::kg_put_page(self.guest.get(), frame)
        };
        if done == 0 {
            Ok(())
        } else {
            Err(HostBug::new(BugKind::PutNotHeld, pfn))
        }
    }

    fn copy_planned(&self, addr: u32) -> bool {
        self.call();
        !self.fails(&self.copied, |quals| quals.fail_copy) && addr >= self.mem_base.get()
    }

    fn note_copy(&self, kind: Kind, ok: bool, addr: u32, bytes: &[u8]) {
        self.note(
            kind,
            u64::from(ok) << 48 | (bytes.len() as u64) << 32 | u64::from(addr),
        );
        if ok {
            self.mix_bytes(bytes);
        }
    }

    pub(crate) fn do_copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        let ok = self.copy_planned(from) && self.read(from.wrapping_sub(self.mem_base.get()), to);
        self.note_copy(Kind::CopyFromUser, ok, from, to);
        let bytes = ok.then_some(&*to);
        self.keep(&KernelCall::CopyFromUser { addr: from, bytes });
        ok
    }

    pub(crate) fn do_copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        let ok = self.copy_planned(to) && self.write(to.wrapping_sub(self.mem_base.get()), from);
        self.note_copy(Kind::CopyToUser, ok, to, from);
        let bytes = ok.then_some(from);
        self.keep(&KernelCall::CopyToUser { addr: to, bytes });
        ok
    }

    pub(crate) fn do_prandom_u32(&self) -> u32 {
        self.call();
        let nth = self.step_draws.get();
        self.step_draws.set(nth + 1);
        self.draws.set(self.draws.get() + 1);
        let quals = self.quals.get().unwrap_or(Quals::NONE);
        let drawer = self.drawer.get().unwrap_or(START);
        let value = draw(self.seed.get(), &quals, drawer, nth);
        self.note(Kind::PrandomU32, value.into());
        self.keep(&KernelCall::PrandomU32(value));
        value
    }

    pub(crate) fn do_kasprintf(&self, text: &[u8]) -> bool {
        self.call();
        let ok = !self.quals.get().is_some_and(|quals| quals.fail_message);
        self.note(Kind::Kasprintf, u64::from(ok) << 32 | text.len() as u64);
        self.mix_bytes(text);
        self.keep(&KernelCall::Kasprintf(ok));
        if ok {
            let mut n = 0;
            for (place, byte) in self.message.iter().zip(text) {
                place.set(*byte);
                n += 1;
            }
            self.message_len.set(n);
        }
        ok
    }

    /// A store that changes an entry: where, and what it holds now.
    pub(crate) fn stored(&self, kind: Kind, pa: u32, value: u64) {
        const FRAME: u64 = 0x000f_ffff_ffff_f000;
        self.note(kind, self.canonical_pa(pa));
        let pfn = self.canonical(((value & FRAME) >> 12) as u32);
        self.mix(value & !FRAME | u64::from(pfn) << 12);
    }

    fn recorded_store(
        &self,
        kind: Kind,
        slot: &Slot<'_, PagingMode>,
        value: <PagingMode as Mode>::Entry,
    ) {
        if slot.get() != value {
            slot.set(value);
            self.stored(kind, slot.pa(), value.wide());
        }
    }
}

impl Host<PagingMode> for KernelHost {
    fn get_zeroed_page(&self) -> u32 {
        self.do_get_zeroed_page()
    }

    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.do_free_page(pa)
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.do_get_user_pages_fast(addr, write)
    }

    fn get_page(&self, pfn: u32) {
        if self.do_get_page(pfn).is_err() {
            self.error.set(-5);
        }
    }

    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.do_put_page(pfn)
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.do_copy_from_user(to, from)
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.do_copy_to_user(to, from)
    }

    fn prandom_u32(&self) -> u32 {
        self.do_prandom_u32()
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        self.do_kasprintf(text)
    }

    fn smp_processor_id(&self) -> u32 {
        self.cpu.get()
    }

    fn nr_cpu_ids(&self) -> u32 {
        self.cpus.get()
    }

    fn switcher_addr(&self) -> u32 {
        self.switcher.get()
    }

    fn switcher_page(&self, i: u32) -> u32 {
        // SAFETY: the guest lives as long as the world.
        unsafe { glue::kg_pfn(self.guest.get(), i.wrapping_add(1)) }
    }

    fn supported_pte_mask(&self) -> u64 {
        self.pte_mask.get()
    }

    fn tsc_khz(&self) -> u32 {
        self.tsc_khz.get()
    }

    fn table(&self, pa: u32) -> Result<&<PagingMode as Mode>::Table, HostBug> {
        // SAFETY: the guest lives as long as the world.
        let at = unsafe { glue::kg_table(self.guest.get(), pa >> 12) };
        let table = at.cast::<<PagingMode as Mode>::Table>();
        // SAFETY: null, or a whole page of entries that the ledger holds; cells may be written behind our back. A
        // table that is freed while this borrow lives is not looked at again: the port asks anew after each free.
        unsafe { table.as_ref() }.ok_or(HostBug::new(BugKind::WildPage, pa >> 12))
    }

    fn set_pte(&self, slot: &Slot<'_, PagingMode>, value: <PagingMode as Mode>::Entry) {
        let pinned = self.pinned.replace(NONE);
        if pinned != NONE && pinned == value.pte_pfn() && !value.has(PRESENT) {
            self.orphaned.set(self.orphaned.get() + 1);
        }
        self.recorded_store(Kind::SetPte, slot, value);
    }

    fn set_pmd(&self, slot: &Slot<'_, PagingMode>, value: <PagingMode as Mode>::Entry) {
        self.recorded_store(Kind::SetPmd, slot, value);
    }

    fn set_pgd(&self, slot: &Slot<'_, PagingMode>, value: <PagingMode as Mode>::Entry) {
        self.recorded_store(Kind::SetPgd, slot, value);
    }
}
