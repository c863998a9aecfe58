// SPDX-License-Identifier: GPL-2.0-or-later
//! The kernel calls of a step as text, in order, with frames by name: what a recording says of them.

use core::cell::Cell;
use core::fmt::{self, Write};

use crate::FrameName;
use crate::digest::Fnv;
use crate::side::Machinery;

/// Calls of one step that are written out; of those behind them a recording has the number and a digest.
pub const SHOWN: u32 = 32;

/// Bytes that these have room for; a call that does not fit, and all behind it, go to the digest.
const ROOM: usize = 3072;

/// One kernel call, as it was made; frames are named as they were then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KernelCall<'a> {
    /// A table was asked for, and given or not.
    GetZeroedPage(bool),
    /// A frame was freed; none if the address was 0.
    FreePage(Option<FrameName>),
    /// A page of the launcher was to be pinned.
    GetUserPagesFast {
        /// Its address there.
        addr: u32,
        /// The `write` argument.
        write: u32,
        /// The frame that was pinned.
        got: Option<FrameName>,
    },
    /// A reference was taken.
    GetPage(FrameName),
    /// A reference was put back.
    PutPage(FrameName),
    /// Bytes of the launcher's memory were read.
    CopyFromUser {
        /// The address there.
        addr: u32,
        /// The bytes; none if it failed.
        bytes: Option<&'a [u8]>,
    },
    /// Bytes of the launcher's memory were written.
    CopyToUser {
        /// The address there.
        addr: u32,
        /// The bytes; none if it failed.
        bytes: Option<&'a [u8]>,
    },
    /// A random number was drawn.
    PrandomU32(u32),
    /// A kill message was made, or there was no memory for it.
    Kasprintf(bool),
}

impl fmt::Display for KernelCall<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            KernelCall::GetZeroedPage(true) => to.write_str("get_zeroed_page"),
            KernelCall::GetZeroedPage(false) => to.write_str("get_zeroed_page failed"),
            KernelCall::FreePage(Some(name)) => write!(to, "free_page {name}"),
            KernelCall::FreePage(None) => to.write_str("free_page 0"),
            KernelCall::GetUserPagesFast { addr, write, got } => {
                write!(to, "get_user_pages_fast {addr:#x} write={write} ")?;
                match got {
                    Some(name) => write!(to, "= {name}"),
                    None => to.write_str("failed"),
                }
            }
            KernelCall::GetPage(name) => write!(to, "get_page {name}"),
            KernelCall::PutPage(name) => write!(to, "put_page {name}"),
            KernelCall::CopyFromUser { addr, bytes } => {
                write!(to, "copy_from_user {addr:#x} ")?;
                moved(bytes, to)
            }
            KernelCall::CopyToUser { addr, bytes } => {
                write!(to, "copy_to_user {addr:#x} ")?;
                moved(bytes, to)
            }
            KernelCall::PrandomU32(value) => write!(to, "prandom_u32 = {value:#x}"),
            KernelCall::Kasprintf(true) => to.write_str("kasprintf"),
            KernelCall::Kasprintf(false) => to.write_str("kasprintf failed"),
        }
    }
}

/// Entries are written as numbers, as wide as they are; of more bytes, how many and their digest.
fn moved(bytes: Option<&[u8]>, to: &mut impl Write) -> fmt::Result {
    let Some(bytes) = bytes else {
        return to.write_str("failed");
    };
    if matches!(bytes.len(), 4 | 8) {
        to.write_str("= 0x")?;
        return bytes
            .iter()
            .rev()
            .try_for_each(|byte| write!(to, "{byte:02x}"));
    }
    let mut digest = Fnv::new();
    digest.bytes(bytes);
    write!(to, "{} bytes #{:016x}", bytes.len(), digest.value())
}

/// The calls of one step. A host that records notes each when it is made.
pub struct Calls {
    text: [Cell<u8>; ROOM],
    len: Cell<usize>,
    shown: Cell<u32>,
    more: Cell<u32>,
    rest: Cell<Fnv>,
}

impl Calls {
    /// None yet.
    #[must_use]
    pub const fn new() -> Calls {
        Calls {
            text: [const { Cell::new(0) }; ROOM],
            len: Cell::new(0),
            shown: Cell::new(0),
            more: Cell::new(0),
            rest: Cell::new(Fnv::new()),
        }
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.len.set(0);
        self.shown.set(0);
        self.more.set(0);
        self.rest.set(Fnv::new());
    }

    /// Takes note of a call.
    pub fn note(&self, call: &KernelCall<'_>) {
        let before = self.len.get();
        if self.more.get() == 0
            && self.shown.get() < SHOWN
            && write!(Tail(self), "; {call}").is_ok()
        {
            self.shown.set(self.shown.get() + 1);
            return;
        }
        self.len.set(before);
        self.more.set(self.more.get().saturating_add(1));
        let mut rest = self.rest.get();
        // A digest takes whatever is written to it.
        let _ = write!(rest, "{call}; ");
        self.rest.set(rest);
    }

    /// Writes them, a semicolon before each.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn write(&self, to: &mut impl Write) -> fmt::Result {
        for byte in self.text.iter().take(self.len.get()) {
            to.write_char(char::from(byte.get()))?;
        }
        match self.more.get() {
            0 => Ok(()),
            more => write!(to, "; {more} calls more #{:016x}", self.rest.get().value()),
        }
    }
}

impl Default for Calls {
    fn default() -> Calls {
        Calls::new()
    }
}

/// The room that is left, as a sink.
struct Tail<'a>(&'a Calls);

impl Write for Tail<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let len = self.0.len.get();
            self.0.text.get(len).ok_or(fmt::Error)?.set(byte);
            self.0.len.set(len + 1);
        }
        Ok(())
    }
}

/// A host that can keep the kernel calls of each step.
pub trait KeepsCalls: Machinery {
    /// Where it notes them; whoever reads them clears them for the next step.
    fn kept(&self) -> &Calls;
}
