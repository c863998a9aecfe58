// SPDX-License-Identifier: GPL-2.0-or-later
//! Stands for compiler_builtins: the few functions that compiled Rust calls by name on 32-bit x86.
//!
//! They follow the plain C convention. An object that goes into a kernel makes them local, for the kernel's functions
//! of the same names take their arguments in registers.
#![allow(internal_features)]
#![feature(compiler_builtins)]
#![compiler_builtins]
#![no_builtins]
#![no_std]

use core::arch::asm;

/// Copies upwards.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's promise; esi belongs to the compiler, so it is swapped in and out. All registers are
    // named, for one chosen by the compiler could be esi.
    asm!(
        "xchg esi, edx", "mov eax, ecx", "shr ecx, 2", "rep movsd",
        "mov ecx, eax", "and ecx, 3", "rep movsb", "mov esi, edx",
        inout("edx") from => _, out("eax") _,
        inout("edi") to => _, inout("ecx") len => _, options(nostack)
    );
    to
}

/// Copies in the direction that allows for overlaps.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        return memcpy(to, from, len);
    }
    let mut i = len;
    while i > 0 {
        i -= 1;
        *to.add(i) = *from.add(i);
    }
    to
}

/// Fills.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let word = (byte as u32 & 0xff).wrapping_mul(0x0101_0101);
    // SAFETY: the caller's promise.
    asm!(
        "mov {rest}, ecx", "shr ecx, 2", "rep stosd", "mov ecx, {rest}", "and ecx, 3", "rep stosb",
        rest = out(reg) _, in("eax") word,
        inout("edi") to => _, inout("ecx") len => _, options(nostack)
    );
    to
}

/// Compares.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let mut i = 0;
    while i < len {
        let (x, y) = (*a.add(i), *b.add(i));
        if x != y {
            return x as i32 - y as i32;
        }
        i += 1;
    }
    0
}

/// Tells whether two stretches differ.
///
/// # Safety
/// As in C.
#[no_mangle]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    memcmp(a, b, len)
}

/// Long division by shifting and subtracting.
fn divide(number: u64, by: u64) -> (u64, u64) {
    if by == 0 {
        // SAFETY: ends here.
        unsafe { asm!("ud2", options(noreturn)) }
    }
    let (mut quotient, mut rest) = (0u64, 0u64);
    let mut i = 64;
    while i > 0 {
        i -= 1;
        let carry = rest >> 63;
        rest = rest << 1 | (number >> i & 1);
        if carry != 0 || rest >= by {
            rest = rest.wrapping_sub(by);
            quotient |= 1 << i;
        }
    }
    (quotient, rest)
}

/// 64-bit division.
#[no_mangle]
pub extern "C" fn __udivdi3(number: u64, by: u64) -> u64 {
    divide(number, by).0
}

/// 64-bit remainder.
#[no_mangle]
pub extern "C" fn __umoddi3(number: u64, by: u64) -> u64 {
    divide(number, by).1
}
