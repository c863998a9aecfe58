// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's calls to the host: dispatcher, first call, and the ring of asynchronous ones.
//!
//! This models lguest's `hypercalls.c`, as far as it reaches the page tables.

use crate::addr::{Gpa, Gva};
use crate::bug::HostBug;
use crate::entry::Entry;
use crate::guest::{Dead, Lguest};
use crate::host::Host;
use crate::kill::Reason;
use crate::mode::Mode;
use crate::policy::Policy;

/// Where things are in the guest's `struct lguest_data`: offsets and sizes in bytes.
pub mod lguest_data {
    /// The time, as seconds and nanoseconds, when the guest started.
    pub const TIME: u32 = 12;
    /// One byte for each place of the ring; 0xff if it is empty.
    pub const HCALL_STATUS: u32 = 24;
    /// The ring: five words for each place.
    pub const HCALLS: u32 = 88;
    /// Places of the ring.
    pub const RING_SIZE: u32 = 64;
    /// How much of the top of the address space is taken.
    pub const RESERVE_MEM: u32 = 1368;
    /// Speed of the time stamp counter.
    pub const TSC_KHZ: u32 = 1372;
    /// Where the guest wants no interrupts.
    pub const NOIRQ_IRET: u32 = 1376;
    /// Where the guest's kernel begins.
    pub const KERNEL_ADDRESS: u32 = 1380;
    /// All of it.
    pub const SIZE: u32 = 1388;
}

/// Numbers of the hypercalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Hypercall {
    /// Nothing but a reason to look at the ring.
    FlushAsync = 0,
    /// The first call: where the guest's `lguest_data` is.
    LguestInit = 1,
    /// The guest ends: message, how.
    Shutdown = 2,
    /// Other page tables: their top level.
    NewPgtable = 4,
    /// Mappings changed: 0 for the user's in the current tables, else all.
    FlushTlb = 5,
    /// Not modelled.
    LoadIdtEntry = 6,
    /// The kernel's stack: segment, top, pages.
    SetStack = 7,
    /// Not modelled.
    Ts = 8,
    /// Not modelled.
    SetClockevent = 9,
    /// Not modelled.
    Halt = 10,
    /// A middle-level entry changed: table, index (PAE).
    SetPmd = 13,
    /// A lowest-level entry was set: top level, address, entry in one word or (PAE) two.
    SetPte = 14,
    /// A top-level entry changed: top level, index.
    SetPgd = 15,
    /// Not modelled.
    LoadTls = 16,
    /// Not modelled.
    LoadGdtEntry = 18,
    /// Not modelled.
    SendInterrupts = 19,
}

impl Hypercall {
    /// The call with this number.
    #[inline]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::FlushAsync,
            1 => Self::LguestInit,
            2 => Self::Shutdown,
            4 => Self::NewPgtable,
            5 => Self::FlushTlb,
            6 => Self::LoadIdtEntry,
            7 => Self::SetStack,
            8 => Self::Ts,
            9 => Self::SetClockevent,
            10 => Self::Halt,
            13 => Self::SetPmd,
            14 => Self::SetPte,
            15 => Self::SetPgd,
            16 => Self::LoadTls,
            18 => Self::LoadGdtEntry,
            19 => Self::SendInterrupts,
            _ => return None,
        })
    }
}

/// Status of an empty place in the ring.
const EMPTY: u8 = 0xff;
/// Way of SHUTDOWN that asks to be started again.
const SHUTDOWN_RESTART: u32 = 2;
/// What the launcher sees then, as a negative error number.
const ERESTART: i32 = -85;
/// Bytes of a message that SHUTDOWN brings.
const MESSAGE: usize = 128;
/// The time at which every guest starts: 0x1000 seconds and no nanoseconds, so that two
/// guests can be compared.
const TIMESTAMP: [u8; 8] = [0, 0x10, 0, 0, 0, 0, 0, 0];

