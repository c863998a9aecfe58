// SPDX-License-Identifier: GPL-2.0-or-later
//! The original as a side.

use lguest_c_reference as c;
use lguest_engine::{Demand, Machine, PageRecord, Side, SlotState, State};
use lguest_shadow::{BugKind, HostBug};

use crate::sim::{REGS_PAGE, SimHost};

/// The original, in one paging mode, on a simulated host.
pub struct OriginalSide<'h> {
    host: &'h SimHost,
    pae: bool,
    guest: c::Original<'h, SimHost>,
}

fn bug(crash: c::Crash) -> HostBug {
    let kind = match crash.kind {
        c::CrashKind::BugOn => BugKind::BugOn,
        c::CrashKind::NullEntry => BugKind::NullEntry,
        c::CrashKind::OutsidePage => BugKind::OutsidePage,
        c::CrashKind::WildPage => BugKind::WildPage,
        c::CrashKind::BadFree => BugKind::BadFree,
        c::CrashKind::PutNotHeld => BugKind::PutNotHeld,
        c::CrashKind::Lockup => BugKind::Lockup,
        c::CrashKind::DirtyFree => BugKind::DirtyFree,
    };
    HostBug::new(kind, crash.pfn)
}

impl<'h> OriginalSide<'h> {
    /// A side on `host`, if this program was built with the original in it; `reset` comes first.
    pub fn new(host: &'h SimHost, pae: bool) -> Option<Self> {
        let mode = if pae {
            c::PagingMode::Pae
        } else {
            c::PagingMode::NoPae
        };
        let guest = c::Original::new(mode, host, host.shared(), host.arena())?;
        Some(OriginalSide::of(host, pae, guest))
    }

    /// A side of a guest that the caller made on `host`, in the same mode.
    pub fn of(host: &'h SimHost, pae: bool, guest: c::Original<'h, SimHost>) -> Self {
        OriginalSide { host, pae, guest }
    }
}

impl Side for OriginalSide<'_> {
    type Host = SimHost;

    #[inline]
    fn host(&self) -> &SimHost {
        self.host
    }

    #[inline]
    fn pae(&self) -> bool {
        self.pae
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.host.reset(machine, self.pae, pages);
        self.guest.reset(c::Config {
            pfn_limit: machine.pages,
            device_limit: machine.device_limit(),
            mem_base: machine.mem_base,
            regs_page: REGS_PAGE,
        });
    }

    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        self.guest.init_guest_pagetable().map_err(bug)
    }

    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.guest.do_hypercalls(args).map_err(bug)
    }

    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        let (fixed, iomem) = self.guest.demand_page(vaddr, errcode).map_err(bug)?;
        Ok(Demand { fixed, iomem })
    }

    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.guest.map_switcher_in_guest().map_err(bug)
    }

    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        self.guest.guest_pa(vaddr).map_err(bug)
    }

    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        self.guest.try_guest_pa(vaddr).map_err(bug)
    }

    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.guest.free_guest_pagetable().map_err(bug)
    }

    #[inline]
    fn state(&self) -> State {
        let guest = &self.guest;
        State {
            slots: std::array::from_fn(|i| self.slot(i)),
            cpu_pgd: guest.cpu_pgd(),
            linear_pages: guest.linear_pages(),
            kernel_address: guest.kernel_address(),
            lguest_data: guest.lguest_data(),
            ss1: guest.ss1(),
            esp1: guest.esp1(),
            stack_pages: guest.stack_pages(),
            next_hcall: guest.next_hcall(),
            dead: guest.dead(),
        }
    }

    #[inline]
    fn slot(&self, i: usize) -> SlotState {
        let slot = self.guest.pgdir(i & 3);
        SlotState {
            gpgdir: slot.gpgdir,
            pgdir: slot.pgdir,
            last_host_cpu: slot.last_host_cpu,
            switcher_mapped: slot.switcher_mapped,
        }
    }

    #[inline]
    fn pins(&self) -> u32 {
        self.host.shared().pins.get()
    }

    #[inline]
    fn dead(&self) -> i32 {
        self.guest.dead()
    }

    #[inline]
    fn lguest_data(&self) -> u32 {
        self.guest.lguest_data()
    }

    #[inline]
    fn current_root(&self) -> u32 {
        self.guest.pgdir(self.guest.cpu_pgd() as usize & 3).pgdir
    }
}
