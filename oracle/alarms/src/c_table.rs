// SPDX-License-Identifier: GPL-2.0-or-later
//! The bugs planted in the original, named by line, column and token of the pinned file, and in
//! its shim, named by text.
//!
//! The build fails unless the token stands there, or the text occurs exactly once.

use crate::table::Modes::{self, Both, NoPae, Pae};
use crate::table::Place::{self, Fault, Flush, Neighbours, Setup, Stack, Switch, Switcher, Update};

/// A bug planted in a copy of the original or of its shim.
pub struct CBug {
    /// Its name, and that of its test.
    pub name: &'static str,
    /// The part of the original that it is in.
    #[allow(dead_code, reason = "the build script does not ask")]
    pub place: Place,
    /// Where it shows.
    pub modes: Modes,
    /// The edit.
    pub edit: Edit,
    /// What is wrong then.
    #[allow(dead_code, reason = "the build script does not ask")]
    pub what: &'static str,
}

/// At most one change of one word.
pub enum Edit {
    /// None.
    Nothing,
    /// In the original.
    Original {
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
        /// What stands there,
        token: &'static str,
        /// and what comes in its place.
        to: &'static str,
    },
    /// In the shim.
    Shim {
        /// The file, in the shim's folder.
        file: &'static str,
        /// The text there,
        from: &'static str,
        /// and what comes in its place.
        to: &'static str,
    },
}

/// The copy without a bug.
pub const UNHARMED: CBug = CBug {
    name: "unharmed",
    place: Neighbours,
    modes: Both,
    edit: Edit::Nothing,
    what: "nothing",
};

/// A row for the original: line and column, token, what comes in its place.
#[rustfmt::skip]
const fn original(
    name: &'static str, place: Place, modes: Modes,
    (line, column): (usize, usize), token: &'static str, to: &'static str, what: &'static str,
) -> CBug {
    CBug { name, place, modes, edit: Edit::Original { line, column, token, to }, what }
}

/// A row for the shim: file, text, what comes in its place.
#[rustfmt::skip]
const fn shim(
    name: &'static str, place: Place, modes: Modes,
    file: &'static str, from: &'static str, to: &'static str, what: &'static str,
) -> CBug {
    CBug { name, place, modes, edit: Edit::Shim { file, from, to }, what }
}

/// All of them.
#[rustfmt::skip]
pub const C: &[CBug] = &[
    original("global_flag_stays", Fault, Both, (216, 30), "_PAGE_GLOBAL", "_PAGE_PCD",
        "another flag than the global one is taken out"),
    original("first_device_page", Fault, Both, (259, 24), ">=", ">",
        "the first page of a device is none"),
    original("middle_table_text", Fault, Pae, (361, 46), "pmd", "pte",
        "the text of the wrong level"),
    original("fault_releases_nothing", Fault, Both, (507, 2), "release_pte", "(void)",
        "the entry before is not released"),
    original("no_write_back", Fault, Both, (528, 13), "!", "",
        "the guest's entry is written back in linear mode alone"),
    original("stack_pinned_by_read", Stack, Both, (582, 61), "2", "0",
        "the stack is asked for as by a read"),
    original("pgd_not_cleared", Flush, Pae, (617, 23), "0", "2",
        "the entry of a table that was freed is not all zero"),
    original("raw_store", Flush, NoPae, (644, 17), "0", "2",
        "the same of two levels, past set_pgd"),
    original("one_entry_too_many", Flush, Both, (658, 16), "<", "<=",
        "a flush takes the kernel's first top-level entry too"),
    original("wrong_slot", Switch, Both, (757, 9), "prandom_u32", "3 ^ prandom_u32",
        "another slot than the drawn one is taken"),
    original("cpu_not_forgotten", Switch, Both, (779, 40), "-1", "0",
        "a slot taken over is said to have the Switcher of CPU 0"),
    original("switcher_still_mapped", Flush, Both, (839, 35), "false", "true",
        "tables that were thrown away are said to have the Switcher"),
    original("write_flag", Update, Both, (963, 25), "_PAGE_DIRTY", "_PAGE_ACCESSED",
        "a page is asked for writing if it was only read"),
    original("last_index", Update, Both, (1034, 10), ">", ">=",
        "the bound of the index is what it should have been"),
    original("reserved_memory", Setup, Both, (1103, 29), "1", "0",
        "the guest is told of one byte less"),
    original("pages_of_another_cpu", Switcher, Both, (1144, 65), "2", "1",
        "the pages of another CPU are unmapped"),
    original("descriptors_not_global", Switcher, Both, (1223, 37), "_PAGE_GLOBAL", "_PAGE_DIRTY",
        "the Switcher's second page is global and clean"),
    shim("reference_put_twice", Neighbours, Both, "linux/mm.h",
        "shared->held[k]--;",
        "shared->held[k] -= 1 + (shared->held[k] > 1);",
        "a page with several references loses two at once"),
    shim("flags_not_masked", Neighbours, Both, "asm/pgtable.h",
        "flags &= __supported_pte_mask;",
        "flags |= 0;",
        "bits that the processor does not have go into entries"),
    shim("ring_entry_of_another", Neighbours, Both, "hypercalls.h",
        "&data->hcalls[n], sizeof",
        "&data->hcalls[i], sizeof",
        "the ring is read from the wrong place"),
    shim("pointers_not_padded", Neighbours, Both, "format.h",
        "while (n < least_digits)",
        "while (n < 1)",
        "pointers have no leading zeroes"),
    shim("memory_ends_early", Neighbours, Both, "guest_memory.h",
        "end <= lg->pfn_limit",
        "end < lg->pfn_limit",
        "the last byte of guest memory is none"),
    shim("three_stack_pages", Neighbours, Both, "stack.h",
        "pages > 2",
        "pages > 3",
        "one stack page more is allowed"),
];
