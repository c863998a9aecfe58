// SPDX-License-Identifier: GPL-2.0-or-later
//! A side with a bug planted in it: what the bug does not change, it passes on.

// Each test binary uses a part of this.
#![allow(dead_code)]

use lguest_engine::{Demand, Machine, Machinery, PageRecord, Side, State, cpu};
use lguest_oracle::hardened::Fired;
use lguest_oracle::sim::SimHost;
use lguest_shadow::HostBug;

/// A bug; each hook stands between the side and its caller.
pub trait Bug<S: Side> {
    /// A scenario begins.
    fn reset(&mut self) {}

    /// A hypercall.
    fn do_hypercalls(&mut self, side: &mut S, args: &[u32; 5]) -> Result<(), HostBug> {
        side.do_hypercalls(args)
    }

    /// A fault.
    fn demand_page(&mut self, side: &mut S, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        side.demand_page(vaddr, errcode)
    }

    /// A run.
    fn map_switcher_in_guest(&mut self, side: &mut S) -> Result<(), HostBug> {
        side.map_switcher_in_guest()
    }

    /// A look-up.
    fn try_guest_pa(&mut self, side: &mut S, vaddr: u32) -> Result<(bool, u32), HostBug> {
        side.try_guest_pa(vaddr)
    }

    /// The tables that the processor walks.
    fn current_root(&self, side: &S) -> u32 {
        side.current_root()
    }

    /// The fixes that the side says have acted, of those that did.
    fn fired(&self, fired: u32) -> u32 {
        fired
    }
}

/// A side and its bug.
pub struct Planted<S, B> {
    pub side: S,
    pub bug: B,
}

impl<S: Side + Fired, B: Bug<S>> Fired for Planted<S, B> {
    fn fired(&self) -> u32 {
        self.bug.fired(self.side.fired())
    }
}

impl<S: Side, B: Bug<S>> Side for Planted<S, B> {
    type Host = S::Host;

    fn host(&self) -> &S::Host {
        self.side.host()
    }

    fn pae(&self) -> bool {
        self.side.pae()
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.bug.reset();
        self.side.reset(machine, pages);
    }

    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        self.side.init_guest_pagetable()
    }

    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.bug.do_hypercalls(&mut self.side, args)
    }

    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        self.bug.demand_page(&mut self.side, vaddr, errcode)
    }

    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.bug.map_switcher_in_guest(&mut self.side)
    }

    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        self.side.guest_pa(vaddr)
    }

    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        self.bug.try_guest_pa(&mut self.side, vaddr)
    }

    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.side.free_guest_pagetable()
    }

    fn state(&self) -> State {
        self.side.state()
    }

    fn pins(&self) -> u32 {
        self.side.pins()
    }

    fn dead(&self) -> i32 {
        self.side.dead()
    }

    fn lguest_data(&self) -> u32 {
        self.side.lguest_data()
    }

    fn current_root(&self) -> u32 {
        self.bug.current_root(&self.side)
    }
}

/// Sets bits in the two-level shadow's entry for an address, past everything that is noted: the frame that it names.
pub fn set_bits<S: Side<Host = SimHost>>(side: &S, vaddr: u32, bits: u32) -> Option<u32> {
    let (_, pa, value) = cpu::last(side.host(), side.current_root(), false, vaddr)?;
    let cell = &Machinery::table(side.host(), pa >> 12)?[(pa as usize & 0xfff) / 4];
    cell.set(value as u32 | bits);
    Some(value as u32 >> 12)
}
