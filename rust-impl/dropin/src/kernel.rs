// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel that the drop-in is linked into, as the port's host.

use core::ffi::c_void;

use lguest_shadow::{BugKind, Entry, Host, HostBug, Mixed, Mode, Slot};

use crate::bindings as c;

/// The C's table of functions.
pub type Primitives = c::lgd_primitives;

/// A kernel, while one CPU of a guest is worked on.
pub struct Kernel<'k> {
    primitives: &'k Primitives,
    cpu: *mut c::lg_cpu,
}

/// Calls one of the table's functions.
macro_rules! ask {
    ($self:ident.$name:ident($($argument:expr),*)) => {
        // SAFETY: the C fills the table in, `set_pmd` but for two levels, which have no use for it; each function keeps
        // to what primitives.h says, and may leave by a jump over this crate's frames, which have nothing to drop.
        unsafe { ($self.primitives.$name.unwrap_unchecked())($($argument),*) }
    };
}

impl<'k> Kernel<'k> {
    /// The kernel around `cpu`.
    ///
    /// # Safety
    /// Both are the C's, whole, and stay as long as this.
    pub unsafe fn new(primitives: &'k Primitives, cpu: *mut c::lg_cpu) -> Self {
        Kernel { primitives, cpu }
    }

    pub(crate) fn cpu(&self) -> *mut c::lg_cpu {
        self.cpu
    }

    pub(crate) fn lg(&self) -> *mut c::lguest {
        // SAFETY: the CPU is whole, and C does not run now.
        unsafe { (*self.cpu).lg }
    }

    pub(crate) fn pa(&self, at: *const c_void) -> u32 {
        ask!(self.pa(at))
    }

    pub(crate) fn va(&self, pa: u32) -> *mut c_void {
        ask!(self.va(pa))
    }

    pub(crate) fn policy(&self) -> Mixed {
        Mixed(ask!(self.policy()))
    }

    pub(crate) fn pins(&self) -> u32 {
        let at = ask!(self.pins());
        // SAFETY: the C's counter; nobody else counts meanwhile.
        unsafe { *at }
    }

    pub(crate) fn set_pins(&self, pins: u32) {
        let at = ask!(self.pins());
        // SAFETY: as above.
        unsafe { *at = pins }
    }

    /// The host's end in this way.
    #[cold]
    pub(crate) fn crash(&self, bug: HostBug) -> ! {
        loop {
            ask!(self.crash(bug.kind() as u32, bug.pfn()));
        }
    }
}

impl<M: Mode> Host<M> for Kernel<'_> {
    fn get_zeroed_page(&self) -> u32 {
        ask!(self.get_zeroed_page())
    }

    // A page that was not allocated crashes in there.
    fn free_page(&self, pa: u32) -> Result<(), HostBug> {
        ask!(self.free_page(pa));
        Ok(())
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
        let pfn = ask!(self.get_user_pages_fast(addr, write));
        (pfn != c::LGD_NO_PFN).then_some(pfn)
    }

    fn get_page(&self, pfn: u32) {
        ask!(self.get_page(pfn));
    }

    // A reference that is not held crashes in there.
    fn put_page(&self, pfn: u32) -> Result<(), HostBug> {
        ask!(self.put_page(pfn));
        Ok(())
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        ask!(self.copy_from_user(to.as_mut_ptr().cast(), from, to.len() as u32)) != 0
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        ask!(self.copy_to_user(to, from.as_ptr().cast(), from.len() as u32)) != 0
    }

    fn prandom_u32(&self) -> u32 {
        ask!(self.prandom_u32())
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        ask!(self.kill_guest(self.cpu, text.as_ptr().cast(), text.len() as u32)) != 0
    }

    fn smp_processor_id(&self) -> u32 {
        ask!(self.smp_processor_id())
    }

    fn nr_cpu_ids(&self) -> u32 {
        ask!(self.possible_cpus())
    }

    fn switcher_addr(&self) -> u32 {
        ask!(self.switcher())
    }

    fn switcher_page(&self, i: u32) -> u32 {
        ask!(self.switcher_page(i))
    }

    fn supported_pte_mask(&self) -> u64 {
        ask!(self.supported_pte_mask())
    }

    // The first hypercall asks for it, which is not the page tables' business.
    fn tsc_khz(&self) -> u32 {
        0
    }

    fn table(&self, pa: u32) -> Result<&M::Table, HostBug> {
        // The port tells a missing top level from physical page 0.
        if pa == 0 {
            return Err(HostBug::new(BugKind::WildPage, 0));
        }
        let table = ask!(self.table(pa)).cast::<M::Table>().cast_const();
        // SAFETY: the C touched it: a page of entries, in cells that anyone may write. A table that is freed while
        // this borrow lives is not looked at again: the port asks anew after each free.
        Ok(unsafe { &*table })
    }

    fn set_pte(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        ask!(self.set_pte(slot.pa(), entry.wide()));
    }

    fn set_pmd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        ask!(self.set_pmd(slot.pa(), entry.wide()));
    }

    fn set_pgd(&self, slot: &Slot<'_, M>, entry: M::Entry) {
        ask!(self.set_pgd(slot.pa(), entry.wide()));
    }
}
