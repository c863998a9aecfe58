// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel calls of the simulated host, for the port and for the original's shim.
//!
//! Each is counted, mixed into the running hash and, when kept, logged; the failures that a step plans are made
//! here. What the shim does inline in C (page counts, recorded stores) stands here in Rust.

use std::cell::Cell;

use lguest_c_reference::{CallKind, Callbacks, Crash, CrashKind, DATA_BASE, NO_PFN};
use lguest_engine::draw::draw;
use lguest_engine::{Machinery, Quals};
use lguest_shadow::{BugKind, Entry, Host, HostBug, Mode, PRESENT, Slot};

use super::journal::STORED_AGAIN;
use super::machinery::TableOf;
use super::{Call, Kind, SimHost};

impl SimHost {
    /// Counts a kernel call, and lets happen what is planned just before it.
    #[inline(always)]
    fn call(&self) {
        if self.shared.count_call() {
            self.planned_event();
        }
    }

    #[cold]
    fn planned_event(&self) {
        if let Some(during) = self.quals.get().during {
            self.do_event(during.event);
        }
    }

    #[inline(always)]
    fn mix(&self, word: u64) {
        self.shared.mix(word);
    }

    #[inline(always)]
    fn log(&self, kind: CallKind, a: u64, b: u64, bytes: &[u8]) {
        if self.shared.trace.get() != 0 {
            match Kind::of(kind as u32, a) {
                Some(Kind::Ring) => self.journal.ring(bytes),
                Some(kind) => self.journal.note(kind, a, b),
                None => {}
            }
            if self.logging.get() {
                self.log_slowly(kind as u32, a, b, bytes);
            }
        }
    }

    #[cold]
    fn log_slowly(&self, kind: u32, a: u64, b: u64, bytes: &[u8]) {
        self.keep(Call {
            kind,
            a,
            b,
            bytes: bytes.to_vec(),
        });
    }

    fn keep(&self, call: Call) {
        if let Some(named) = call.named(|pfn| self.name(pfn)) {
            self.kept.note(&named);
        }
        self.log.borrow_mut().push(call);
    }

    /// Whether the n-th of its sort in this step is planned to fail.
    #[inline(always)]
    fn fails(&self, count: &Cell<u32>, planned: fn(&Quals) -> u8) -> bool {
        if !self.planned.get() {
            return false;
        }
        let n = count.get() + 1;
        count.set(n);
        n == u32::from(planned(&self.quals.get()))
    }

    fn do_get_zeroed_page(&self) -> u32 {
        self.call();
        let failing = self.fails(&self.allocs, |quals| quals.fail_alloc);
        let page = if failing { 0 } else { self.tables.get_zeroed() };
        self.mix(CallKind::GetZeroedPage.word(page.into()));
        self.log(CallKind::GetZeroedPage, page.into(), 0, &[]);
        page
    }

    fn do_free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.call();
        self.mix(CallKind::FreePage.word(pa.into()));
        self.log(CallKind::FreePage, pa.into(), 0, &[]);
        if pa == 0 {
            return Ok(());
        }
        let Some(parent) = self.tables.free(pa) else {
            return Err(HostBug::new(BugKind::BadFree, pa >> 12));
        };
        if parent != 0 {
            let len = self.emptied_len.get();
            if let Some(cell) = self.emptied.get(len) {
                cell.set(parent);
            }
            self.emptied_len.set(len + 1);
        }
        Ok(())
    }

    fn do_get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.call();
        let page = addr.wrapping_sub(self.mem_base.get()) >> 12;
        let frame = if self.fails(&self.pins, |quals| quals.fail_pin) || addr < self.mem_base.get()
        {
            None
        } else {
            self.memory.resolve(page, write != 0)
        };
        let pfn = frame.map(|frame| {
            let pfn = self.guest_base() + frame;
            if let Some(held) = self.shared.held_of(pfn) {
                held.set(held.get() + 1);
            }
            pfn
        });
        let result = pfn.unwrap_or(NO_PFN);
        self.pinned.set(result);
        self.mix(CallKind::GetUserPagesFast.word(u64::from(write & 0xff) << 32 | u64::from(addr)));
        self.mix(result.into());
        if self.journal.is_on() {
            self.journal.pinning(self.memory.is_writable(page));
        }
        self.log(
            CallKind::GetUserPagesFast,
            u64::from(write) << 32 | u64::from(addr),
            result.into(),
            &[],
        );
        pfn
    }

    fn copy_planned(&self, addr: u32) -> bool {
        self.call();
        !self.fails(&self.copies, |quals| quals.fail_copy) && addr >= self.mem_base.get()
    }

    #[inline(always)]
    fn note_copy(&self, kind: CallKind, ok: bool, addr: u32, bytes: &[u8]) {
        self.mix(kind.word(u64::from(ok) << 48 | (bytes.len() as u64) << 32 | u64::from(addr)));
        if ok {
            self.shared.mix_bytes(bytes);
        }
        self.log(
            kind,
            u64::from(ok) << 48 | (bytes.len() as u64) << 32 | u64::from(addr),
            0,
            if ok { bytes } else { &[] },
        );
    }

    fn do_copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        let ok =
            self.copy_planned(from) && self.memory.read(from.wrapping_sub(self.mem_base.get()), to);
        self.note_copy(CallKind::CopyFromUser, ok, from, to);
        ok
    }

    fn do_copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        let ok = self.copy_planned(to)
            && self
                .memory
                .write(to.wrapping_sub(self.mem_base.get()), from);
        self.note_copy(CallKind::CopyToUser, ok, to, from);
        ok
    }

    /// A draw depends on the seed and the step, and on how many the step made before; never on where the step stands.
    fn do_prandom_u32(&self) -> u32 {
        self.call();
        let nth = self.step_draws.get();
        self.step_draws.set(nth + 1);
        self.draws.set(self.draws.get() + 1);
        let value = draw(self.seed.get(), &self.quals.get(), self.drawer.get(), nth);
        self.mix(CallKind::PrandomU32.word(value.into()));
        self.log(CallKind::PrandomU32, value.into(), 0, &[]);
        value
    }

    fn do_kasprintf(&self, text: &[u8]) -> bool {
        self.call();
        let ok = !self.quals.get().fail_message;
        self.mix(CallKind::Kasprintf.word(u64::from(ok) << 32 | text.len() as u64));
        self.shared.mix_bytes(text);
        self.log(CallKind::Kasprintf, ok.into(), 0, text);
        if ok {
            let mut message = self.message.borrow_mut();
            message.clear();
            message.extend_from_slice(text);
        }
        ok
    }

    /// An entry that names this frame was stored: if it is absent, the reference that was just taken for it is lost
    /// (finding C23). Of what the C stores this is known if it is traced.
    #[inline(always)]
    fn entry_stored(&self, pfn: u32, present: bool) {
        let pinned = self.pinned.replace(NO_PFN);
        if pinned != NO_PFN && pinned == pfn && !present {
            self.orphaned.set(self.orphaned.get() + 1);
        }
    }

    fn recorded_store<M: Mode>(&self, kind: CallKind, slot: &Slot<'_, M>, value: M::Entry) {
        if slot.get() != value {
            self.mix(kind.word(slot.pa().into()));
            self.mix(value.wide());
            self.log(kind, slot.pa().into(), value.wide(), &[]);
            slot.set(value);
        } else if self.shared.trace.get() != 0 && kind == CallKind::SetPte && value.wide() != 0 {
            self.journal.note(Kind::Pte, slot.pa().into(), value.wide());
        }
    }
}

