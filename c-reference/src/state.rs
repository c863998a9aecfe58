// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest's state, as the original keeps it.

use crate::{Callbacks, Original};

/// One of the four shadows that a guest can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pgdir {
    /// Guest-physical address of the top level that it shadows.
    pub gpgdir: u32,
    /// Whether the original believes the Switcher mapped.
    pub switcher_mapped: bool,
    /// The host CPU that it last ran on, or -1.
    pub last_host_cpu: i32,
    /// Physical address of the shadow's top level; 0 if there is none.
    pub pgdir: u32,
}

/// The guest's state.
impl<C: Callbacks> Original<'_, C> {
    /// Index of the current shadow, 0 to 3.
    pub fn cpu_pgd(&self) -> u32 {
        self.lg().cpus[0].cpu_pgd as u32
    }

    /// Whether the guest still runs without page tables of its own.
    pub fn linear_pages(&self) -> bool {
        self.lg().cpus[0].linear_pages
    }

    /// Guest-virtual address from which mappings are the kernel's.
    pub fn kernel_address(&self) -> u32 {
        self.lg().kernel_address
    }

    /// What the guest said of its noirq_iret.
    pub fn noirq_iret(&self) -> u32 {
        self.lg().noirq_iret
    }

    /// Kernel stack pointer.
    pub fn esp1(&self) -> u32 {
        self.lg().cpus[0].esp1
    }

    /// Kernel stack segment.
    pub fn ss1(&self) -> u32 {
        self.lg().cpus[0].ss1
    }

    /// Pages of the kernel stack, as the guest counts them.
    pub fn stack_pages(&self) -> u32 {
        self.lg().stack_pages
    }

    /// Launcher address of the guest's `lguest_data`; 0 before it is known.
    pub fn lguest_data(&self) -> u32 {
        self.lg().lguest_data.addr() as u32
    }

    /// Cursor into the ring of asynchronous hypercalls, 0 to 63.
    pub fn next_hcall(&self) -> u32 {
        self.lg().cpus[0].next_hcall
    }

    /// 0 if alive, 1 if killed with a text (the host has it), else -errno.
    pub fn dead(&self) -> i32 {
        self.lg().dead
    }

    /// One of the four shadows; `i` is 0 to 3.
    pub fn pgdir(&self, i: usize) -> Pgdir {
        let pgdir = self.slot(i);
        Pgdir {
            gpgdir: pgdir.gpgdir,
            switcher_mapped: pgdir.switcher_mapped,
            last_host_cpu: pgdir.last_host_cpu,
            // The arena is aligned so that the low half is the address in it.
            pgdir: pgdir.pgdir.addr() as u32,
        }
    }
}
