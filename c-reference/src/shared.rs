// SPDX-License-Identifier: GPL-2.0-or-later
//! The counters that the C and the Rust both keep: the running hash of what
//! the original did, its kernel calls, the references it holds, and the
//! host's constants. Mixing is written twice, here and in
//! `shim/linux/recording.h`; a test holds one against the other.

use std::cell::Cell;
use std::mem::{offset_of, size_of};
use std::slice;

use crate::bindings as c;

/// Frame number of data frame 0; table frames lie below.
pub const DATA_BASE: u32 = 0x40000;
/// The most host CPUs that there can be.
pub const MAX_CPUS: u32 = c::LG_MAX_CPUS;
/// Stack pages that one call may pin; the next one is a lockup.
pub const MAX_STACK_PINS: u32 = c::LG_MAX_PINS;

/// What a word in the running hash tells of. Up to `Kasprintf` they are
/// kernel calls; the others are stores that changed an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[allow(missing_docs)] // each is the kernel's function of that name
pub enum CallKind {
    GetZeroedPage = c::LG_CALL_GET_ZEROED_PAGE,
    FreePage = c::LG_CALL_FREE_PAGE,
    GetUserPagesFast = c::LG_CALL_GET_USER_PAGES_FAST,
    GetPage = c::LG_CALL_GET_PAGE,
    PutPage = c::LG_CALL_PUT_PAGE,
    CopyFromUser = c::LG_CALL_COPY_FROM_USER,
    CopyToUser = c::LG_CALL_COPY_TO_USER,
    PrandomU32 = c::LG_CALL_PRANDOM_U32,
    Kasprintf = c::LG_CALL_KASPRINTF,
    SetPte = c::LG_CALL_SET_PTE,
    SetPmd = c::LG_CALL_SET_PMD,
    SetPgd = c::LG_CALL_SET_PGD,
}

impl CallKind {
    /// The first word of a call: its kind above `rest`.
    #[inline]
    pub fn word(self, rest: u64) -> u64 {
        u64::from(self as u32) << 56 | rest
    }
}

/// State that the original's inline primitives and the host both write.
///
/// Only the Rust side counts and mixes what goes through [`crate::Callbacks`];
/// only the C does it for get_page, put_page and the three stores.
#[repr(C)]
pub struct Shared {
    /// The running hash.
    pub hash: Cell<u64>,
    /// Kernel calls so far; whoever wants them per step sets it to 0.
    pub calls: Cell<u32>,
    /// Whether the C tells its inline primitives one by one.
    pub trace: Cell<u32>,
    /// The host CPU that this runs on, below `nr_cpus`.
    pub cpu: Cell<u32>,
    /// Host CPUs, 1 to [`MAX_CPUS`].
    pub nr_cpus: Cell<u32>,
    /// Guest-virtual address of the Switcher.
    pub switcher_addr: Cell<u32>,
    data_base: u32,
    data_count: u32,
    /// Stack pages pinned by the call that runs or ran last.
    pub pins: Cell<u32>,
    /// Flags that present entries may have.
    pub pte_mask: Cell<u64>,
    held: *mut Cell<i32>,
    /// What the guest is told of its clock.
    pub tsc_khz: Cell<u32>,
    /// The kernel call, counted by `calls`, before which the host's event
    /// befalls; 0 is never.
    pub during: Cell<u32>,
}

const _: () = {
    assert!(size_of::<Shared>() == size_of::<c::lg_shared>());
    macro_rules! same_place {
        ($($field:ident)*) => {
            $(assert!(offset_of!(Shared, $field) == offset_of!(c::lg_shared, $field));)*
        };
    }
    same_place!(hash calls trace cpu nr_cpus switcher_addr data_base data_count);
    same_place!(pins pte_mask held tsc_khz during);
};

// SAFETY: the counters behind `held` are owned, and cells may change threads.
unsafe impl Send for Shared {}

impl Shared {
    /// Counters for `data_count` data frames, none of them held; one CPU, the
    /// Switcher at 0xffef6000, every flag supported, 1 GHz.
    pub fn new(data_count: u32) -> Self {
        let held = vec![Cell::new(0); data_count as usize].into_boxed_slice();
        Self {
            hash: Cell::new(0),
            calls: Cell::new(0),
            trace: Cell::new(0),
            cpu: Cell::new(0),
            nr_cpus: Cell::new(1),
            switcher_addr: Cell::new(0xffef_6000),
            data_base: DATA_BASE,
            data_count,
            pins: Cell::new(0),
            pte_mask: Cell::new(u64::MAX),
            held: Box::into_raw(held).cast(),
            tsc_khz: Cell::new(1_000_000),
            during: Cell::new(0),
        }
    }

    /// References that the shadow code holds, by data frame.
    #[inline]
    pub fn held(&self) -> &[Cell<i32>] {
        // SAFETY: `new` made a slice of this length, `drop` ends it, and
        // neither field changes between.
        unsafe { slice::from_raw_parts(self.held, self.data_count as usize) }
    }

    /// The counter of one frame, if it is a data frame.
    #[inline]
    pub fn held_of(&self, pfn: u32) -> Option<&Cell<i32>> {
        self.held().get(pfn.wrapping_sub(DATA_BASE) as usize)
    }

    /// Counts a kernel call that the host is about to answer. True: the
    /// host's event is due first.
    #[inline]
    pub fn count_call(&self) -> bool {
        let calls = self.calls.get().wrapping_add(1);
        self.calls.set(calls);
        calls == self.during.get()
    }

    /// Mixes one word into the running hash.
    #[inline]
    pub fn mix(&self, word: u64) {
        self.hash.set(mixed(self.hash.get(), word));
    }

    /// Mixes bytes, eight to a word, little end first, zeros behind the last.
    #[inline]
    pub fn mix_bytes(&self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks::<8>();
        for word in whole {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            // Byte by byte: a copy of a length that is not known is a call.
            let last = rest
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.mix(last);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let held = std::ptr::slice_from_raw_parts_mut(self.held, self.data_count as usize);
        // SAFETY: `new` gave up this very box, and no borrow outlives it.
        drop(unsafe { Box::from_raw(held) });
    }
}

/// The running hash after one more word.
#[inline]
pub fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
