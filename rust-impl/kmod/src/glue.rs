// SPDX-License-Identifier: GPL-2.0-or-later
//! What the C glue offers: the kernel's primitives, each behind the ledger of one guest.
//!
//! All cross by the plain C convention (`asmlinkage` there), for the kernel's own hands arguments over in registers.
//! A frame is known by its index in the ledger: a data frame from 0, a table from [`TABLE`] on.

/// What one guest holds: the ledger, in C.
#[repr(C)]
pub struct Guest {
    opaque: [u8; 0],
}

/// Indices of tables begin here.
pub const TABLE: u32 = 0x8000_0000;
/// No frame.
pub const NONE: u32 = u32::MAX;

unsafe extern "C" {
    /// Makes room for `frames` data frames; guest memory is `pages` pages. 0 or a negative errno.
    pub fn kg_begin(guest: *mut Guest, frames: u32, pages: u32) -> i32;
    /// The counts of references taken and not put, by data frame; as many as `kg_begin` made room for.
    pub fn kg_refs(guest: *mut Guest) -> *const i32;
    /// Allocates a page of zeroes that the rig keeps as data frame `frame`: its pfn, or `NONE`.
    pub fn kg_own_page(guest: *mut Guest, frame: u32) -> u32;
    /// Holds the frame under a guest page for the rig, as data frame `frame` if it is new: the frame's index, or `NONE`.
    pub fn kg_watch(guest: *mut Guest, page: u32, frame: u32) -> u32;
    /// Whether the guest page is mapped so that it can be read, or written if `write` is not 0.
    pub fn kg_reachable(guest: *mut Guest, page: u32, write: u32) -> u32;
    /// The index of a frame that the ledger knows, or `NONE`.
    pub fn kg_find(guest: *mut Guest, pfn: u32) -> u32;
    /// The number of a data frame, or `NONE`.
    pub fn kg_pfn(guest: *mut Guest, frame: u32) -> u32;
    /// `get_zeroed_page`: a physical address, or 0.
    pub fn kg_get_zeroed_page(guest: *mut Guest) -> u32;
    /// `free_page`: 0, or -1 if the ledger holds no such table, and nothing is done.
    pub fn kg_free_page(guest: *mut Guest, pa: u32) -> i32;
    /// Tables that the ledger holds.
    pub fn kg_tables_held(guest: *mut Guest) -> u32;
    /// The kernel's address of a table that the ledger holds, or null.
    pub fn kg_table(guest: *mut Guest, pfn: u32) -> *const u8;
    /// `get_user_pages_fast` of one guest page; a frame not known before becomes `fresh`. The frame's index, or `NONE`.
    pub fn kg_get_user_pages_fast(guest: *mut Guest, page: u32, write: u32, fresh: u32) -> u32;
    /// `get_page` of a data frame: 0, or -1 if the ledger does not know it.
    pub fn kg_get_page(guest: *mut Guest, frame: u32) -> i32;
    /// `put_page` of a data frame: 0, or -1 if the ledger holds no reference, and nothing is done.
    pub fn kg_put_page(guest: *mut Guest, frame: u32) -> i32;
    /// `copy_from_user` from an offset into guest memory: the bytes not copied.
    pub fn kg_copy_from_user(guest: *mut Guest, to: *mut u8, offset: u32, len: u32) -> u32;
    /// `copy_to_user` likewise.
    pub fn kg_copy_to_user(guest: *mut Guest, offset: u32, from: *const u8, len: u32) -> u32;
    /// A word of a data frame.
    pub fn kg_load(guest: *mut Guest, frame: u32, word: u32) -> u32;
    /// Stores one.
    pub fn kg_store(guest: *mut Guest, frame: u32, word: u32, value: u32);
    /// All words of a data frame; 0, or -1 if there is none.
    pub fn kg_read(guest: *mut Guest, frame: u32, to: *mut u8) -> i32;
    /// Asks the client for a host event in the middle of a step: 0 when it is done.
    pub fn kg_event(guest: *mut Guest, kind: u32, page: u32) -> i32;
    /// Lets others run: not 0 when a signal waits and the work should stop here.
    pub fn kg_pause() -> i32;
    /// A panic of ours, of which there should be no site.
    pub fn kg_panic() -> !;
}
