// SPDX-License-Identifier: GPL-2.0-or-later
//! Why a guest dies: the reasons, their texts, and the kernel's way of formatting them.
//!
//! The formatter has a buffer of fixed size and no way to panic, for it goes into a kernel.

/// A reason to kill the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// A read of guest memory failed: address, length in bytes.
    BadRead(u32, u32),
    /// A write of guest memory failed: address, length in bytes.
    BadWrite(u32, u32),
    /// The host could not give the page with this guest page number.
    FailedToGetPage(u32),
    /// A guest's lowest-level entry is large or beyond its memory.
    BadPageTableEntry,
    /// A guest's top-level entry has strange flags or is beyond its memory.
    BadPageDirectoryEntry,
    /// The same of a middle-level entry.
    BadPageMiddleDirectoryEntry,
    /// No memory for the table below the top level (with PAE, that is a middle one).
    NoPtePage,
    /// No memory for the table below the middle level.
    NoPmdPage,
    /// A stack page at this address cannot be mapped for writing.
    BadStackPage(u32),
    /// Nothing is mapped at this address.
    BadAddress(u32),
    /// The Switcher could not be mapped. Never the first reason: the look-up has one before.
    CannotPopulateSwitcher,
    /// The guest wants another mapping where the Switcher is.
    SetPteIntoSwitcher,
    /// A top-level index out of range: index, limit.
    SetPgdIndex(u32, u32),
    /// The guest's `lguest_data` cannot be used; its launcher-virtual address.
    BadGuestPage(u32),
    /// The guest's kernel begins inside the Switcher.
    BadKernelAddress(u32),
    /// A stack segment of the wrong privilege.
    BadStackSegment(u32),
    /// Too many stack pages.
    BadStackPages(u32),
    /// A hypercall with this number came before LGUEST_INIT.
    HypercallBeforeInit(u32),
    /// A second LGUEST_INIT.
    AlreadyHaveLguestData,
    /// A hypercall with a number that is none.
    BadHypercall(u32),
    /// The time could not be written.
    WritingTimestamp,
    /// An asynchronous call could not be read.
    FetchingAsync,
    /// An asynchronous call could not be marked as done.
    WritingAsync,
    /// The guest gave up, with this message: up to the first NUL, if there is one.
    Crash(&'a [u8]),
}

impl<'a> Reason<'a> {
    /// The format of its text, as in the original.
    pub const fn format(&self) -> &'static str {
        match self {
            Self::BadRead(..) => "bad read address %#lx len %u",
            Self::BadWrite(..) => "bad write address %#lx len %u",
            Self::FailedToGetPage(_) => "failed to get page %lu",
            Self::BadPageTableEntry => "bad page table entry",
            Self::BadPageDirectoryEntry => "bad page directory entry",
            Self::BadPageMiddleDirectoryEntry => "bad page middle directory entry",
            Self::NoPtePage => "out of memory allocating pte page",
            Self::NoPmdPage => "out of memory allocating pmd page",
            Self::BadStackPage(_) => "bad stack page %#lx",
            Self::BadAddress(_) => "Bad address %#lx",
            Self::CannotPopulateSwitcher => "Cannot populate switcher mapping",
            Self::SetPteIntoSwitcher => "attempt to set pte into Switcher pages",
            Self::SetPgdIndex(..) => "Attempt to set pgd %u/%u",
            Self::BadGuestPage(_) => "bad guest page %p",
            Self::BadKernelAddress(_) => "bad kernel address %#lx",
            Self::BadStackSegment(_) => "bad stack segment %i",
            Self::BadStackPages(_) => "bad stack pages %u",
            Self::HypercallBeforeInit(_) => "hypercall %li before INIT",
            Self::AlreadyHaveLguestData => "already have lguest_data",
            Self::BadHypercall(_) => "Bad hypercall %li\n",
            Self::WritingTimestamp => "Writing timestamp",
            Self::FetchingAsync => "Fetching async hypercalls",
            Self::WritingAsync => "Writing result for async hypercall",
            Self::Crash(_) => "CRASH: %s",
        }
    }

    /// Its text.
    pub fn text(&self) -> Text {
        let (numbers, string) = self.arguments();
        Text::format(self.format(), numbers, string)
    }

    const fn arguments(&self) -> ([u32; 2], &'a [u8]) {
        match *self {
            Self::BadRead(a, b) | Self::BadWrite(a, b) | Self::SetPgdIndex(a, b) => ([a, b], &[]),
            Self::FailedToGetPage(a)
            | Self::BadStackPage(a)
            | Self::BadAddress(a)
            | Self::BadGuestPage(a)
            | Self::BadKernelAddress(a)
            | Self::BadStackSegment(a)
            | Self::BadStackPages(a)
            | Self::HypercallBeforeInit(a)
            | Self::BadHypercall(a) => ([a, 0], &[]),
            Self::Crash(message) => ([0, 0], message),
            _ => ([0, 0], &[]),
        }
    }
}

