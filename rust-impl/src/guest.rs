// SPDX-License-Identifier: GPL-2.0-or-later
//! The state of one guest, and the end of its life.

use core::cell::Cell;

use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::{Fix, Policy};
use crate::setup::ENOMEM;

/// Shadow tables kept for a guest at once.
pub const PGDIRS: u32 = 4;

/// One shadow of a guest's page tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pgdir {
    /// Guest-physical address of the top level that this shadows.
    pub gpgdir: u32,
    /// Whether the Switcher's tables are believed to be there.
    pub switcher_mapped: bool,
    /// The CPU whose Switcher pages are mapped; -1 if that is not known.
    pub last_host_cpu: i32,
    /// Physical address of the shadow top level; 0 if there is none.
    pub pgdir: u32,
}

/// The guest's virtual CPU. The original has an array of them and uses one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LgCpu {
    /// Physical address of the page with the guest's registers.
    pub regs_page: u32,
    /// No tables of the guest's own yet: addresses map to themselves.
    pub linear_pages: bool,
    /// Index of the current shadow, below [`PGDIRS`].
    pub cpu_pgd: u32,
    /// Top of the guest's kernel stack, a guest-virtual address.
    pub esp1: u32,
    /// Segment of that stack.
    pub ss1: u32,
    /// Where the ring of asynchronous calls goes on, below 64.
    pub next_hcall: u32,
}

/// Whether and how the guest has died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dead {
    /// It lives.
    #[default]
    Alive,
    /// The host keeps a message.
    Message,
    /// There is only this error number, negative.
    Errno(i32),
}

/// What a guest starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Number of its pages of memory.
    pub pfn_limit: u32,
    /// The same with its devices' pages, which lie behind.
    pub device_limit: u32,
    /// Launcher-virtual address of its memory.
    pub mem_base: u32,
    /// Physical address of its page of registers.
    pub regs_page: u32,
}

/// A guest: `struct lguest`, as far as page tables are concerned.
///
/// All of a guest's state is here or in the tables that the host holds for it.
#[derive(Debug)]
pub struct Lguest<'h, M: Mode, P: Policy, H: Host<M>> {
    pub(crate) host: &'h H,
    policy: P,
    mode: core::marker::PhantomData<M>,
    /// Launcher-virtual address of the guest's `lguest_data`; 0 until LGUEST_INIT.
    pub lguest_data: u32,
    /// Its CPU.
    pub cpus: [LgCpu; 1],
    /// Guest page numbers from here on are not memory.
    pub pfn_limit: u32,
    /// Guest page numbers from here on are not devices either.
    pub device_limit: u32,
    /// Launcher-virtual address of guest-physical 0.
    pub mem_base: u32,
    /// Guest-virtual address from which all of the guest's page tables are alike.
    pub kernel_address: u32,
    /// Its shadow tables.
    pub pgdirs: [Pgdir; PGDIRS as usize],
    /// Size of the guest's kernel stack in pages, as the guest told it.
    pub stack_pages: u32,
    /// Whether it has died.
    pub dead: Dead,
    /// Guest-virtual address at which the guest wants no interrupts.
    pub noirq_iret: u32,
    /// Stack pages pinned in the current step; see [`Lguest::begin_step`].
    pub pins: u32,
    /// Bits of the fixes that made it act otherwise than the original; 0 under [`Faithful`](crate::Faithful).
    fired: Cell<u32>,
}

impl<'h, M: Mode, P: Policy, H: Host<M>> Lguest<'h, M, P, H> {
    /// A guest with nothing allocated: [`Lguest::init_guest_pagetable`] comes next.
    #[inline]
    pub fn new(host: &'h H, policy: P, config: Config) -> Self {
        Self {
            host,
            policy,
            mode: core::marker::PhantomData,
            lguest_data: 0,
            cpus: [LgCpu {
                regs_page: config.regs_page,
                ..LgCpu::default()
            }],
            pfn_limit: config.pfn_limit,
            device_limit: config.device_limit,
            mem_base: config.mem_base,
            kernel_address: 0,
            pgdirs: [Pgdir::default(); PGDIRS as usize],
            stack_pages: 0,
            dead: Dead::Alive,
            noirq_iret: 0,
            pins: 0,
            fired: Cell::new(0),
        }
    }

    /// The host that it runs on.
    #[inline]
    pub const fn host(&self) -> &'h H {
        self.host
    }

    /// The policy that it runs under.
    #[inline]
    pub const fn policy(&self) -> P {
        self.policy
    }

    /// The [bits](Fix::bit) of the fixes that made it act otherwise than the original would
    /// have, since it was made. While this is 0 it has behaved as the original.
    #[inline]
    pub fn fired(&self) -> u32 {
        self.fired.get()
    }

    /// [`Lguest::fired`], and starts anew.
    #[inline]
    pub fn take_fired(&self) -> u32 {
        self.fired.replace(0)
    }

    /// Asked just where the port is about to depart from the original: whether it is to, which
    /// is then told in [`Lguest::fired`].
    #[inline(always)]
    pub(crate) fn mends(&self, fix: Fix) -> bool {
        let mends = self.policy.fixes(fix);
        if mends {
            self.fired.set(self.fired.get() | fix.bit());
        }
        mends
    }

    /// Starts to count pinned stack pages anew.
    ///
    /// A step is one outermost entry into this crate. [`Lguest::do_hypercalls`] begins one by
    /// itself; whoever enters through another function that pins the stack calls this before.
    #[inline]
    pub fn begin_step(&mut self) {
        self.pins = 0;
    }

    /// Records why the guest dies. Only the first reason counts.
    ///
    /// Nothing stops here: as in the original, what was under way goes on.
    #[cold]
    #[inline(never)]
    pub fn kill_guest(&mut self, reason: &Reason<'_>) {
        if self.dead == Dead::Alive {
            self.dead = if self.host.kasprintf(reason.text().as_bytes()) {
                Dead::Message
            } else {
                Dead::Errno(ENOMEM)
            };
        }
    }

    #[inline]
    pub(crate) fn cpu(&mut self) -> &mut LgCpu {
        &mut self.cpus[0]
    }

    #[inline]
    pub(crate) fn linear_pages(&self) -> bool {
        self.cpus[0].linear_pages
    }

    #[inline]
    pub(crate) fn cpu_pgd(&self) -> u32 {
        self.cpus[0].cpu_pgd
    }

    /// Slot `i` of the four. Indices are always in range; the mask spares the check.
    #[inline]
    pub(crate) fn pgdir(&self, i: u32) -> &Pgdir {
        &self.pgdirs[(i & (PGDIRS - 1)) as usize]
    }

    #[inline]
    pub(crate) fn pgdir_mut(&mut self, i: u32) -> &mut Pgdir {
        &mut self.pgdirs[(i & (PGDIRS - 1)) as usize]
    }
}
