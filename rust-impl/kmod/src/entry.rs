// SPDX-License-Identifier: GPL-2.0-or-later
//! What the C glue calls.

use core::slice;

use crate::glue::Guest;
use crate::world::{HEAD, World};

/// Bytes of a world; the glue gives them zeroed.
#[unsafe(no_mangle)]
pub extern "C" fn lgs_world_size() -> u32 {
    size_of::<World>() as u32
}

/// Makes a world of zeroed memory; `policy` is the mask of mended defects.
///
/// # Safety
/// `world` is zeroed memory of that size, aligned to 16 bytes, and stays, with both guests, until `lgs_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_make(
    world: *mut World,
    port: *mut Guest,
    original: *mut Guest,
    policy: u32,
) {
    // SAFETY: the caller's word; zeroes are a valid world.
    unsafe { (*world).make(port, original, policy) }
}

/// Records from the start on.
///
/// # Safety
/// As of `lgs_take`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_record(world: *mut World) {
    // SAFETY: the caller's word.
    unsafe { (*world).record() }
}

/// Takes part of a scenario: the bytes used, or a negative errno.
///
/// # Safety
/// `world` is one that was made, `bytes` has `len` bytes, and nobody else uses either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_take(world: *mut World, bytes: *mut u8, len: u32, care: u32) -> i32 {
    // SAFETY: the caller's word.
    unsafe { (*world).take(slice::from_raw_parts_mut(bytes, len as usize), care != 0) }
}

/// Writes the text of a view from byte `skip` on: its length.
///
/// # Safety
/// As of `lgs_take`, with room for `len` bytes at `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_text(
    world: *mut World,
    view: u32,
    skip: u32,
    to: *mut u8,
    len: u32,
) -> u32 {
    // SAFETY: the caller's word.
    unsafe {
        let room = slice::from_raw_parts_mut(to, len as usize);
        (*world).text(view, skip as usize, room) as u32
    }
}

/// Ends the guest.
///
/// # Safety
/// As of `lgs_take`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_close(world: *mut World) {
    // SAFETY: the caller's word.
    unsafe { (*world).close() }
}

/// The physical address of the port's top level in use.
///
/// # Safety
/// As of `lgs_take`, of a guest that has begun.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_root(world: *mut World) -> u32 {
    // SAFETY: the caller's word.
    unsafe { (*world).root() }
}

/// What the rig's walker says of an access by the kernel.
///
/// # Safety
/// As of `lgs_root`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lgs_walk(world: *mut World, addr: u32, write: u32, touched: u32) -> u32 {
    // SAFETY: the caller's word.
    unsafe { (*world).walk(addr, write != 0, touched) }
}

/// Bytes that the glue keeps in front of the steps of later parts.
#[unsafe(no_mangle)]
pub extern "C" fn lgs_head() -> u32 {
    HEAD as u32
}
