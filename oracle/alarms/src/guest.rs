// SPDX-License-Identifier: GPL-2.0-or-later
//! A copy of the port as a side: one type for all copies, so that the engine is compiled once.

use lguest_engine::{Demand, Machine, PageRecord, PortHost, Side, State};
use lguest_oracle::sim::SimHost;
use lguest_shadow::{Config, HostBug, NoPae};

use crate::copies;

/// What is asked of a copy's guest.
pub trait Guest {
    /// Forgets everything and begins with this.
    fn reset(&mut self, config: Config);
    /// See [`Side::init_guest_pagetable`].
    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug>;
    /// See [`Side::do_hypercalls`].
    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug>;
    /// See [`Side::demand_page`].
    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug>;
    /// See [`Side::map_switcher_in_guest`].
    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug>;
    /// See [`Side::guest_pa`].
    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug>;
    /// See [`Side::try_guest_pa`].
    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug>;
    /// See [`Side::free_guest_pagetable`].
    fn free_guest_pagetable(&mut self) -> Result<(), HostBug>;
    /// See [`Side::state`].
    fn state(&self) -> State;
    /// See [`Side::pins`].
    fn pins(&self) -> u32;
}

/// A guest of one copy on a simulated host.
pub struct PlantedSide<'h> {
    host: &'h SimHost,
    pae: bool,
    guest: Box<dyn Guest + 'h>,
}

impl<'h> PlantedSide<'h> {
    /// A side of the copy `name` in one mode; nothing if the tables do not have it there.
    pub fn new(name: &str, host: &'h SimHost, pae: bool) -> Option<Self> {
        let guest = copies::guest(name, host, pae)?;
        Some(PlantedSide { host, pae, guest })
    }
}

impl Side for PlantedSide<'_> {
    type Host = SimHost;

    fn host(&self) -> &SimHost {
        self.host
    }

    fn pae(&self) -> bool {
        self.pae
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.host.reset(machine, self.pae, pages);
        self.guest.reset(Config {
            pfn_limit: machine.pages,
            device_limit: machine.device_limit(),
            mem_base: machine.mem_base,
            regs_page: PortHost::<NoPae>::regs_page(self.host),
        });
    }

    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        self.guest.init_guest_pagetable()
    }

    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.guest.do_hypercalls(args)
    }

    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        self.guest.demand_page(vaddr, errcode)
    }

    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.guest.map_switcher_in_guest()
    }

    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        self.guest.guest_pa(vaddr)
    }

    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        self.guest.try_guest_pa(vaddr)
    }

    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.guest.free_guest_pagetable()
    }

    fn state(&self) -> State {
        self.guest.state()
    }

    fn pins(&self) -> u32 {
        self.guest.pins()
    }

    fn dead(&self) -> i32 {
        self.state().dead
    }

    fn lguest_data(&self) -> u32 {
        self.state().lguest_data
    }

    fn current_root(&self) -> u32 {
        let state = self.state();
        state.slots[state.cpu_pgd as usize & 3].pgdir
    }
}
