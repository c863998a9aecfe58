// SPDX-License-Identifier: GPL-2.0-or-later
//! The host as the original sees it, and the functions through which the C
//! reaches one.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::abort;
use std::slice;

use crate::Crash;
use crate::bindings as c;

/// What [`Callbacks::get_user_pages_fast`] answers where it cannot pin.
pub const NO_PFN: u32 = c::LG_NO_PFN;

/// A host. Each method is a kernel call, which the host counts
/// ([`crate::Shared::count_call`]) and mixes into the hash by itself, except
/// [`event`](Self::event) and [`traced`](Self::traced).
///
/// A method must not panic: there is C between it and any handler, so the
/// process would abort, with a message. Nor may it call the same
/// [`crate::Original`].
pub trait Callbacks {
    /// A zeroed table frame's physical address; 0 if there is none left.
    fn get_zeroed_page(&self) -> u32;
    /// Takes back a table frame; 0 is no frame, and no error.
    ///
    /// # Errors
    /// The frame cannot be freed; the call into the original ends with this.
    fn free_page(&self, pa: u32) -> Result<(), Crash>;
    /// Pins the frame behind a launcher address, and counts the reference;
    /// [`NO_PFN`] if it cannot. `write` is any number, not only 0 and 1.
    fn get_user_pages_fast(&self, addr: u32, write: u32) -> u32;
    /// Copies from a launcher address; false if not all of it could be.
    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool;
    /// Copies to a launcher address; false if not all of it could be.
    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool;
    /// A random draw.
    fn prandom_u32(&self) -> u32;
    /// Keeps a kill reason, which has no NUL; false if out of memory.
    fn kasprintf(&self, text: &[u8]) -> bool;
    /// The kernel call that `Shared::during` names is about to be made, and
    /// it is one that the C does by itself.
    fn event(&self) {}
    /// With `Shared::trace` set: get_page or put_page of frame `a`, or a
    /// store of `b` to the entry at physical address `a`; number 13 is a
    /// lowest-level entry stored as it was, which counts for nothing.
    fn traced(&self, kind: u32, a: u64, b: u64) {
        let _ = (kind, a, b);
    }
}

/// The table of functions for one type of host.
pub(crate) const fn table<C: Callbacks>() -> &'static c::lg_callbacks {
    &c::lg_callbacks {
        get_zeroed_page: Some(get_zeroed_page::<C>),
        free_page: Some(free_page::<C>),
        get_user_pages_fast: Some(get_user_pages_fast::<C>),
        copy_from_user: Some(copy_from_user::<C>),
        copy_to_user: Some(copy_to_user::<C>),
        prandom_u32: Some(prandom_u32::<C>),
        kasprintf: Some(kasprintf::<C>),
        event: Some(event::<C>),
        traced: Some(traced::<C>),
    }
}

/// Asks the host. A panic must not unwind through C.
///
/// # Safety
/// `context` is the `&C` that the world was made with, still borrowed.
#[inline]
unsafe fn ask<C: Callbacks, R>(context: *const c_void, question: impl FnOnce(&C) -> R) -> R {
    // SAFETY: as the caller promises.
    let host = unsafe { &*context.cast::<C>() };
    match catch_unwind(AssertUnwindSafe(|| question(host))) {
        Ok(answer) => answer,
        Err(_) => {
            eprintln!("a callback panicked inside the original; there is no way out: aborting");
            abort();
        }
    }
}

unsafe extern "C" fn get_zeroed_page<C: Callbacks>(context: *const c_void) -> u32 {
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, C::get_zeroed_page) }
}

unsafe extern "C" fn free_page<C: Callbacks>(context: *const c_void, pa: u32) -> u64 {
    // SAFETY: the door passes the world's context.
    let freed = unsafe { ask(context, |host: &C| host.free_page(pa)) };
    freed.map_or_else(Crash::packed, |()| 0)
}

unsafe extern "C" fn get_user_pages_fast<C: Callbacks>(
    context: *const c_void,
    addr: u32,
    write: u32,
) -> u32 {
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, |host: &C| host.get_user_pages_fast(addr, write)) }
}

unsafe extern "C" fn copy_from_user<C: Callbacks>(
    context: *const c_void,
    to: *mut u8,
    from: u32,
    len: u32,
) -> bool {
    // SAFETY: the shim passes a local buffer of that length, which it has
    // initialized and does not touch meanwhile.
    let to = unsafe { slice::from_raw_parts_mut(to, len as usize) };
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, |host: &C| host.copy_from_user(to, from)) }
}

unsafe extern "C" fn copy_to_user<C: Callbacks>(
    context: *const c_void,
    to: u32,
    from: *const u8,
    len: u32,
) -> bool {
    // SAFETY: the shim passes an initialized local buffer of that length.
    let from = unsafe { slice::from_raw_parts(from, len as usize) };
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, |host: &C| host.copy_to_user(to, from)) }
}

unsafe extern "C" fn prandom_u32<C: Callbacks>(context: *const c_void) -> u32 {
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, C::prandom_u32) }
}

unsafe extern "C" fn kasprintf<C: Callbacks>(
    context: *const c_void,
    text: *const u8,
    len: u32,
) -> bool {
    // SAFETY: the shim passes what it has just written, and its length.
    let text = unsafe { slice::from_raw_parts(text, len as usize) };
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, |host: &C| host.kasprintf(text)) }
}

unsafe extern "C" fn event<C: Callbacks>(context: *const c_void) {
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, C::event) }
}

unsafe extern "C" fn traced<C: Callbacks>(context: *const c_void, kind: u32, a: u64, b: u64) {
    // SAFETY: the door passes the world's context.
    unsafe { ask(context, |host: &C| host.traced(kind, a, b)) }
}
