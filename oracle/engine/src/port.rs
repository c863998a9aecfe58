// SPDX-License-Identifier: GPL-2.0-or-later
//! The port as a side.

use lguest_shadow::{Config, Dead, Gva, Host, HostBug, Lguest, Mode, Policy};

use crate::side::{Demand, Machinery, Side, SlotState, State};
use crate::{Machine, PageRecord};

/// A host that the port can be driven on.
pub trait PortHost<M: Mode>: Machinery + Host<M> {
    /// Brings the host to the state that a scenario begins with.
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>);
    /// Physical address of the page of the guest's registers.
    fn regs_page(&self) -> u32;
}

/// The port, in one paging mode and under one policy.
pub struct PortSide<'h, M: Mode, P: Policy, H: PortHost<M>> {
    guest: Lguest<'h, M, P, H>,
}

impl<'h, M: Mode, P: Policy, H: PortHost<M>> PortSide<'h, M, P, H> {
    /// A side on `host`; `reset` comes first.
    pub fn new(host: &'h H, policy: P) -> Self {
        PortSide {
            guest: Lguest::new(host, policy, Config::default()),
        }
    }

    /// The bits of the fixes that made it act otherwise than the original since the reset.
    pub fn fired(&self) -> u32 {
        self.guest.fired()
    }

    /// The same since the last time, or since the reset.
    pub fn take_fired(&self) -> u32 {
        self.guest.take_fired()
    }

    /// The guest itself.
    pub fn guest(&mut self) -> &mut Lguest<'h, M, P, H> {
        &mut self.guest
    }
}

impl<M: Mode, P: Policy, H: PortHost<M>> Side for PortSide<'_, M, P, H> {
    type Host = H;

    #[inline]
    fn host(&self) -> &H {
        self.guest.host()
    }

    #[inline]
    fn pae(&self) -> bool {
        M::PAE
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        let host = self.guest.host();
        host.begin(machine, pages);
        let config = Config {
            pfn_limit: machine.pages,
            device_limit: machine.device_limit(),
            mem_base: machine.mem_base,
            regs_page: host.regs_page(),
        };
        self.guest = Lguest::new(host, self.guest.policy(), config);
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        self.guest.begin_step();
        self.guest.init_guest_pagetable()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.guest.do_hypercalls(args)
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        // The original's callers hand in a variable that holds anything; the function sets it.
        let mut iomem = u32::MAX;
        let fixed = self.guest.demand_page(Gva(vaddr), errcode, &mut iomem)?;
        Ok(Demand { fixed, iomem })
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.guest.map_switcher_in_guest()
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        self.guest.guest_pa(Gva(vaddr))
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        // The same sentinel as on the other side: a port that sets nothing is to be seen.
        let mut paddr = 0xdead_beef;
        let found = self.guest.__guest_pa(Gva(vaddr), &mut paddr)?;
        Ok((found, paddr))
    }

    #[cfg_attr(feature = "outline", inline(never))]
    #[cfg_attr(not(feature = "outline"), inline)]
    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.guest.free_guest_pagetable()
    }

    #[inline]
    fn state(&self) -> State {
        let cpu = &self.guest.cpus[0];
        State {
            slots: core::array::from_fn(|i| self.slot(i)),
            cpu_pgd: cpu.cpu_pgd,
            linear_pages: cpu.linear_pages,
            kernel_address: self.guest.kernel_address,
            lguest_data: self.guest.lguest_data,
            ss1: cpu.ss1,
            esp1: cpu.esp1,
            stack_pages: self.guest.stack_pages,
            next_hcall: cpu.next_hcall,
            dead: self.dead(),
        }
    }

    #[inline]
    fn slot(&self, i: usize) -> SlotState {
        let slot = &self.guest.pgdirs[i & 3];
        SlotState {
            gpgdir: slot.gpgdir,
            pgdir: slot.pgdir,
            last_host_cpu: slot.last_host_cpu,
            switcher_mapped: slot.switcher_mapped,
        }
    }

    #[inline]
    fn pins(&self) -> u32 {
        self.guest.pins
    }

    #[inline]
    fn dead(&self) -> i32 {
        match self.guest.dead {
            Dead::Alive => 0,
            Dead::Message => 1,
            Dead::Errno(errno) => errno,
        }
    }

    #[inline]
    fn lguest_data(&self) -> u32 {
        self.guest.lguest_data
    }

    #[inline]
    fn current_root(&self) -> u32 {
        self.guest.pgdirs[self.guest.cpus[0].cpu_pgd as usize & 3].pgdir
    }
}
