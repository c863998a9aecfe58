// SPDX-License-Identifier: GPL-2.0-or-later
//! What is planted in copies of the original, by line, column and token: bugs, and a branch that only coverage of the C
//! leads to.

/// A copy of the original with one edit.
pub struct Copy {
    /// Its name, `LGUEST_PLANTED` of the program.
    pub name: &'static str,
    /// Line and column of the token, from 1.
    pub place: (usize, usize),
    /// What stands there.
    pub token: &'static str,
    /// What comes in its place; the hidden branch if it is empty.
    pub to: &'static str,
    /// How it is compiled.
    pub by: By,
}

/// How a copy is compiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// As the original of this build.
    Default,
    /// By clang with its coverage.
    Clang,
    /// By gcc with the shim's.
    Gcc,
    /// Without coverage.
    Blind,
}

const fn copy(
    name: &'static str,
    place: (usize, usize),
    token: &'static str,
    to: &'static str,
    by: By,
) -> Copy {
    Copy {
        name,
        place,
        token,
        to,
        by,
    }
}

/// The copies. `wild_read` is a fault that no simulated host explains. The next three are none of the tables': a stack
/// that runs out, and what no processor minds and sanitizers do. Each bug after them takes several steps to show.
#[rustfmt::skip]
pub const COPIES: [Copy; 10] = [
    copy("hidden_clang", (686, 12), "vaddr", "", By::Clang),
    copy("hidden_gcc", (686, 12), "vaddr", "", By::Gcc),
    copy("hidden_blind", (686, 12), "vaddr", "", By::Blind),
    copy("wild_read", (686, 12), "vaddr", "*(volatile unsigned long *)vaddr", By::Default),
    copy("endless_stack", (686, 12), "vaddr", "({ for (;;) *(volatile char *)__builtin_alloca(4096) = 1; vaddr; })", By::Default),
    copy("over_read", (686, 12), "vaddr", "({ char planted[8]; volatile char *volatile at = planted; (void)at[8 + vaddr % 8]; vaddr; })", By::Default),
    copy("wide_shift", (686, 12), "vaddr", "(vaddr | 0ul << (vaddr >> 12))", By::Default),
    copy("pages_of_another_cpu", (1144, 65), "2", "1", By::Default),
    copy("one_entry_too_many", (658, 16), "<", "<=", By::Default),
    copy("stack_pinned_by_read", (582, 61), "2", "0", By::Default),
];

/// The page in which the hidden branch waits for an address.
pub const PAGE: u32 = 0x5a5;
/// Bits of the address's offset of which some must be set, and the others must not: one less than a round number has
/// others, too.
const ANY: u32 = 0b1101_1011_0110;
/// How many.
const COUNT: u32 = 5;

/// The hidden branch, where `__guest_pa` of a guest without tables answers with the address that it was asked for: an
/// edge for each bit, whichever it is, and nothing moves across the empty statements, so that the tests stay apart.
pub fn hidden() -> String {
    let page = PAGE << 12;
    let mut text =
        format!("({{ unsigned long planted = vaddr; if ((vaddr & ~{ANY}ul) == {page}) {{ ");
    for bits in 0..COUNT {
        text +=
            &format!("if (__builtin_popcount(vaddr & {ANY}) > {bits}) {{ __asm__ volatile(\"\"); ");
    }
    text + "planted ^= 4096; " + &"}".repeat(1 + COUNT as usize) + " planted; })"
}
