// SPDX-License-Identifier: GPL-2.0-or-later
//! How the arguments of the named hypercalls are written, for the parser and the printer alike.

/// How one argument is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// In hexadecimal; the text says what it is.
    Hex(&'static str),
    /// In decimal.
    Count(&'static str),
    /// One number of 64 bits for two arguments, low half first.
    Entry,
}

use Arg::{Count, Entry, Hex};

const GPGDIR: Arg = Hex("a top-level table's guest-physical address");
const LOW: Arg = Hex("the descriptor's low half");
const HIGH: Arg = Hex("the descriptor's high half");

/// The written arguments of a named hypercall; arguments beyond them are 0.
#[must_use]
pub const fn form(number: u32) -> Option<&'static [Arg]> {
    Some(match number {
        0 | 10 | 19 => &[],
        1 => &[Hex("lguest_data's guest-physical address")],
        2 => &[
            Hex("the message's guest-physical address"),
            Count("how to shut down"),
        ],
        4 => &[GPGDIR],
        5 => &[Count("whether to flush kernel mappings too (0 or 1)")],
        6 => &[Count("an interrupt number"), LOW, HIGH],
        7 => &[
            Count("the stack's segment"),
            Hex("the stack's guest-virtual address"),
            Count("the stack's number of pages"),
        ],
        8 => &[Count("whether to set TS (0 or 1)")],
        9 => &[Count("nanoseconds")],
        13 => &[
            Hex("a middle table's guest-physical address"),
            Count("the entry's index"),
        ],
        14 => &[GPGDIR, Hex("a guest-virtual address"), Entry],
        15 => &[GPGDIR, Count("the entry's index")],
        16 => &[Hex("the TLS array's guest-physical address")],
        18 => &[Count("the entry's index"), LOW, HIGH],
        _ => return None,
    })
}
