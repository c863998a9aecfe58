// SPDX-License-Identifier: GPL-2.0-or-later
//! A side that is recorded: each call leaves the records that a real host's log would have of it.

use lguest_engine::{Demand, Machine, PageRecord, Side, State};
use lguest_shadow::HostBug;

use super::calls::Before;
use super::flow::{Flow, World};
use super::{Record, check};
use crate::sim::{Call, SimHost};

/// A side with a log.
pub struct Traced<S: Side<Host = SimHost>> {
    side: S,
    world: World,
    cpus: u32,
    calls: Vec<Call>,
    records: Vec<Record>,
}

/// What can be asked of a recorded side, whichever it is.
pub trait Observed {
    /// Takes the records since the last time; `to` is emptied first.
    fn take(&mut self, to: &mut Vec<Record>);
    /// The shadow has a page.
    fn has(&self, slot: usize) -> bool;
    /// The state of one shadow now.
    fn check(&self, slot: usize) -> lguest_engine::Check;
}

impl<S: Side<Host = SimHost>> Traced<S> {
    /// Records what `side` does.
    pub fn new(side: S) -> Self {
        side.host().keep_log(true);
        Traced {
            side,
            world: World::default(),
            cpus: 1,
            calls: Vec::new(),
            records: Vec::new(),
        }
    }

    /// The side itself.
    pub fn side(&mut self) -> &mut S {
        &mut self.side
    }

    /// Goes through a call that is over.
    fn tell(&mut self, before: State, how: impl for<'a> FnOnce(&mut Flow<'a, S>) -> Option<()>) {
        self.side.host().swap_log(&mut self.calls);
        let mut flow = Flow::new(
            &self.side,
            self.world,
            &self.calls,
            &mut self.records,
            before,
        );
        if how(&mut flow).is_some() {
            flow.rest(0);
        }
    }
}

impl<S: Side<Host = SimHost>> Drop for Traced<S> {
    fn drop(&mut self) {
        self.side.host().keep_log(false);
        self.side.host().keep_journal(false);
    }
}

impl<S: Side<Host = SimHost>> Observed for Traced<S> {
    fn take(&mut self, to: &mut Vec<Record>) {
        to.clear();
        std::mem::swap(to, &mut self.records);
    }

    fn has(&self, slot: usize) -> bool {
        self.side.state().slots[slot & 3].pgdir != 0
    }

    fn check(&self, slot: usize) -> lguest_engine::Check {
        check::check(&self.side, &self.side.state(), slot)
    }
}

impl<S: Side<Host = SimHost>> Side for Traced<S> {
    type Host = SimHost;

    fn host(&self) -> &SimHost {
        self.side.host()
    }

    fn pae(&self) -> bool {
        self.side.pae()
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.side.reset(machine, pages);
        self.side.host().keep_log(true);
        self.records.clear();
        self.cpus = machine.cpus.into();
        self.world = World {
            pae: self.side.pae(),
            pages: machine.pages,
            device_limit: machine.device_limit(),
            mem_base: machine.mem_base,
            switcher: machine.switcher,
        };
    }

    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        let before = self.side.state();
        let result = self.side.init_guest_pagetable();
        let (world, cpus) = (self.world, self.cpus);
        self.tell(before, |flow| {
            let entries = if world.pae { 4 } else { 1024 };
            let numbers = [
                world.mem_base,
                world.pages,
                world.device_limit,
                world.switcher,
                cpus,
                1 + 2 * cpus,
                entries,
            ];
            flow.say(0, b'I', &numbers.map(u64::from));
            flow.draw(1, &before)?;
            if result == Ok(0) {
                flow.say(0, b'i', &[flow.side.state().cpu_pgd.into()]);
            }
            Some(())
        });
        result
    }

    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        let before = self.side.state();
        let looked = Before::of(&self.side, &before, self.world.switcher, args);
        let result = self.side.do_hypercalls(args);
        self.tell(before, |flow| flow.hypercall(args, &looked));
        result
    }

    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        let before = self.side.state();
        let result = self.side.demand_page(vaddr, errcode);
        let known = result.ok().map(|demand| (demand.fixed, demand.iomem));
        self.tell(before, |flow| {
            flow.demand(0, vaddr, errcode, known).map(drop)
        });
        result
    }

    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        let before = self.side.state();
        let cpu = self.side.host().shared().cpu.get();
        let result = self.side.map_switcher_in_guest();
        let slot = before.slots[before.cpu_pgd as usize & 3];
        self.tell(before, |flow| {
            if slot.switcher_mapped && slot.last_host_cpu != cpu as i32 {
                let last = i64::from(slot.last_host_cpu) as u64;
                flow.say(0, b'W', &[cpu.into(), last, before.cpu_pgd.into()]);
            }
            Some(())
        });
        result
    }

    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        let before = self.side.state();
        let result = self.side.guest_pa(vaddr);
        self.tell(before, |flow| flow.look_up(vaddr, None, result.ok()));
        result
    }

    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        let before = self.side.state();
        let result = self.side.try_guest_pa(vaddr);
        let (found, paddr) = result.ok().unzip();
        self.tell(before, |flow| flow.look_up(vaddr, found, paddr));
        result
    }

    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        let before = self.side.state();
        let result = self.side.free_guest_pagetable();
        self.tell(before, |flow| {
            flow.say(0, b'F', &[]);
            Some(())
        });
        result
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
        self.side.current_root()
    }
}
