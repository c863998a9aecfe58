// SPDX-License-Identifier: GPL-2.0-or-later
//! Section (ii), H:360: the guest's kernel stack stays mapped, for traps go straight to it.
//!
//! The description of the stack, and the loop over its pages, come from lguest's
//! `interrupts_and_traps.c`.

use crate::addr::Gva;
use crate::bug::HostBug;
use crate::entry::{Entry, PAGE_SIZE, PRESENT, RW};
use crate::guest::Lguest;
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::{Fix, Policy};

/// Stack pages that one step may pin. The original has no limit, and its host hangs.
pub const PIN_LIMIT: u32 = 64;

/// Privilege level of the guest's kernel.
const GUEST_PL: u32 = 1;

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// H:360: whether the shadow tables map this address for writing (C 551–571).
    fn page_writable(&mut self, vaddr: Gva) -> Result<bool, HostBug> {
        // No stack may be in the Switcher.
        if vaddr.0 >= self.host.switcher_addr() {
            return Ok(false);
        }
        match self.find_spte(vaddr, false, 0, 0)? {
            Some(spte) => Ok(spte.get().flags() & (PRESENT | RW) == PRESENT | RW),
            None => Ok(false),
        }
    }

    /// Maps a page of the stack for writing, or kills the guest (C 578–584).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn pin_page(&mut self, vaddr: Gva) -> Result<(), HostBug> {
        let mut iomem = 0;
        if !self.page_writable(vaddr)? && !self.demand_page(vaddr, 2, &mut iomem)? {
            self.kill_guest(&Reason::BadStackPage(vaddr.0));
        }
        Ok(())
    }

    /// Pins all pages of the stack, from its top down.
    ///
    /// # Errors
    /// The host would have crashed, or hung: see [`PIN_LIMIT`].
    pub fn pin_stack_pages(&mut self) -> Result<(), HostBug> {
        let top = Gva(self.cpus[0].esp1).wrapping_add(!0);
        for i in 0..self.stack_pages {
            // Two pages for each call of a full ring are more, but no loop without an end.
            if self.pins >= PIN_LIMIT && !self.mends(Fix::C18) {
                return Err(HostBug::LOCKUP);
            }
            self.pins = self.pins.wrapping_add(1);
            self.pin_page(top.wrapping_add(i.wrapping_mul(PAGE_SIZE).wrapping_neg()))?;
        }
        Ok(())
    }

    /// SET_STACK: segment, top and size in pages of the guest's kernel stack.
    ///
    /// A bad segment or size kills, but is stored and pinned all the same ([`Fix::C18`]).
    ///
    /// # Errors
    /// As [`Lguest::pin_stack_pages`].
    pub fn guest_set_stack(&mut self, seg: u32, esp: u32, pages: u32) -> Result<(), HostBug> {
        if seg & 3 != GUEST_PL {
            self.kill_guest(&Reason::BadStackSegment(seg));
        }
        if pages > 2 {
            self.kill_guest(&Reason::BadStackPages(pages));
            if self.mends(Fix::C18) {
                return Ok(());
            }
        }
        self.cpu().ss1 = seg;
        self.cpu().esp1 = esp;
        self.stack_pages = pages;
        self.pin_stack_pages()
    }
}
