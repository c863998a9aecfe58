// SPDX-License-Identifier: GPL-2.0-or-later
//! The original as a side, compiled by this kernel's build as code of its own, and the kernel calls that it makes.

use core::ffi::c_void;
use core::slice;

use lguest_engine::{Demand, Difference, Machine, PageRecord, Side, SlotState, State};
use lguest_shadow::{BugKind, HostBug};

use crate::calls::Kind;
use crate::glue::{Guest, NONE};
use crate::host::KernelHost;

/// What the original can be asked; the numbers are those of `enum lg_entry`.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Entry {
    InitGuestPagetable = 0,
    FreeGuestPagetable = 1,
    DemandPage = 2,
    MapSwitcherInGuest = 4,
    GuestPa = 5,
    TryGuestPa = 6,
    DoHypercalls = 16,
}

/// `struct lgo_machine`.
#[repr(C)]
struct OriginalMachine {
    guest: *mut Guest,
    mem_base: u32,
    pfn_limit: u32,
    device_limit: u32,
    regs_page: u32,
    nr_cpus: u32,
    switcher_addr: u32,
    tsc_khz: u32,
    pte_mask: [u32; 2],
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct OriginalSlot {
    gpgdir: u32,
    pgdir: u32,
    last_host_cpu: i32,
    switcher_mapped: u32,
}

/// `struct lgo_state`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct OriginalState {
    slots: [OriginalSlot; 4],
    cpu_pgd: u32,
    linear_pages: u32,
    kernel_address: u32,
    lguest_data: u32,
    ss1: u32,
    esp1: u32,
    stack_pages: u32,
    next_hcall: u32,
    dead: i32,
    pins: u32,
}

/// `struct lg_world`, in C.
#[repr(C)]
struct OriginalWorld {
    opaque: [u8; 0],
}

unsafe extern "C" {
    fn kgo_new(host: *const c_void) -> *mut OriginalWorld;
    fn kgo_delete(world: *mut OriginalWorld);
    fn kgo_reset(world: *mut OriginalWorld, machine: *const OriginalMachine);
    fn kgo_call(
        world: *mut OriginalWorld,
        entry: u32,
        args: *const u32,
        cpu: u32,
        result: *mut u32,
    ) -> u32;
    fn kgo_state(world: *const OriginalWorld, state: *mut OriginalState);
}

/// The original on a host.
pub struct OriginalSide {
    host: &'static KernelHost,
    world: *mut OriginalWorld,
}

/// The crash of this number.
fn bug(kind: u32, pfn: u32) -> HostBug {
    let kind = BugKind::ALL
        .iter()
        .find(|known| **known as u32 == kind)
        .copied()
        .unwrap_or(BugKind::BugOn);
    HostBug::new(kind, pfn)
}

impl OriginalSide {
    /// A side on `host`; there may be no memory for it, and then each entry is a crash.
    pub fn new(host: &'static KernelHost) -> Self {
        // SAFETY: the host outlives the side, which deletes the world.
        let world = unsafe { kgo_new((host as *const KernelHost).cast()) };
        OriginalSide { host, world }
    }

    /// Gives its memory back; nothing is asked of it afterwards.
    pub fn delete(&mut self) {
        // SAFETY: nobody else has it; null is fine.
        unsafe { kgo_delete(self.world) };
        self.world = core::ptr::null_mut();
    }

    fn enter(&self, entry: Entry, args: [u32; 5]) -> Result<[u32; 2], HostBug> {
        let mut result = [0; 3];
        if self.world.is_null() {
            return Err(HostBug::BUG_ON);
        }
        // SAFETY: the world is alive, and no task is in it: the file's lock is held.
        let kind = unsafe {
            kgo_call(
                self.world,
                entry as u32,
                args.as_ptr(),
                self.host.cpu.get(),
                result.as_mut_ptr(),
            )
        };
        let [answer, out, pfn] = result;
        if kind == 0 {
            Ok([answer, out])
        } else {
            Err(bug(kind, pfn))
        }
    }

    fn look(&self) -> OriginalState {
        let mut state = OriginalState::default();
        if !self.world.is_null() {
            // SAFETY: the world is alive.
            unsafe { kgo_state(self.world, &mut state) };
        }
        state
    }
}

impl Side for OriginalSide {
    type Host = KernelHost;

    fn host(&self) -> &KernelHost {
        self.host
    }