impl<M: Mode, P: Policy, H: Host<M>> Lguest<'_, M, P, H> {
    /// A hypercall by the guest: number and up to four arguments. The ring comes first.
    ///
    /// It begins a step (see [`Lguest::begin_step`]).
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.begin_step();
        if self.lguest_data == 0 {
            return self.initialize(args);
        }
        self.do_async_hcalls()?;
        self.do_hcall(args)
    }

    /// Does the calls that wait in the ring, at most once round. That the guest dies on the
    /// way does not end it.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn do_async_hcalls(&mut self) -> Result<(), HostBug> {
        let mut status = [0; lguest_data::RING_SIZE as usize];
        let status_at = self.lguest_data.wrapping_add(lguest_data::HCALL_STATUS);
        // Read once: what is queued meanwhile waits for the next call.
        if !self.host.copy_from_user(&mut status, status_at) {
            return Ok(());
        }
        for _ in 0..lguest_data::RING_SIZE {
            let n = self.cpus[0].next_hcall & (lguest_data::RING_SIZE - 1);
            if status[n as usize] == EMPTY {
                break;
            }
            self.cpu().next_hcall = n.wrapping_add(1) & (lguest_data::RING_SIZE - 1);

            let mut bytes = [0; 20];
            let from = self
                .lguest_data
                .wrapping_add(lguest_data::HCALLS)
                .wrapping_add(n.wrapping_mul(20));
            if !self.host.copy_from_user(&mut bytes, from) {
                self.kill_guest(&Reason::FetchingAsync);
                break;
            }
            self.do_hcall(&words(&bytes))?;
            if !self.host.copy_to_user(status_at.wrapping_add(n), &[EMPTY]) {
                self.kill_guest(&Reason::WritingAsync);
                break;
            }
        }
        Ok(())
    }

    /// Does one call, queued or direct.
    ///
    /// # Errors
    /// The host would have crashed.
    pub fn do_hcall(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        let &[number, a1, a2, a3, a4] = args;
        match Hypercall::from_number(number) {
            Some(Hypercall::SetPte) => {
                // The second word is cut off where entries have one.
                let gpte = M::Entry::from_wide(u64::from(a3) | (u64::from(a4) << 32));
                self.guest_set_pte(Gpa(a1), Gva(a2), gpte)
            }
            Some(Hypercall::NewPgtable) => self.guest_new_pagetable(Gpa(a1)),
            Some(Hypercall::SetPgd) => self.guest_set_pgd(Gpa(a1), a2),
            Some(Hypercall::SetPmd) if M::PAE => self.guest_set_pmd(Gpa(a1), a2),
            Some(Hypercall::FlushTlb) if a1 != 0 => self.guest_pagetable_clear_all(),
            Some(Hypercall::FlushTlb) => self.guest_pagetable_flush_user(),
            Some(Hypercall::SetStack) => self.guest_set_stack(a1, a2, a3),
            Some(Hypercall::LguestInit) => {
                self.kill_guest(&Reason::AlreadyHaveLguestData);
                Ok(())
            }
            Some(Hypercall::Shutdown) => {
                self.shutdown(Gpa(a1), a2);
                Ok(())
            }
            Some(Hypercall::SetPmd) | None => {
                self.kill_guest(&Reason::BadHypercall(number));
                Ok(())
            }
            Some(
                Hypercall::FlushAsync
                | Hypercall::LoadIdtEntry
                | Hypercall::Ts
                | Hypercall::SetClockevent
                | Hypercall::Halt
                | Hypercall::LoadTls
                | Hypercall::LoadGdtEntry
                | Hypercall::SendInterrupts,
            ) => Ok(()),
        }
    }

    /// The first call, which must be LGUEST_INIT. Each failure kills; the next step is taken
    /// all the same.
    ///
    /// # Errors
    /// The host would have crashed.
    #[cold]
    pub fn initialize(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        let &[number, a1, ..] = args;
        if number != Hypercall::LguestInit as u32 {
            self.kill_guest(&Reason::HypercallBeforeInit(number));
            return Ok(());
        }
        if !self.init_hypercalls(Gpa(a1)) {
            self.kill_guest(&Reason::BadGuestPage(self.lguest_data));
        }
        let data = self.lguest_data;
        let noirq_iret = self.get_user(data.wrapping_add(lguest_data::NOIRQ_IRET));
        self.noirq_iret = noirq_iret.unwrap_or_else(|zero| zero);
        if noirq_iret.is_err() {
            self.kill_guest(&Reason::BadGuestPage(data));
        }
        if !self
            .host
            .copy_to_user(data.wrapping_add(lguest_data::TIME), &TIMESTAMP)
        {
            self.kill_guest(&Reason::WritingTimestamp);
        }
        self.page_table_guest_data_init();
        // What was mapped before was mapped before the guest's memory was written here.
        self.guest_pagetable_clear_all()
    }

    /// Accepts the guest's `lguest_data` at `addr`; false if it cannot be used. It is kept
    /// even if it then cannot be written.
    fn init_hypercalls(&mut self, addr: Gpa) -> bool {
        if !self.lguest_address_ok(addr, lguest_data::SIZE) {
            return false;
        }
        self.lguest_data = self.mem_base.wrapping_add(addr.0);
        self.host.copy_to_user(
            self.lguest_data.wrapping_add(lguest_data::TSC_KHZ),
            &self.host.tsc_khz().to_le_bytes(),
        )
    }

    #[cold]
    fn shutdown(&mut self, message_at: Gpa, how: u32) {
        let mut message = [0; MESSAGE];
        self.__lgread(&mut message, message_at);
        message[MESSAGE - 1] = 0;
        self.kill_guest(&Reason::Crash(&message));
        // Even over a reason that is there already.
        if how == SHUTDOWN_RESTART {
            self.dead = Dead::Errno(ERESTART);
        }
    }
}

/// A place of the ring as words.
#[inline]
fn words(bytes: &[u8; 20]) -> [u32; 5] {
    let mut words = [0; 5];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        let mut four = [0; 4];
        four.copy_from_slice(bytes);
        *word = u32::from_le_bytes(four);
    }
    words
}
