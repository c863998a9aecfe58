// SPDX-License-Identifier: GPL-2.0-or-later
//! The steps of a scenario: verbs with their arguments.

use super::quals::{cut, page, width};
use super::{Machine, Quals, RecordError, Recorded, fit};

/// Bit of an access's flags: it writes.
pub const ACCESS_WRITE: u32 = 1;
/// Bit of an access's flags: in user mode.
pub const ACCESS_USER: u32 = 2;
/// Bit of a page fault's error code: the translation was present.
pub const FAULT_PRESENT: u32 = 1;
/// Bit of a page fault's error code: on a write.
pub const FAULT_WRITE: u32 = 2;
/// Bit of a page fault's error code: in user mode.
pub const FAULT_USER: u32 = 4;

/// What a step does. Arguments it does not name are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verb {
    /// A hypercall: number, four arguments.
    Hypercall = 1,
    /// A hypercall put into the ring: number, four arguments.
    Async = 2,
    /// A page fault: guest-virtual address, error code (`FAULT_*`).
    DemandPage = 3,
    /// A guest's access to a word: guest-virtual address, `ACCESS_*` flags, the value if it writes.
    Access = 4,
    /// A guest's write to its memory: guest-physical address, low half, high half, width in bytes.
    Write = 5,
    /// The guest maps a page in its own tables: gpgdir, guest-virtual address, low and high half of
    /// the entry, first guest page for the tables that are missing.
    Map = 6,
    /// The guest runs: host CPU.
    Run = 7,
    /// `guest_pa`: guest-virtual address.
    GuestPa = 8,
    /// A device's or the launcher's write to guest memory, as [`Verb::Write`].
    DeviceWrite = 9,
    /// The host unmaps a guest page: page number.
    Unmap = 10,
    /// The host makes a guest page read-only: page number.
    Protect = 11,
    /// The host makes a guest page writable: page number.
    Unprotect = 12,
    /// The host makes a guest page copy-on-write: page number.
    Share = 13,
    /// The guest is destroyed; the last step.
    Destroy = 14,
    /// The guest prepares its `lguest_data`: guest-physical address, kernel address.
    BootData = 15,
    /// `__guest_pa`, which kills nobody: guest-virtual address.
    TryGuestPa = 16,
    /// What the step before did on another host, as [`Recorded`]; nothing is done.
    Expect = 17,
}

impl Verb {
    /// All verbs in order of their numbers, which start at 1.
    pub const ALL: [Verb; 17] = [
        Verb::Hypercall,
        Verb::Async,
        Verb::DemandPage,
        Verb::Access,
        Verb::Write,
        Verb::Map,
        Verb::Run,
        Verb::GuestPa,
        Verb::DeviceWrite,
        Verb::Unmap,
        Verb::Protect,
        Verb::Unprotect,
        Verb::Share,
        Verb::Destroy,
        Verb::BootData,
        Verb::TryGuestPa,
        Verb::Expect,
    ];

    /// The verb's name in the text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Hypercall => "hypercall",
            Verb::Async => "async",
            Verb::DemandPage => "demand_page",
            Verb::Access => "access",
            Verb::Write => "write",
            Verb::Map => "map",
            Verb::Run => "run",
            Verb::GuestPa => "guest_pa",
            Verb::DeviceWrite => "device_write",
            Verb::Unmap => "unmap",
            Verb::Protect => "protect",
            Verb::Unprotect => "unprotect",
            Verb::Share => "share",
            Verb::Destroy => "destroy",
            Verb::BootData => "boot_data",
            Verb::TryGuestPa => "try_guest_pa",
            Verb::Expect => "=",
        }
    }
}

/// The hypercalls that have a name: number and name, in order of their numbers.
pub const HYPERCALLS: [(u32, &str); 16] = [
    (0, "FLUSH_ASYNC"),
    (1, "LGUEST_INIT"),
    (2, "SHUTDOWN"),
    (4, "NEW_PGTABLE"),
    (5, "FLUSH_TLB"),
    (6, "LOAD_IDT_ENTRY"),
    (7, "SET_STACK"),
    (8, "TS"),
    (9, "SET_CLOCKEVENT"),
    (10, "HALT"),
    (13, "SET_PMD"),
    (14, "SET_PTE"),
    (15, "SET_PGD"),
    (16, "LOAD_TLS"),
    (18, "LOAD_GDT_ENTRY"),
    (19, "SEND_INTERRUPTS"),
];

