// SPDX-License-Identifier: GPL-2.0-or-later
//! The qualifiers that befall a step, and the events in the middle of one.

use super::{Machine, fit};

/// Something that befalls the guest's memory in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A write to guest memory.
    Write {
        /// Guest-physical address.
        gpa: u32,
        /// The value, which fits `width`.
        value: u64,
        /// 1, 4 or 8 bytes.
        width: u8,
    },
    /// The host unmaps this guest page.
    Unmap(u32),
    /// The host makes this guest page read-only.
    Protect(u32),
    /// The host makes this guest page writable.
    Unprotect(u32),
    /// The host makes this guest page copy-on-write.
    Share(u32),
}

/// An event just before one of the kernel calls of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct During {
    /// Which kernel call of the step, from 1.
    pub call: u8,
    /// What happens.
    pub event: Event,
}

/// What befalls a step; each number counts from 1 within the step, and 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Quals {
    /// The n-th allocation of a page fails.
    pub fail_alloc: u8,
    /// The n-th pin of a page fails.
    pub fail_pin: u8,
    /// The n-th copy from or to the guest fails.
    pub fail_copy: u8,
    /// Allocating the text of a kill message fails.
    pub fail_message: bool,
    /// The slot that `new_pgdir` picks, 0 to 3.
    pub draw: Option<u8>,
    /// An event in the middle of the step.
    pub during: Option<During>,
}

impl Quals {
    /// No qualifiers.
    pub const NONE: Quals = Quals {
        fail_alloc: 0,
        fail_pin: 0,
        fail_copy: 0,
        fail_message: false,
        draw: None,
        during: None,
    };
}

impl Quals {
    /// There is none.
    #[inline]
    #[must_use]
    pub fn is_none(&self) -> bool {
        let fails = self.fail_alloc | self.fail_pin | self.fail_copy;
        fails == 0 && !self.fail_message && self.draw.is_none() && self.during.is_none()
    }

    /// Moves every part into its range; a `during` at call 0 is none.
    #[must_use]
    pub fn reduce(mut self, machine: &Machine) -> Quals {
        self.draw = self.draw.map(|d| d % 4);
        self.during = self.during.filter(|d| d.call != 0).map(|d| During {
            call: d.call,
            event: match d.event {
                Event::Write {
                    gpa,
                    value,
                    width: w,
                } => {
                    let width = width(w.into());
                    Event::Write {
                        gpa,
                        value: cut(value, width),
                        width,
                    }
                }
                Event::Unmap(p) => Event::Unmap(page(p, machine)),
                Event::Protect(p) => Event::Protect(page(p, machine)),
                Event::Unprotect(p) => Event::Unprotect(page(p, machine)),
                Event::Share(p) => Event::Share(page(p, machine)),
            },
        });
        self
    }
}

/// A backed page of the machine.
pub(super) const fn page(v: u32, machine: &Machine) -> u32 {
    fit(v, 0, machine.backed().saturating_sub(1))
}

/// A valid width.
pub(super) const fn width(v: u32) -> u8 {
    match v {
        1 | 4 | 8 => v as u8,
        _ => [1, 4, 8][v as usize % 3],
    }
}

/// The low `width` bytes of a value.
pub(super) const fn cut(value: u64, width: u8) -> u64 {
    if width >= 8 {
        value
    } else {
        value & ((1 << (8 * width)) - 1)
    }
}
