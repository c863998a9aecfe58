// SPDX-License-Identifier: GPL-2.0-or-later
//! Brings the machine to its defaults, field by field, or its numbers down.

use lguest_engine::Machine;

use super::Search;
use super::number::{Sort, down};

/// A field of a machine: how it gets its default, and its value if that is a number other than the default.
pub struct Field {
    /// Gives it its default.
    pub reset: fn(&mut Machine),
    /// What its number is.
    pub sort: Sort,
    /// Its value; 0 if it is the default.
    pub read: fn(&Machine) -> u64,
    /// Gives it a value.
    pub write: fn(&mut Machine, u64),
}

const D: Machine = Machine::DEFAULT;

/// A value that is not the default.
fn other<T: PartialEq + Into<u64>>(value: T, default: T) -> u64 {
    if value == default { 0 } else { value.into() }
}

/// All fields but the mode and the expectation.
pub const FIELDS: [Field; 13] = [
    Field {
        reset: |m| m.pages = D.pages,
        sort: Sort::Count,
        read: |m| other(m.pages, D.pages),
        write: |m, value| m.pages = value as u32,
    },
    Field {
        reset: |m| m.device_pages = D.device_pages,
        sort: Sort::Count,
        read: |m| other(m.device_pages, D.device_pages),
        write: |m, value| m.device_pages = value as u32,
    },
    Field {
        reset: |m| m.cpus = D.cpus,
        sort: Sort::Count,
        read: |m| other(m.cpus, D.cpus),
        write: |m, value| m.cpus = value as u8,
    },
    Field {
        reset: |m| m.switcher = D.switcher,
        sort: Sort::Address,
        read: |m| other(m.switcher, D.switcher),
        write: |m, value| m.switcher = value as u32,
    },
    Field {
        reset: |m| m.mem_base = D.mem_base,
        sort: Sort::Address,
        read: |m| other(m.mem_base, D.mem_base),
        write: |m, value| m.mem_base = value as u32,
    },
    Field {
        reset: |m| m.nx = D.nx,
        sort: Sort::Count,
        read: |_| 0,
        write: |_, _| {},
    },
    Field {
        reset: |m| m.global = D.global,
        sort: Sort::Count,
        read: |_| 0,
        write: |_, _| {},
    },
    Field {
        reset: |m| m.tsc_khz = D.tsc_khz,
        sort: Sort::Count,
        read: |m| other(m.tsc_khz, D.tsc_khz),
        write: |m, value| m.tsc_khz = value as u32,
    },
    Field {
        reset: |m| m.reuse = D.reuse,
        sort: Sort::Count,
        read: |_| 0,
        write: |_, _| {},
    },
    Field {
        reset: |m| m.tables = D.tables,
        sort: Sort::Count,
        read: |m| other(m.tables, D.tables),
        write: |m, value| m.tables = value as u16,
    },
    Field {
        reset: |m| m.seed = D.seed,
        sort: Sort::Count,
        read: |m| other(m.seed, D.seed),
        write: |m, value| m.seed = value,
    },
    Field {
        reset: |m| m.first_slot = D.first_slot,
        sort: Sort::Count,
        read: |m| m.first_slot.unwrap_or(0).into(),
        write: |m, value| m.first_slot = m.first_slot.map(|_| value as u8),
    },
    Field {
        reset: |m| m.fail_start = D.fail_start,
        sort: Sort::Count,
        read: |m| other(m.fail_start, D.fail_start),
        write: |m, value| m.fail_start = value as u8,
    },
];

/// Reduces each field as far as it goes alone.
pub fn reduce(search: &mut Search<'_>) {
    for field in &FIELDS {
        search.try_change(|candidate| (field.reset)(&mut candidate.machine));
        down(
            search,
            field.sort,
            |search| (field.read)(&search.best().machine),
            |search, value| search.try_change(|c| (field.write)(&mut c.machine, value)),
        );
    }
}
