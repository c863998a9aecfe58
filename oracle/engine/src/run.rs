// SPDX-License-Identifier: GPL-2.0-or-later
//! The executor: does one step of a scenario on one side, as guest, launcher or host would.

use lguest_shadow::{BugKind, HostBug};

use crate::cpu::{self, Processor, Request};
use crate::side::{Machinery, Side};
use crate::{Event, Machine, PageRecord, Step, Verb};

/// Offsets in `struct lguest_data`, in bytes.
pub mod lguest_data {
    /// Status of the 64 ring entries, a byte each; 0xff is free.
    pub const HCALL_STATUS: u32 = 24;
    /// The ring: 64 entries of five words.
    pub const HCALLS: u32 = 88;
    /// The guest kernel's first address.
    pub const KERNEL_ADDRESS: u32 = 1380;
    /// Entries of the ring.
    pub const RING: u32 = 64;
}

/// What came of a step.
///
/// The tag is as wide as what goes with it: outcomes are copied for each step, and copies of odd width are slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Outcome {
    /// The guest is dead or gone: nothing was done.
    Skipped,
    /// Done, and there is nothing to return.
    Done,
    /// What a function returned, or whether memory took a write.
    Value(u32),
    /// `demand_page` mapped the page; what it left in its out-parameter.
    Fixed(u32),
    /// `demand_page` did not; guest-physical address of I/O memory, or 0.
    NotFixed(u32),
    /// `__guest_pa` found something mapped: its guest-physical address.
    Found(u32),
    /// `__guest_pa` did not; what it left in its out-parameter.
    NotFound(u32),
    /// A guest access reached memory: the word read, or written.
    Word(u32),
    /// A guest access is a fault of the guest's own: its error code.
    Reflected(u32),
    /// A guest access reached I/O memory at this guest-physical address.
    Iomem(u32),
    /// A guest access lies beyond the segment limit, where the Switcher is.
    Beyond,
    /// A guest access reached a frame that holds no guest memory: its number.
    Foreign(u32),
    /// Four faults were fixed and the access still does not succeed.
    Stuck,
    /// The guest died during the access.
    Killed,
    /// The host would have crashed or been corrupted here.
    Bug(HostBug),
}

impl Outcome {
    /// The same with frames renumbered.
    #[inline]
    pub fn canonical(self, number: impl Fn(u32) -> u32) -> Outcome {
        match self {
            Outcome::Foreign(pfn) => Outcome::Foreign(number(pfn)),
            Outcome::Bug(bug) => Outcome::Bug(HostBug::new(bug.kind(), number(bug.pfn()))),
            outcome => outcome,
        }
    }
}

/// Times that one access may fault.
const FAULTS: u32 = 4;

/// Steps of this verb enter the code under test, if the guest lives.
#[inline]
pub fn calls(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Hypercall
            | Verb::DemandPage
            | Verb::Access
            | Verb::Run
            | Verb::GuestPa
            | Verb::TryGuestPa
            | Verb::Destroy
    )
}

/// One side, and where its guest is.
pub struct Runner<S> {
    /// The side.
    pub side: S,
    mem_base: u32,
    switcher: u32,
    processor: Processor,
    ring: u32,
    over: bool,
}

impl<S: Side> Runner<S> {
    /// A runner for `side`; `start` comes first.
    pub fn new(side: S) -> Self {
        Runner {
            side,
            mem_base: 0,
            switcher: 0,
            processor: Processor::WIDEST,
            ring: 0,
            over: true,
        }
    }

    /// Resets the side and initialises its page tables: what `init_guest_pagetable` returned, or the crash.
    pub fn start(
        &mut self,
        machine: &Machine,
        pages: &mut dyn Iterator<Item = PageRecord>,
    ) -> Result<i32, HostBug> {
        self.mem_base = machine.mem_base;
        self.switcher = machine.switcher;
        self.processor.nx = machine.nx;
        self.ring = 0;
        self.over = false;
        self.side.reset(machine, pages);
        let result = self.side.init_guest_pagetable();
        if result != Ok(0) {
            self.over = true;
        }
        result
    }

    /// No further step has an effect: destroyed, crashed, or never begun.
    pub fn over(&self) -> bool {
        self.over
    }

