// SPDX-License-Identifier: GPL-2.0-or-later
//! Fits a copy of the port to the simulated host and to [`Guest`](crate::Guest).
//!
//! A copy has traits and types of its own, down to those of entries, so that any line of it can
//! be spoiled. They are the real ones under other names.

/// Makes the simulated host a host of `$copy` in `$mode`, and its guests a [`Guest`](crate::Guest).
macro_rules! adapt {
    ($copy:ident, $mode:ident) => {
        impl $copy::Host<$copy::$mode> for lguest_oracle::sim::SimHost {
            fn get_zeroed_page(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::get_zeroed_page(self)
            }

            fn free_page(&self, pa: u32) -> Result<(), $copy::HostBug> {
                lguest_shadow::Host::<lguest_shadow::$mode>::free_page(self, pa)
                    .map_err(|bug| adapt!(bug, lguest_shadow => $copy))
            }

            fn get_user_pages_fast(&self, addr: u32, write: u32) -> Option<u32> {
                lguest_shadow::Host::<lguest_shadow::$mode>::get_user_pages_fast(self, addr, write)
            }

            fn get_page(&self, pfn: u32) {
                lguest_shadow::Host::<lguest_shadow::$mode>::get_page(self, pfn);
            }

            fn put_page(&self, pfn: u32) -> Result<(), $copy::HostBug> {
                lguest_shadow::Host::<lguest_shadow::$mode>::put_page(self, pfn)
                    .map_err(|bug| adapt!(bug, lguest_shadow => $copy))
            }

            fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
                lguest_shadow::Host::<lguest_shadow::$mode>::copy_from_user(self, to, from)
            }

            fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
                lguest_shadow::Host::<lguest_shadow::$mode>::copy_to_user(self, to, from)
            }

            fn prandom_u32(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::prandom_u32(self)
            }

            fn kasprintf(&self, text: &[u8]) -> bool {
                lguest_shadow::Host::<lguest_shadow::$mode>::kasprintf(self, text)
            }

            fn smp_processor_id(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::smp_processor_id(self)
            }

            fn nr_cpu_ids(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::nr_cpu_ids(self)
            }

            fn switcher_addr(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::switcher_addr(self)
            }

            fn switcher_page(&self, i: u32) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::switcher_page(self, i)
            }

            fn supported_pte_mask(&self) -> u64 {
                lguest_shadow::Host::<lguest_shadow::$mode>::supported_pte_mask(self)
            }

            fn tsc_khz(&self) -> u32 {
                lguest_shadow::Host::<lguest_shadow::$mode>::tsc_khz(self)
            }

            fn table(
                &self,
                pa: u32,
            ) -> Result<&<$copy::$mode as $copy::Mode>::Table, $copy::HostBug> {
                lguest_shadow::Host::<lguest_shadow::$mode>::table(self, pa)
                    .map_err(|bug| adapt!(bug, lguest_shadow => $copy))
            }

            fn set_pte(
                &self,
                slot: &$copy::Slot<'_, $copy::$mode>,
                entry: <$copy::$mode as $copy::Mode>::Entry,
            ) {
                adapt!(store, $mode, self, set_pte, slot, entry)
            }

            fn set_pmd(
                &self,
                slot: &$copy::Slot<'_, $copy::$mode>,
                entry: <$copy::$mode as $copy::Mode>::Entry,
            ) {
                adapt!(store, $mode, self, set_pmd, slot, entry)
            }

            fn set_pgd(
                &self,
                slot: &$copy::Slot<'_, $copy::$mode>,
                entry: <$copy::$mode as $copy::Mode>::Entry,
            ) {
                adapt!(store, $mode, self, set_pgd, slot, entry)
            }
        }

        impl<'h> crate::Guest
            for $copy::Lguest<'h, $copy::$mode, $copy::Faithful, lguest_oracle::sim::SimHost>
        {
            fn reset(&mut self, config: lguest_shadow::Config) {
                let config = $copy::Config {
                    pfn_limit: config.pfn_limit,
                    device_limit: config.device_limit,
                    mem_base: config.mem_base,
                    regs_page: config.regs_page,
                };
                *self = Self::new(self.host(), $copy::Faithful, config);
            }

            fn init_guest_pagetable(&mut self) -> Result<i32, lguest_shadow::HostBug> {
                self.begin_step();
                self.init_guest_pagetable()
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))
            }

            fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), lguest_shadow::HostBug> {
                self.do_hypercalls(args)
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))
            }

            fn demand_page(
                &mut self,
                vaddr: u32,
                errcode: u32,
            ) -> Result<lguest_engine::Demand, lguest_shadow::HostBug> {
                let mut iomem = u32::MAX;
                let fixed = self
                    .demand_page($copy::Gva(vaddr), errcode, &mut iomem)
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))?;
                Ok(lguest_engine::Demand { fixed, iomem })
            }

            fn map_switcher_in_guest(&mut self) -> Result<(), lguest_shadow::HostBug> {
                self.map_switcher_in_guest()
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))
            }

            fn guest_pa(&mut self, vaddr: u32) -> Result<u32, lguest_shadow::HostBug> {
                self.guest_pa($copy::Gva(vaddr))
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))
            }

            fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), lguest_shadow::HostBug> {
                let mut paddr = 0xdead_beef;
                let found = self
                    .__guest_pa($copy::Gva(vaddr), &mut paddr)
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))?;
                Ok((found, paddr))
            }

            fn free_guest_pagetable(&mut self) -> Result<(), lguest_shadow::HostBug> {
                self.free_guest_pagetable()
                    .map_err(|bug| adapt!(bug, $copy => lguest_shadow))
            }

            fn pins(&self) -> u32 {
                self.pins
            }

            fn state(&self) -> lguest_engine::State {
                let cpu = &self.cpus[0];
                lguest_engine::State {
                    slots: self.pgdirs.map(|slot| lguest_engine::SlotState {
                        gpgdir: slot.gpgdir,
                        pgdir: slot.pgdir,
                        last_host_cpu: slot.last_host_cpu,
                        switcher_mapped: slot.switcher_mapped,
                    }),
                    cpu_pgd: cpu.cpu_pgd,
                    linear_pages: cpu.linear_pages,
                    kernel_address: self.kernel_address,
                    lguest_data: self.lguest_data,
                    ss1: cpu.ss1,
                    esp1: cpu.esp1,
                    stack_pages: self.stack_pages,
                    next_hcall: cpu.next_hcall,
                    dead: match self.dead {
                        $copy::Dead::Alive => 0,
                        $copy::Dead::Message => 1,
                        $copy::Dead::Errno(errno) => errno,
                    },
                }
            }
        }
    };
    // A host's crash in the words of another copy; kinds are numbered from 1.
    ($bug:ident, $from:ident => $to:ident) => {
        $to::HostBug::new(
            $to::BugKind::ALL[($bug.kind() as usize).wrapping_sub(1) & 7],
            $bug.pfn(),
        )
    };
    // A recorded store, through the real slot at the same place.
    (store, $mode:ident, $host:ident, $set:ident, $slot:ident, $entry:ident) => {{
        type Host<'a> = &'a dyn lguest_shadow::Host<lguest_shadow::$mode>;
        let host: Host<'_> = $host;
        match host.table($slot.pa() & !0xfff) {
            Ok(table) => {
                let size = size_of_val(&$entry) as u32;
                let cell = &table[(($slot.pa() & 0xfff) / size) as usize];
                host.$set(&lguest_shadow::Slot::new(cell, $slot.pa()), $entry);
            }
            Err(_) => $slot.set($entry),
        }
    }};
}
