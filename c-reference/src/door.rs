// SPDX-License-Identifier: GPL-2.0-or-later
//! The C functions that this crate calls, or, without an original, nothing.

use crate::PagingMode;
use crate::bindings as c;

/// The one function of a mode.
pub(crate) type Call = unsafe extern "C" fn(*mut c::lg_world);

/// A constant that the original was compiled with, by its C name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The C expression.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
}

#[cfg(not(no_reference))]
mod linked {
    use std::ffi::CStr;
    use std::sync::Once;

    use super::{Call, Fact, PagingMode, c};

    /// Makes crashes come back through the door, from now on.
    pub(crate) fn install() {
        static INSTALLED: Once = Once::new();
        // SAFETY: called once, and it only installs handlers that pass on
        // what is not theirs.
        INSTALLED.call_once(|| unsafe { c::lg_install() });
    }

    pub(crate) fn entry(mode: PagingMode) -> Option<Call> {
        Some(match mode {
            PagingMode::NoPae => c::nopae_call,
            PagingMode::Pae => c::pae_call,
        })
    }

    /// Calls what `world` asks for.
    ///
    /// # Safety
    /// `world` is complete, not in use, and all that it points to is alive;
    /// the door is installed.
    #[inline]
    pub(crate) unsafe fn enter(world: *mut c::lg_world) -> u64 {
        // SAFETY: as the caller promises.
        unsafe { c::lg_enter(world) }
    }

    /// The constants of a mode; none without an original.
    pub fn facts(mode: PagingMode) -> Vec<Fact> {
        let first = match mode {
            PagingMode::NoPae => &raw const c::nopae_facts,
            PagingMode::Pae => &raw const c::pae_facts,
        };
        let mut facts = Vec::new();
        for i in 0.. {
            // SAFETY: the table goes on until an entry without a name.
            let fact = unsafe { *first.cast::<c::lg_fact>().add(i) };
            if fact.name.is_null() {
                break;
            }
            // SAFETY: names are string literals of the C.
            let name = unsafe { CStr::from_ptr(fact.name) };
            let name = name.to_str().expect("C names are ASCII");
            facts.push(Fact {
                name,
                value: fact.value,
            });
        }
        facts
    }
}

#[cfg(no_reference)]
mod linked {
    use super::{Call, Fact, PagingMode, c};

    pub(crate) fn install() {}

    pub(crate) fn entry(_: PagingMode) -> Option<Call> {
        None
    }

    /// Never called: there is no world without an entry.
    ///
    /// # Safety
    /// None is needed.
    pub(crate) unsafe fn enter(_: *mut c::lg_world) -> u64 {
        unreachable!("built without the original")
    }

    /// The constants of a mode; none without an original.
    pub fn facts(_: PagingMode) -> Vec<Fact> {
        Vec::new()
    }
}

pub use linked::facts;
pub(crate) use linked::{enter, entry, install};
