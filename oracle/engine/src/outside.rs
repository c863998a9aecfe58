// SPDX-License-Identifier: GPL-2.0-or-later
//! Steps outside of the code under test: what guest, launcher and devices do to guest memory, and what befalls the host.

use crate::run::Outcome;
use crate::side::Machinery;
use crate::{Event, Step, Verb};

/// Offsets in `struct lguest_data`, in bytes.
mod lguest_data {
    /// Status of the 64 ring entries, a byte each; 0xff is free.
    pub const HCALL_STATUS: u32 = 24;
    /// The ring: 64 entries of five words.
    pub const HCALLS: u32 = 88;
    /// The guest kernel's first address.
    pub const KERNEL_ADDRESS: u32 = 1380;
    /// Entries of the ring.
    pub const RING: u32 = 64;
}

/// Does a step that does not enter the code under test; others are skipped.
///
/// `data` is the guest-physical address of `struct lguest_data`, once the guest told it, and `ring` the guest's place in
/// its ring of calls. A function of its own: hosts of one type share it whatever side is on them, and so do the
/// processor's caches.
#[inline(never)]
pub fn outside<H: Machinery>(
    host: &H,
    pae: bool,
    data: Option<u32>,
    ring: &mut u32,
    step: &Step,
) -> Outcome {
    let [a0, a1, a2, a3, a4] = step.args;
    let quad = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let event = match step.verb {
        Verb::Async => return put_async(host, data, ring, &step.args),
        Verb::Write | Verb::DeviceWrite => {
            let bytes = quad(a1, a2).to_le_bytes();
            let width = (a3 as usize).min(8);
            return Outcome::Value(host.guest_write(a0, &bytes[..width]).into());
        }
        Verb::Map => {
            let mapped = map(host, pae, a0, a1, quad(a2, a3), a4);
            return Outcome::Value(mapped.is_some().into());
        }
        Verb::BootData => return Outcome::Value(boot_data(host, a0, a1).into()),
        Verb::Unmap => Event::Unmap(a0),
        Verb::Protect => Event::Protect(a0),
        Verb::Unprotect => Event::Unprotect(a0),
        Verb::Share => Event::Share(a0),
        _ => return Outcome::Skipped,
    };
    host.happen(event);
    Outcome::Done
}

/// The guest's own half of an asynchronous call: into the next ring entry, if that is free.
fn put_async<H: Machinery>(
    host: &H,
    data: Option<u32>,
    ring: &mut u32,
    args: &[u32; 5],
) -> Outcome {
    let Some(base) = data else {
        return Outcome::Value(0);
    };
    let status = base
        .wrapping_add(lguest_data::HCALL_STATUS)
        .wrapping_add(*ring);
    let mut free = [0u8; 1];
    if !host.guest_read(status, &mut free) || free[0] != 0xff {
        return Outcome::Value(0);
    }
    let mut entry = [0u8; 20];
    for (bytes, arg) in entry.chunks_exact_mut(4).zip(args) {
        bytes.copy_from_slice(&arg.to_le_bytes());
    }
    let at = base
        .wrapping_add(lguest_data::HCALLS)
        .wrapping_add(*ring * 20);
    let done = host.guest_write(at, &entry) && host.guest_write(status, &[0]);
    if done {
        *ring = (*ring + 1) % lguest_data::RING;
    }
    Outcome::Value(done.into())
}

/// What a guest kernel does before LGUEST_INIT: an empty ring and its kernel address.
fn boot_data<H: Machinery>(host: &H, addr: u32, kernel_address: u32) -> bool {
    host.guest_write(
        addr.wrapping_add(lguest_data::HCALL_STATUS),
        &[0xff; lguest_data::RING as usize],
    ) && host.guest_write(
        addr.wrapping_add(lguest_data::KERNEL_ADDRESS),
        &kernel_address.to_le_bytes(),
    )
}

/// Writes the guest page-table entries that map `vaddr`; levels that are missing go to page `tables` and the next.
fn map<H: Machinery>(
    host: &H,
    pae: bool,
    gpgdir: u32,
    vaddr: u32,
    pte: u64,
    tables: u32,
) -> Option<()> {
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
