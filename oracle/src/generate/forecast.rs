// SPDX-License-Identifier: GPL-2.0-or-later
//! Whether a step is likely to be the guest's or the host's end: hostile scenarios that all die at once test little.

use lguest_engine::{Side, Step, Verb};

use super::launcher::Launcher;
use super::paging::{A, D, P, Paging, RW, US, call};
use super::view::{View, Walk};

/// Foresees the end of a guest.
pub(super) struct Forecast<'a, S> {
    pub view: &'a View<'a, S>,
    pub launcher: &'a Launcher,
    pub paging: Paging,
    pub switcher: u32,
}

impl<S: Side> Forecast<'_, S> {
    /// The guest, or its host, would not outlive the step.
    #[inline(always)]
    pub fn deadly(&self, step: &Step) -> bool {
        let [a0, a1, ..] = step.args;
        match step.verb {
            Verb::DemandPage => self.fault(self.view.gpgdir(), a0, a1) == Fault::Deadly,
            Verb::Access => {
                let errcode = (a1 & 1) << 1 | (a1 & 2) << 1;
                !self.view.can_run() || self.fault(self.view.gpgdir(), a0, errcode) == Fault::Deadly
            }
            Verb::Run => !self.view.can_run(),
            Verb::GuestPa => !self.view.state().linear_pages && !self.translates(a0),
            Verb::Hypercall | Verb::Async => self.call(&step.args),
            _ => false,
        }
    }

    fn translates(&self, vaddr: u32) -> bool {
        matches!(self.view.walk(self.view.gpgdir(), vaddr), Walk::Entry(_, entry) if entry & P != 0)
    }

    fn fault(&self, gpgdir: u32, vaddr: u32, errcode: u32) -> Fault {
        if vaddr >= self.switcher {
            return Fault::Refused;
        }
        let (at, entry) = if self.view.state().linear_pages {
            (None, u64::from(vaddr & 0xffff_f000) | RW | P)
        } else {
            match self.view.walk(gpgdir, vaddr) {
                Walk::Absent => return Fault::Refused,
                Walk::Bad => return Fault::Deadly,
                Walk::Entry(at, entry) => (Some(at), entry),
            }
        };
        let forbidden =
            (errcode & 2 != 0 && entry & RW == 0) || (errcode & 4 != 0 && entry & US == 0);
        if entry & P == 0 || forbidden || self.view.is_device(entry) {
            return Fault::Refused;
        }
        let write = errcode & 2 != 0 || entry & D != 0;
        let fine = self.view.is_memory(entry)
            && self.launcher.allows(self.paging.frame(entry), write)
            && at.is_none_or(|at| self.launcher.allows(u64::from(at >> 12), true));
        if fine { Fault::Fixed } else { Fault::Deadly }
    }

    /// The stack can be pinned in the tables of `gpgdir`.
    fn stack(&self, gpgdir: u32, esp: u32, pages: u32) -> bool {
        pages <= 2
            && (0..pages).all(|i| {
                let vaddr = esp.wrapping_sub(1).wrapping_sub(i << 12);
                self.fault(gpgdir, vaddr, 2) == Fault::Fixed
            })
    }

    fn call(&self, args: &[u32; 5]) -> bool {
        let &[number, a1, a2, a3, a4] = args;
        let state = self.view.state();
        if state.lguest_data == 0 {
            return number != call::LGUEST_INIT || !self.init(a1);
        }
        match number {
            call::SET_PTE => {
                let high = if self.paging.pae { a4 } else { 0 };
                a2 >= self.switcher || self.bad_pte(u64::from(a3) | u64::from(high) << 32)
            }
            call::SET_PGD => {
                let most = self.paging.top_entries();
                a2 > most || (a2 == most && !self.paging.pae && self.view.knows(a1))
            }
            call::SET_PMD if !self.paging.pae => true,
            call::SET_PMD => !self.stack(self.view.gpgdir(), state.esp1, state.stack_pages),
            call::FLUSH_TLB => {
                a1 != 0 && !self.stack(self.view.gpgdir(), state.esp1, state.stack_pages)
            }
            call::NEW_PGTABLE => {
                (state.linear_pages || !self.view.knows(a1))
                    && !self.stack(a1, state.esp1, state.stack_pages)
            }
            call::SET_STACK => a1 & 3 != 1 || !self.stack(self.view.gpgdir(), a2, a3),
            call::SHUTDOWN | call::LGUEST_INIT => true,
            number => !call::IDLE.contains(&number),
        }
    }

    fn bad_pte(&self, pte: u64) -> bool {
        if pte & (A | D) == 0 || self.view.is_device(pte) {
            return false;
        }
        !self.view.is_memory(pte) || !self.launcher.allows(self.paging.frame(pte), pte & D != 0)
    }

    /// LGUEST_INIT at this address would do.
    fn init(&self, at: u32) -> bool {
        const SIZE: u32 = 1388;
        self.view.in_memory(at, SIZE)
            && self.launcher.allows(u64::from(at >> 12), true)
            && self
                .launcher
                .allows(u64::from(at.wrapping_add(SIZE - 1) >> 12), true)
    }
}

/// What a fault comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The page gets mapped.
    Fixed,
    /// The guest has to see to it.
    Refused,
    /// It is the end.
    Deadly,
}
