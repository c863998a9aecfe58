// SPDX-License-Identifier: GPL-2.0-or-later
//! The memory that shadow tables live in: 4 GiB of reserved addresses of
//! which the table frames alone, one by one, can be touched.
//!
//! A frame's place is its physical address, so any 32-bit number that the
//! original takes for one stays within the arena, and faults there unless it
//! is a table. Table frames have even numbers from 2 on; the odd ones between
//! are guards, so that running off a table faults as well.

use std::cell::Cell;
use std::io;
use std::ptr::{self, NonNull};

const PAGE: usize = 4096;
const SPAN: usize = 1 << 32;

/// Address space for one side's tables.
pub struct Arena {
    base: NonNull<u8>,
    frames: u32,
    committed: Box<[Cell<bool>]>,
}

// SAFETY: the arena is the sole owner of its mapping, which any thread may
// use and unmap; nothing in it refers to the thread that made it.
unsafe impl Send for Arena {}

impl Arena {
    /// The most table frames that an arena can have: their numbers stay below
    /// those of the data frames.
    pub const MAX_FRAMES: u32 = super::DATA_BASE / 2 - 1;

    /// Reserves address space with room for `frames` tables (numbers 2, 4, …,
    /// 2 × `frames`). None can be touched yet.
    ///
    /// # Errors
    /// More frames than [`Arena::MAX_FRAMES`], or no address space left.
    pub fn new(frames: u32) -> io::Result<Self> {
        if frames > Self::MAX_FRAMES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{frames} table frames, at most {}", Self::MAX_FRAMES),
            ));
        }
        Ok(Self {
            base: reserve()?,
            frames,
            committed: vec![Cell::new(false); frames as usize + 1].into_boxed_slice(),
        })
    }

    /// Where physical address 0 lies; a multiple of 4 GiB.
    #[inline]
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// How many table frames there can be.
    #[inline]
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Makes a table frame accessible; it starts zeroed, and once accessible
    /// it stays so, contents and all. False if `pfn` names no table frame, or
    /// the system refuses.
    pub fn commit(&self, pfn: u32) -> bool {
        let Some(committed) = self.slot(pfn).filter(|_| pfn != 0) else {
            return false;
        };
        if !committed.get() {
            let at = self.base.as_ptr().wrapping_add(pfn as usize * PAGE);
            // SAFETY: the page is within the mapping that this arena owns.
            let done =
                unsafe { libc::mprotect(at.cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE) };
            committed.set(done == 0);
        }
        committed.get()
    }

    /// A table of the two-level mode, if that frame is accessible.
    #[inline]
    pub fn words(&self, pfn: u32) -> Option<&[Cell<u32>; 1024]> {
        let at = self.accessible(pfn)?;
        // SAFETY: the page is accessible for as long as the arena lives, is
        // aligned, and is only ever seen as cells; any bits are a `u32`.
        Some(unsafe { at.cast().as_ref() })
    }

    /// A table of the three-level mode, if that frame is accessible.
    #[inline]
    pub fn longs(&self, pfn: u32) -> Option<&[Cell<u64>; 512]> {
        let at = self.accessible(pfn)?;
        // SAFETY: as in `words`.
        Some(unsafe { at.cast().as_ref() })
    }

    /// The place of a frame in `committed`; that of frame 0 is never set, and odd numbers come out beyond the end.
    #[inline]
    fn slot(&self, pfn: u32) -> Option<&Cell<bool>> {
        self.committed.get(pfn.rotate_right(1) as usize)
    }

    #[inline]
    fn accessible(&self, pfn: u32) -> Option<NonNull<u8>> {
        if !self.slot(pfn)?.get() {
            return None;
        }
        // SAFETY: a frame that has a place in `committed` lies within the mapping.
        Some(unsafe { self.base.add(pfn as usize * PAGE) })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this arena's own, and no borrow outlives it.
        unsafe { libc::munmap(self.base.as_ptr().cast(), SPAN) };
    }
}

/// Twice the span, for any address to be in it, then what is around it back.
fn reserve() -> io::Result<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh mapping at an address of the system's choice.
    let all = unsafe { libc::mmap(ptr::null_mut(), 2 * SPAN, libc::PROT_NONE, flags, -1, 0) };
    if all == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let all = all.cast::<u8>();
    let before = all.addr().next_multiple_of(SPAN) - all.addr();
    let base = all.wrapping_add(before);
    for (at, len) in [(all, before), (base.wrapping_add(SPAN), SPAN - before)] {
        if len != 0 {
            // SAFETY: a part of the mapping just made, which nothing uses.
            unsafe { libc::munmap(at.cast(), len) };
        }
    }
    NonNull::new(base).ok_or_else(|| io::Error::other("mapped at address 0"))
}