    /// The step would enter the code under test, on a guest that lives.
    #[inline]
    pub fn enters(&self, step: &Step) -> bool {
        calls(step.verb) && !self.over && self.side.dead() == 0
    }

    /// Does one step.
    #[inline]
    pub fn step(&mut self, step: &Step) -> Outcome {
        if self.over {
            return Outcome::Skipped;
        }
        self.side.host().begin_step(step);
        let result = self.act(step);
        let result = match self.side.host().corrupted() {
            Some(pfn) if result.is_ok() => Err(HostBug::new(BugKind::DirtyFree, pfn)),
            _ => result,
        };
        match result {
            Ok(outcome) => outcome,
            Err(bug) => {
                self.over = true;
                Outcome::Bug(bug)
            }
        }
    }

    #[inline]
    fn act(&mut self, step: &Step) -> Result<Outcome, HostBug> {
        let [a0, a1, a2, a3, a4] = step.args;
        let guest_acts = matches!(
            step.verb,
            Verb::Hypercall
                | Verb::Async
                | Verb::DemandPage
                | Verb::Access
                | Verb::Run
                | Verb::GuestPa
                | Verb::TryGuestPa
        );
        if guest_acts && self.side.dead() != 0 {
            return Ok(Outcome::Skipped);
        }
        Ok(match step.verb {
            Verb::Hypercall => {
                if self.side.lguest_data() == 0 {
                    self.ring = 0;
                }
                self.side.do_hypercalls(&step.args)?;
                Outcome::Done
            }
            Verb::Async => self.put_async(&step.args),
            Verb::DemandPage => {
                let demand = self.side.demand_page(a0, a1)?;
                if demand.fixed {
                    Outcome::Fixed(demand.iomem)
                } else {
                    Outcome::NotFixed(demand.iomem)
                }
            }
            Verb::Access => self.access(
                a0,
                Request {
                    write: a1 & 1 != 0,
                    user: a1 & 2 != 0,
                },
                a2,
            )?,
            Verb::Write | Verb::DeviceWrite => {
                let bytes = (u64::from(a1) | u64::from(a2) << 32).to_le_bytes();
                let width = (a3 as usize).min(8);
                Outcome::Value(self.side.host().guest_write(a0, &bytes[..width]).into())
            }
            Verb::Map => Outcome::Value(
                self.map(a0, a1, u64::from(a2) | u64::from(a3) << 32, a4)
                    .is_some()
                    .into(),
            ),
            Verb::BootData => Outcome::Value(self.boot_data(a0, a1).into()),
            Verb::Run => {
                self.side.host().set_cpu(a0);
                self.side.map_switcher_in_guest()?;
                Outcome::Done
            }
            Verb::GuestPa => Outcome::Value(self.side.guest_pa(a0)?),
            Verb::TryGuestPa => {
                let (found, paddr) = self.side.try_guest_pa(a0)?;
                if found {
                    Outcome::Found(paddr)
                } else {
                    Outcome::NotFound(paddr)
                }
            }
            Verb::Expect => Outcome::Skipped,
            Verb::Unmap => self.happen(Event::Unmap(a0)),
            Verb::Protect => self.happen(Event::Protect(a0)),
            Verb::Unprotect => self.happen(Event::Unprotect(a0)),
            Verb::Share => self.happen(Event::Share(a0)),
            Verb::Destroy => {
                self.over = true;
                self.side.free_guest_pagetable()?;
                Outcome::Done
            }
        })
    }

    fn happen(&self, event: Event) -> Outcome {
        self.side.host().happen(event);
        Outcome::Done
    }

    /// The guest's own half of an asynchronous call: into the next ring entry, if that is free.
    fn put_async(&mut self, args: &[u32; 5]) -> Outcome {
        let data = self.side.lguest_data();
        if data == 0 {
            return Outcome::Value(0);
        }
        let base = data.wrapping_sub(self.mem_base);
        let status = base
            .wrapping_add(lguest_data::HCALL_STATUS)
            .wrapping_add(self.ring);
        let mut free = [0u8; 1];
        let host = self.side.host();
        if !host.guest_read(status, &mut free) || free[0] != 0xff {
            return Outcome::Value(0);
        }
        let mut entry = [0u8; 20];
        for (bytes, arg) in entry.chunks_exact_mut(4).zip(args) {
            bytes.copy_from_slice(&arg.to_le_bytes());
        }
        let at = base
            .wrapping_add(lguest_data::HCALLS)
            .wrapping_add(self.ring * 20);
        let done = host.guest_write(at, &entry) && host.guest_write(status, &[0]);
        if done {
            self.ring = (self.ring + 1) % lguest_data::RING;
        }
        Outcome::Value(done.into())
    }