/// The name of a hypercall, if it has one.
#[must_use]
pub fn hypercall_name(number: u32) -> Option<&'static str> {
    *BY_NUMBER.get(number as usize)?
}

/// The same names by number.
const BY_NUMBER: [Option<&str>; 20] = {
    let mut names = [None; 20];
    let mut i = 0;
    while i < HYPERCALLS.len() {
        let (number, name) = HYPERCALLS[i];
        names[number as usize] = Some(name);
        i += 1;
    }
    names
};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// What it does.
    pub verb: Verb,
    /// With what; see [`Verb`].
    pub args: [u32; 5],
    /// What befalls it.
    pub quals: Quals,
}

impl Step {
    /// A step without qualifiers.
    #[must_use]
    pub const fn new(verb: Verb, args: [u32; 5]) -> Step {
        Step {
            verb,
            args,
            quals: Quals::NONE,
        }
    }

    /// The 64-bit value of a [`Verb::Write`] or [`Verb::DeviceWrite`] (arguments 1 and 2).
    #[must_use]
    pub const fn value(&self) -> u64 {
        join(self.args[1], self.args[2])
    }

    /// Moves every part into its range on this (valid) machine; a valid step stays as it is.
    #[must_use]
    pub fn reduce(self, machine: &Machine) -> Step {
        let [a, b, c, d, _] = self.args;
        let args = match self.verb {
            Verb::Hypercall | Verb::Async | Verb::Map => self.args,
            Verb::DemandPage => [a, b % 8, 0, 0, 0],
            Verb::Access => {
                let flags = b % 4;
                [
                    a,
                    flags,
                    if flags & ACCESS_WRITE != 0 { c } else { 0 },
                    0,
                    0,
                ]
            }
            Verb::Write | Verb::DeviceWrite => {
                let width = width(d);
                let (lo, hi) = split(cut(join(b, c), width));
                [a, lo, hi, width.into(), 0]
            }
            Verb::Run => [
                fit(a, 0, u32::from(machine.cpus).saturating_sub(1)),
                0,
                0,
                0,
                0,
            ],
            Verb::GuestPa | Verb::TryGuestPa => [a, 0, 0, 0, 0],
            Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => {
                [page(a, machine), 0, 0, 0, 0]
            }
            Verb::Destroy => [0; 5],
            Verb::BootData => [a, b, 0, 0, 0],
            Verb::Expect => Recorded::of(self.args).args(),
        };
        let quals = match self.verb {
            // Nothing befalls a step that does nothing.
            Verb::Expect => Quals::NONE,
            _ => self.quals.reduce(machine),
        };
        Step {
            verb: self.verb,
            args,
            quals,
        }
    }

    /// Whether the step is valid on this (valid) machine.
    ///
    /// # Errors
    /// What of it is out of range.
    pub fn check(&self, machine: &Machine) -> Result<(), RecordError> {
        let right = self.reduce(machine);
        if right.args != self.args {
            let expected = match self.verb {
                Verb::DemandPage => "an error code from 0 to 7",
                Verb::Access => "flags from 0 to 3, and a value only for a write",
                Verb::Write | Verb::DeviceWrite => "a width of 1, 4 or 8 and a value that fits it",
                Verb::Run => "a host CPU of the machine",
                Verb::Unmap | Verb::Protect | Verb::Unprotect | Verb::Share => {
                    "a guest page that has memory (below pages and 16384)"
                }
                Verb::Expect => "a recorded result in its canonical form",
                _ => "0 for every argument that the verb does not use",
            };
            return Err(RecordError {
                field: self.verb.name(),
                expected,
            });
        }
        if self.verb == Verb::Expect && right.quals != self.quals {
            return Err(RecordError {
                field: self.verb.name(),
                expected: "no qualifiers",
            });
        }
        if right.quals.draw != self.quals.draw {
            return Err(RecordError {
                field: "draw",
                expected: "a slot from 0 to 3",
            });
        }
        if right.quals != self.quals {
            let expected = "a call from 1, with a fitting write or a guest page that has memory";
            return Err(RecordError {
                field: "during",
                expected,
            });
        }
        Ok(())
    }
}

/// A 64-bit number of its halves.
#[must_use]
pub const fn join(lo: u32, hi: u32) -> u64 {
    lo as u64 | (hi as u64) << 32
}

/// The halves of a 64-bit number, low one first.
#[must_use]
pub const fn split(value: u64) -> (u32, u32) {
    (value as u32, (value >> 32) as u32)
}
