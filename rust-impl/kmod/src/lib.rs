// SPDX-License-Identifier: GPL-2.0-or-later
//! The Rust of the kernel module: the engine and the port on a real kernel's primitives.
//!
//! Built for one flavour of kernel at a time (`--cfg pae` or not), and with the original beside the port (`--cfg pair`)
//! or without. `unsafe` is what reaches the C glue and what the glue hands in.
#![no_std]

mod calls;
mod entry;
mod glue;
mod host;
mod lines;
mod machinery;
#[cfg(pair)]
mod original;
mod text;
mod world;

/// The paging mode of this kernel.
#[cfg(pae)]
pub type PagingMode = lguest_shadow::Pae;
/// The paging mode of this kernel.
#[cfg(not(pae))]
pub type PagingMode = lguest_shadow::NoPae;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it never returns.
    unsafe { glue::kg_panic() }
}