    fn pae(&self) -> bool {
        cfg!(pae)
    }

    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.host.begin_machine(machine, pages);
        let mask = machine.supported_pte_mask();
        let machine = OriginalMachine {
            guest: self.host.guest.get(),
            mem_base: machine.mem_base,
            pfn_limit: machine.pages,
            device_limit: machine.device_limit(),
            regs_page: self.host.regs.get(),
            nr_cpus: machine.cpus.into(),
            switcher_addr: machine.switcher,
            tsc_khz: machine.tsc_khz,
            pte_mask: [mask as u32, (mask >> 32) as u32],
        };
        if !self.world.is_null() {
            // SAFETY: the world is alive.
            unsafe { kgo_reset(self.world, &machine) };
        }
    }

    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug> {
        let [answer, _] = self.enter(Entry::InitGuestPagetable, [0; 5])?;
        Ok(answer as i32)
    }

    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug> {
        self.enter(Entry::DoHypercalls, *args).map(|_| ())
    }

    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug> {
        let [fixed, iomem] = self.enter(Entry::DemandPage, [vaddr, errcode, 0, 0, 0])?;
        Ok(Demand {
            fixed: fixed & 0xff != 0,
            iomem,
        })
    }

    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug> {
        self.enter(Entry::MapSwitcherInGuest, [0; 5]).map(|_| ())
    }

    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug> {
        let [answer, _] = self.enter(Entry::GuestPa, [vaddr, 0, 0, 0, 0])?;
        Ok(answer)
    }

    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug> {
        let [found, paddr] = self.enter(Entry::TryGuestPa, [vaddr, 0, 0, 0, 0])?;
        Ok((found & 0xff != 0, paddr))
    }

    fn free_guest_pagetable(&mut self) -> Result<(), HostBug> {
        self.enter(Entry::FreeGuestPagetable, [0; 5]).map(|_| ())
    }

    fn state(&self) -> State {
        let state = self.look();
        State {
            slots: state.slots.map(|slot| SlotState {
                gpgdir: slot.gpgdir,
                pgdir: slot.pgdir,
                last_host_cpu: slot.last_host_cpu,
                switcher_mapped: slot.switcher_mapped != 0,
            }),
            cpu_pgd: state.cpu_pgd,
            linear_pages: state.linear_pages != 0,
            kernel_address: state.kernel_address,
            lguest_data: state.lguest_data,
            ss1: state.ss1,
            esp1: state.esp1,
            stack_pages: state.stack_pages,
            next_hcall: state.next_hcall,
            dead: state.dead,
        }
    }

    fn pins(&self) -> u32 {
        self.look().pins
    }

    fn dead(&self) -> i32 {
        self.look().dead
    }

    fn lguest_data(&self) -> u32 {
        self.look().lguest_data
    }

    fn current_root(&self) -> u32 {
        let state = self.look();
        state
            .slots
            .get(state.cpu_pgd as usize & 3)
            .map_or(0, |slot| slot.pgdir)
    }
}

/// What a difference is about, in a word.
pub fn kind(difference: &Difference) -> &'static str {
    match difference {
        Difference::Outcome(..) => "outcome",
        Difference::Init => "init",
        Difference::Calls => "calls",
        Difference::State => "state",
        Difference::Entry { .. } => "entry",
        Difference::Held { .. } => "held",
        Difference::Memory { .. } => "memory",
        Difference::TablesHeld => "tables_held",
    }
}

/// 0 for done, else the number of the crash.
fn told(result: Result<(), HostBug>) -> u32 {
    result.map_or_else(|bug| bug.kind() as u32, |()| 0)
}

/// A page of zeroes: its physical address, or 0.
///
/// # Safety
/// Here and below: `host` is what `kgo_new` was given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_get_zeroed_page(host: *const KernelHost) -> u32 {
    // SAFETY: the caller's word; so below.
    unsafe { &*host }.do_get_zeroed_page()
}

/// Frees one.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_free_page(host: *const KernelHost, pa: u32) -> u32 {
    // SAFETY: as above.
    told(unsafe { &*host }.do_free_page(pa))
}

/// Pins a page: its pfn, or `NONE`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_get_user_pages_fast(
    host: *const KernelHost,
    addr: u32,
    write: u32,
) -> u32 {
    // SAFETY: as above.
    unsafe { &*host }
        .do_get_user_pages_fast(addr, write)
        .unwrap_or(NONE)
}

/// One more reference.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_get_page(host: *const KernelHost, pfn: u32) -> u32 {
    // SAFETY: as above.
    told(unsafe { &*host }.do_get_page(pfn))
}

/// One less.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_put_page(host: *const KernelHost, pfn: u32) -> u32 {
    // SAFETY: as above.
    told(unsafe { &*host }.do_put_page(pfn))
}

/// Reads the launcher's memory: 1 if all came.
///
/// # Safety
/// As above, with room for `len` bytes at `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_copy_from_user(
    host: *const KernelHost,
    to: *mut u8,
    from: u32,
    len: u32,
) -> u32 {
    // SAFETY: as above.
    unsafe { (*host).do_copy_from_user(slice::from_raw_parts_mut(to, len as usize), from) }.into()
}

/// Writes it: 1 if all went.
///
/// # Safety
/// As above, with `len` bytes at `from`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_copy_to_user(
    host: *const KernelHost,
    to: u32,
    from: *const u8,
    len: u32,
) -> u32 {
    // SAFETY: as above.
    unsafe { (*host).do_copy_to_user(to, slice::from_raw_parts(from, len as usize)) }.into()
}

/// A random number.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_prandom_u32(host: *const KernelHost) -> u32 {
    // SAFETY: as above.
    unsafe { &*host }.do_prandom_u32()
}

/// Keeps a kill message: 1 if there was memory for it.
///
/// # Safety
/// As above, with `len` bytes at `text`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_kasprintf(host: *const KernelHost, text: *const u8, len: u32) -> u32 {
    // SAFETY: as above.
    unsafe { (*host).do_kasprintf(slice::from_raw_parts(text, len as usize)) }.into()
}

/// Takes note of a store that changed an entry.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgo_stored(
    host: *const KernelHost,
    kind: u32,
    pa: u32,
    low: u32,
    high: u32,
) {
    let kind = match kind {
        10 => Kind::SetPte,
        11 => Kind::SetPmd,
        _ => Kind::SetPgd,
    };
    // SAFETY: as above.
    unsafe { &*host }.stored(kind, pa, u64::from(high) << 32 | u64::from(low));
}