    /// What a guest kernel does before LGUEST_INIT: an empty ring and its kernel address.
    fn boot_data(&mut self, addr: u32, kernel_address: u32) -> bool {
        let host = self.side.host();
        host.guest_write(
            addr.wrapping_add(lguest_data::HCALL_STATUS),
            &[0xff; lguest_data::RING as usize],
        ) && host.guest_write(
            addr.wrapping_add(lguest_data::KERNEL_ADDRESS),
            &kernel_address.to_le_bytes(),
        )
    }

    /// Writes the guest page-table entries that map `vaddr`; levels that are missing go to page `tables` and the next.
    fn map(&mut self, gpgdir: u32, vaddr: u32, pte: u64, tables: u32) -> Option<()> {
        let pae = self.side.pae();
        let host = self.side.host();
        let follow = |at: u32, fresh: u32, flags: u32| -> Option<u32> {
            let mut low = [0u8; 4];
            if !host.guest_read(at, &mut low) {
                return None;
            }
            let entry = u32::from_le_bytes(low);
            if entry & 1 != 0 {
                return Some(entry & 0xffff_f000);
            }
            let entry = (u64::from(fresh << 12) | u64::from(flags)).to_le_bytes();
            host.guest_write(at, if pae { &entry } else { &entry[..4] })
                .then_some(fresh << 12)
        };
        let written = if pae {
            let pmds = follow(gpgdir.wrapping_add((vaddr >> 30) * 8), tables, 0x1)?;
            let ptes = follow(
                pmds.wrapping_add(((vaddr >> 21) & 511) * 8),
                tables.wrapping_add(1),
                0x67,
            )?;
            host.guest_write(
                ptes.wrapping_add(((vaddr >> 12) & 511) * 8),
                &pte.to_le_bytes(),
            )
        } else {
            let ptes = follow(gpgdir.wrapping_add((vaddr >> 22) * 4), tables, 0x67)?;
            host.guest_write(
                ptes.wrapping_add(((vaddr >> 12) & 1023) * 4),
                &(pte as u32).to_le_bytes(),
            )
        };
        written.then_some(())
    }

    /// A load or store by the guest: enters it on its host CPU, and again after each fault that is fixed.
    fn access(&mut self, vaddr: u32, request: Request, value: u32) -> Result<Outcome, HostBug> {
        let mut faults = 0;
        loop {
            self.side.map_switcher_in_guest()?;
            if vaddr >= self.switcher {
                return Ok(Outcome::Beyond);
            }
            let slot = self.side.current_root();
            let (host, pae) = (self.side.host(), self.side.pae());
            let walked = cpu::walk(host, slot, pae, vaddr, request, false, self.processor);
            let errcode = match walked {
                Ok(pfn) => return Ok(self.touch(pfn, vaddr, request, value)),
                Err(errcode) => errcode,
            };
            if faults == FAULTS {
                return Ok(Outcome::Stuck);
            }
            faults += 1;
            let demand = self.side.demand_page(vaddr, errcode)?;
            if self.side.dead() != 0 {
                return Ok(Outcome::Killed);
            }
            if !demand.fixed {
                return Ok(if demand.iomem != 0 {
                    Outcome::Iomem(demand.iomem)
                } else {
                    Outcome::Reflected(errcode)
                });
            }
        }
    }

    /// The access itself, on the aligned word of the frame that the walk gave.
    fn touch(&self, pfn: u64, vaddr: u32, request: Request, value: u32) -> Outcome {
        let host = self.side.host();
        let Ok(pfn) = u32::try_from(pfn) else {
            return Outcome::Foreign(u32::MAX);
        };
        let word = (vaddr as usize >> 2) & 1023;
        if request.write {
            if host.store(pfn, word, value) {
                Outcome::Word(value)
            } else {
                Outcome::Foreign(pfn)
            }
        } else {
            host.load(pfn, word)
                .map_or(Outcome::Foreign(pfn), Outcome::Word)
        }
    }
}
