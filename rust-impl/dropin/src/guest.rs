// SPDX-License-Identifier: GPL-2.0-or-later
//! The way in and out: a guest of the port made of the C's structures, and what it changed put back there.

use core::ffi::c_void;
use core::ptr;

use lguest_shadow::{Config, Dead, HostBug, LgCpu, Lguest, Mixed, Mode, Pgdir};

use crate::bindings as c;
use crate::kernel::{Kernel, Primitives};

/// The port's guest on the kernel around it.
pub type Guest<'k, M> = Lguest<'k, M, Mixed, Kernel<'k>>;

/// Lets the port work on the guest of `cpu`; where the host would have crashed, `crash` is called and nothing returns.
///
/// # Safety
/// `cpu` is a CPU of the guest that it names, both are whole and nobody else uses them meanwhile, and `primitives` are
/// the kernel's that they belong to, in the mode `M`.
#[inline(always)]
pub unsafe fn on_cpu<M: Mode, R>(
    primitives: &Primitives,
    cpu: *mut c::lg_cpu,
    what: impl FnOnce(&mut Guest<'_, M>) -> Result<R, HostBug>,
) -> R {
    // SAFETY: the caller's word.
    let kernel = unsafe { Kernel::new(primitives, cpu) };
    // SAFETY: the caller's word.
    let mut guest = unsafe { load(&kernel) };
    let result = what(&mut guest);
    // SAFETY: the caller's word.
    unsafe { store(&kernel, &guest) };
    match result {
        Ok(result) => result,
        Err(bug) => kernel.crash(bug),
    }
}

/// The same for what the original is given a guest alone for: it has one CPU.
///
/// # Safety
/// `lg` is a guest as above.
#[inline(always)]
pub unsafe fn on_guest<M: Mode, R>(
    primitives: &Primitives,
    lg: *mut c::lguest,
    what: impl FnOnce(&mut Guest<'_, M>) -> Result<R, HostBug>,
) -> R {
    // SAFETY: the caller's word; no reference is made.
    unsafe { on_cpu(primitives, (&raw mut (*lg).cpus).cast::<c::lg_cpu>(), what) }
}

/// A launcher address, which C keeps in a pointer.
fn launcher_address<T>(at: *mut T) -> u32 {
    at.addr() as u32
}

/// # Safety
/// The kernel's CPU and guest are whole and nobody else uses them.
unsafe fn load<'k, M: Mode>(kernel: &'k Kernel<'k>) -> Guest<'k, M> {
    // SAFETY: the caller's word. They are copied, so that no reference is alive when C runs.
    let (lg, cpu) = unsafe { (*kernel.lg(), *kernel.cpu()) };
    // The C keeps the kernel's address of that page.
    let regs_page = kernel.pa(ptr::with_exposed_provenance::<c_void>(
        cpu.regs_page as usize,
    ));
    let mut guest = Lguest::new(
        kernel,
        kernel.policy(),
        Config {
            pfn_limit: lg.pfn_limit,
            device_limit: lg.device_limit,
            mem_base: launcher_address(lg.mem_base),
            regs_page,
        },
    );
    guest.lguest_data = launcher_address(lg.lguest_data);
    guest.cpus = [LgCpu {
        regs_page,
        linear_pages: cpu.linear_pages,
        cpu_pgd: cpu.cpu_pgd as u32,
        esp1: cpu.esp1,
        ss1: cpu.ss1,
        next_hcall: cpu.next_hcall,
    }];
    guest.kernel_address = lg.kernel_address;
    guest.stack_pages = lg.stack_pages;
    guest.noirq_iret = lg.noirq_iret;
    guest.dead = match lg.dead {
        0 => Dead::Alive,
        errno if errno < 0 => Dead::Errno(errno),
        _ => Dead::Message,
    };
    guest.pins = kernel.pins();
    for (to, from) in guest.pgdirs.iter_mut().zip(&lg.pgdirs) {
        *to = Pgdir {
            gpgdir: from.gpgdir,
            switcher_mapped: from.switcher_mapped,
            last_host_cpu: from.last_host_cpu,
            pgdir: if from.pgdir.is_null() {
                0
            } else {
                kernel.pa(from.pgdir.cast_const().cast())
            },
        };
    }
    guest
}

/// What the page-table code may change; `dead` is the C's own.
///
/// # Safety
/// As of `load`.
unsafe fn store<M: Mode>(kernel: &Kernel<'_>, guest: &Guest<'_, M>) {
    let [cpu] = &guest.cpus;
    // SAFETY: the caller's word.
    unsafe {
        (*kernel.cpu()).cpu_pgd = cpu.cpu_pgd as i32;
        (*kernel.cpu()).linear_pages = cpu.linear_pages;
        (*kernel.lg()).kernel_address = guest.kernel_address;
    }
    // SAFETY: the caller's word; while this reference is alive no C runs that looks at the guest.
    let pgdirs = unsafe { &mut (*kernel.lg()).pgdirs };
    for (to, from) in pgdirs.iter_mut().zip(&guest.pgdirs) {
        to.gpgdir = from.gpgdir;
        to.switcher_mapped = from.switcher_mapped;
        to.last_host_cpu = from.last_host_cpu;
        to.pgdir = if from.pgdir == 0 {
            ptr::null_mut()
        } else {
            kernel.va(from.pgdir).cast()
        };
    }
    kernel.set_pins(guest.pins);
}