impl<M: Mode> Host<M> for SimHost
where
    SimHost: TableOf<M>,
{
    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn get_zeroed_page(&self) -> u32 {
        self.do_get_zeroed_page()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        self.do_free_page(pa)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        self.do_get_user_pages_fast(addr, write)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn get_page(&self, pfn: u32) {
        self.call();
        self.mix(CallKind::GetPage.word(pfn.into()));
        self.log(CallKind::GetPage, pfn.into(), 0, &[]);
        if let Some(held) = self.shared.held_of(pfn) {
            held.set(held.get() + 1);
        }
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        self.call();
        self.mix(CallKind::PutPage.word(pfn.into()));
        self.log(CallKind::PutPage, pfn.into(), 0, &[]);
        match self.shared.held_of(pfn) {
            Some(held) if held.get() > 0 => {
                held.set(held.get() - 1);
                Ok(())
            }
            _ => Err(HostBug::new(BugKind::PutNotHeld, pfn)),
        }
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.do_copy_from_user(to, from)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.do_copy_to_user(to, from)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn prandom_u32(&self) -> u32 {
        self.do_prandom_u32()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn kasprintf(&self, text: &[u8]) -> bool {
        self.do_kasprintf(text)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn smp_processor_id(&self) -> u32 {
        self.shared.cpu.get()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn nr_cpu_ids(&self) -> u32 {
        self.shared.nr_cpus.get()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn switcher_addr(&self) -> u32 {
        self.shared.switcher_addr.get()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn switcher_page(&self, i: u32) -> u32 {
        DATA_BASE.wrapping_add(1).wrapping_add(i)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn supported_pte_mask(&self) -> u64 {
        self.shared.pte_mask.get()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn tsc_khz(&self) -> u32 {
        self.shared.tsc_khz.get()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn table(&self, pa: u32) -> Result<&M::Table, HostBug> {
        self.table_of(pa)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn set_pte(&self, slot: &Slot<'_, M>, value: M::Entry) {
        self.entry_stored(value.pte_pfn(), value.has(PRESENT));
        self.recorded_store(CallKind::SetPte, slot, value);
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn set_pmd(&self, slot: &Slot<'_, M>, value: M::Entry) {
        self.recorded_store(CallKind::SetPmd, slot, value);
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn set_pgd(&self, slot: &Slot<'_, M>, value: M::Entry) {
        self.recorded_store(CallKind::SetPgd, slot, value);
        if !M::PAE {
            self.tables
                .set_parent((value.wide() >> 12) as u32, slot.pa());
        }
    }
}

impl Callbacks for SimHost {
    fn get_zeroed_page(&self) -> u32 {
        self.do_get_zeroed_page()
    }

    fn free_page(&self, pa: u32) -> Result<(), Crash> {
        self.do_free_page(pa).map_err(|bug| Crash {
            kind: CrashKind::BadFree,
            pfn: bug.pfn(),
        })
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> u32 {
        self.do_get_user_pages_fast(addr, write).unwrap_or(NO_PFN)
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

    fn event(&self) {
        self.planned_event();
    }

    fn traced(&self, kind: u32, a: u64, b: u64) {
        if kind == CallKind::SetPte as u32 || kind == STORED_AGAIN {
            self.entry_stored((b >> 12) as u32, b & 1 != 0);
        }
        if let Some(kind) = Kind::of(kind, a) {
            self.journal.note(kind, a, b);
        }
        if self.logging.get() && kind != STORED_AGAIN {
            self.log_slowly(kind, a, b, &[]);
        }
    }
}
