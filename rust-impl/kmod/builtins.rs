// SPDX-License-Identifier: GPL-2.0-or-later
//! Stands in for compiler_builtins: the few functions that core and our crates call without naming them.
//!
//! Their calls are plain C ones, the kernel's take arguments in registers: the build makes these names local, so that
//! neither meets the other.
#![feature(compiler_builtins)]
#![compiler_builtins]
#![no_builtins]
#![no_std]
#![allow(internal_features)]

use core::arch::asm;

/// Copies `n` bytes upwards.
#[no_mangle]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: the caller gives `n` bytes at both places; the direction flag is clear, as everywhere in the kernel.
    unsafe {
        asm!("xchg esi, {from}", "rep movsb", "mov esi, {from}", from = inout(reg) from => _,
            inout("edi") to => _, inout("ecx") n => _, options(nostack, preserves_flags));
    }
    to
}

/// Copies `n` bytes that may overlap.
#[no_mangle]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: the caller gives `n` bytes at both places; each byte is read before it is written over.
    unsafe {
        if (to as usize).wrapping_sub(from as usize) >= n {
            return memcpy(to, from, n);
        }
        let mut i = n;
        while i > 0 {
            i -= 1;
            *to.add(i) = *from.add(i);
        }
    }
    to
}

/// Fills `n` bytes with the low byte of `value`.
#[no_mangle]
pub unsafe extern "C" fn memset(to: *mut u8, value: i32, n: usize) -> *mut u8 {
    // SAFETY: the caller gives `n` bytes.
    unsafe {
        asm!("rep stosb", in("eax") value, inout("edi") to => _, inout("ecx") n => _,
            options(nostack, preserves_flags));
    }
    to
}

/// Compares `n` bytes.
#[no_mangle]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let mut i = 0;
    while i < n {
        // SAFETY: the caller gives `n` bytes at both places.
        let (x, y) = unsafe { (*a.add(i), *b.add(i)) };
        if x != y {
            return x as i32 - y as i32;
        }
        i += 1;
    }
    0
}

/// Compares `n` bytes for equality.
#[no_mangle]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    // SAFETY: as of `memcmp`.
    unsafe { memcmp(a, b, n) }
}

/// Quotient and remainder, bit by bit; by nothing it gives all ones and the dividend, and stops nobody.
fn divide(n: u64, d: u64) -> (u64, u64) {
    let (mut quotient, mut rest) = (0u64, 0u64);
    let mut i = 64;
    while i > 0 {
        i -= 1;
        let carry = rest >> 63;
        rest = (rest << 1) | ((n >> i) & 1);
        if carry != 0 || rest >= d {
            rest = rest.wrapping_sub(d);
            quotient |= 1 << i;
        }
    }
    (quotient, rest)
}

/// 64-bit division.
#[no_mangle]
pub extern "C" fn __udivdi3(n: u64, d: u64) -> u64 {
    divide(n, d).0
}

/// Its remainder.
#[no_mangle]
pub extern "C" fn __umoddi3(n: u64, d: u64) -> u64 {
    divide(n, d).1
}