/// Room for the longest text: a crash message of 127 bytes and the words before it.
const ROOM: usize = 144;

/// A formatted text without a NUL at its end. What does not fit is cut off.
#[derive(Clone, Debug)]
pub struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl Text {
    /// Formats as the kernel does: `%x` in hexadecimal, after `0x` if `#` stands before it
    /// (0 as well), `%u` and `%i` in decimal, `%p` as eight digits or `  (null)`, `%s` up to
    /// a NUL. `l` changes nothing where `long` has 32 bits. Numbers are used up in turn; a
    /// missing one is 0.
    pub fn format(format: &str, numbers: [u32; 2], string: &[u8]) -> Self {
        let mut text = Self {
            bytes: [0; ROOM],
            len: 0,
        };
        let mut numbers = numbers.into_iter();
        let mut rest = format.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                text.conversion(&mut rest, &mut numbers, string);
            } else {
                text.push(byte);
            }
        }
        text
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn conversion(
        &mut self,
        rest: &mut impl Iterator<Item = u8>,
        numbers: &mut impl Iterator<Item = u32>,
        string: &[u8],
    ) {
        let mut alternate = false;
        for byte in rest {
            match byte {
                b'#' => alternate = true,
                b'l' => {}
                b'x' => {
                    if alternate {
                        self.push_all(b"0x");
                    }
                    return self.digits::<16>(numbers.next().unwrap_or(0), 1);
                }
                b'u' => return self.digits::<10>(numbers.next().unwrap_or(0), 1),
                b'i' => {
                    let number = numbers.next().unwrap_or(0) as i32;
                    if number < 0 {
                        self.push(b'-');
                    }
                    return self.digits::<10>(number.unsigned_abs(), 1);
                }
                b'p' => {
                    return match numbers.next().unwrap_or(0) {
                        0 => self.push_all(b"  (null)"),
                        number => self.digits::<16>(number, 8),
                    };
                }
                b's' => {
                    for &byte in string.iter().take_while(|&&byte| byte != 0) {
                        self.push(byte);
                    }
                    return;
                }
                other => return self.push(other),
            }
        }
    }

    /// Pushes a number, with leading zeroes up to `least` digits.
    fn digits<const BASE: u32>(&mut self, mut number: u32, least: u32) {
        let mut digits = [0; 10];
        let mut used = 0_u32;
        for place in digits.iter_mut().rev() {
            if number == 0 && used >= least {
                break;
            }
            let digit = (number.checked_rem(BASE).unwrap_or(0) & 15) as u8;
            *place = match digit {
                0..=9 => b'0' | digit,
                _ => digit.wrapping_add(b'a'.wrapping_sub(10)),
            };
            number = number.checked_div(BASE).unwrap_or(0);
            used = used.wrapping_add(1);
        }
        for &digit in digits.iter().filter(|&&digit| digit != 0) {
            self.push(digit);
        }
    }

    fn push_all(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.push(byte);
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len = self.len.wrapping_add(1);
        }
    }
}
