// SPDX-License-Identifier: GPL-2.0-or-later
//! A kernel call or recorded store, as the slow path keeps it for reports.

use std::fmt;

use lguest_c_reference::NO_PFN;
use lguest_engine::{FrameName, KernelCall, observe};

/// One of them, in the order in which the code under test made them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// Its number in the running hash, 1 to 12.
    pub kind: u32,
    /// The first word that was mixed for it, without the kind.
    pub a: u64,
    /// The second: a result or a value.
    pub b: u64,
    /// Bytes that it moved.
    pub bytes: Vec<u8>,
}

/// Names by number; the first is none.
const NAMES: [&str; 13] = [
    "?",
    "get_zeroed_page",
    "free_page",
    "get_user_pages_fast",
    "get_page",
    "put_page",
    "copy_from_user",
    "copy_to_user",
    "prandom_u32",
    "kasprintf",
    "set_pte",
    "set_pmd",
    "set_pgd",
];

impl Call {
    /// The kernel's name for it.
    pub fn name(&self) -> &'static str {
        NAMES.get(self.kind as usize).copied().unwrap_or(NAMES[0])
    }

    /// It formats a kill message.
    pub fn is_message(&self) -> bool {
        self.kind == 9
    }

    /// It stores an entry.
    pub fn is_store(&self) -> bool {
        self.kind >= 10
    }
}

impl Call {
    /// As recordings tell it; nothing for a store, which is no kernel call.
    pub fn named(&self, name: impl Fn(u32) -> FrameName) -> Option<KernelCall<'_>> {
        let low = self.a as u32;
        let bytes = (self.a >> 48 & 1 != 0).then_some(&self.bytes[..]);
        Some(match self.kind {
            1 => KernelCall::GetZeroedPage(low != 0),
            2 => KernelCall::FreePage((low != 0).then(|| name(low >> 12))),
            3 => KernelCall::GetUserPagesFast {
                addr: low,
                write: (self.a >> 32) as u32,
                got: (self.b != u64::from(NO_PFN)).then(|| name(self.b as u32)),
            },
            4 => KernelCall::GetPage(name(low)),
            5 => KernelCall::PutPage(name(low)),
            6 => KernelCall::CopyFromUser { addr: low, bytes },
            7 => KernelCall::CopyToUser { addr: low, bytes },
            8 => KernelCall::PrandomU32(low),
            9 => KernelCall::Kasprintf(self.a != 0),
            _ => return None,
        })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, low) = (self.name(), self.a as u32);
        match self.kind {
            1 => write!(to, "{name}() = {low:#x}"),
            3 => write!(
                to,
                "{name}({low:#x}, write={}) = {:#x}",
                self.a >> 32,
                self.b
            ),
            6 | 7 => {
                let (ok, len) = (self.a >> 48 & 1 != 0, self.a >> 32 & 0xffff);
                write!(to, "{name}({low:#x}, {len} bytes) ")?;
                if !ok {
                    return write!(to, "failed");
                }
                write!(to, "=")?;
                self.bytes
                    .iter()
                    .take(32)
                    .try_for_each(|byte| write!(to, " {byte:02x}"))
            }
            8 => write!(to, "{name}() = {low}"),
            9 => {
                write!(to, "{name}(\"")?;
                observe::escaped(&self.bytes, to)?;
                write!(to, "\"){}", if self.a == 0 { " failed" } else { "" })
            }
            10.. => write!(to, "{name}({low:#x}, {:#x})", self.b),
            _ => write!(to, "{name}({low:#x})"),
        }
    }
}
