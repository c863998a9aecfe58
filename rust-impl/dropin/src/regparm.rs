// SPDX-License-Identifier: GPL-2.0-or-later
//! The exported names themselves, by the convention of i386 kernels: three words in registers, the rest on the stack.
//! Each pushes its arguments and calls the plain C function.

use core::arch::global_asm;

/// A function of so many words, of which those behind the third are on the stack already.
macro_rules! take_in_registers {
    ($name:literal, $($push:literal),+ ; $bytes:literal) => {
        global_asm!(
            concat!(".section .text.", $name, ",\"ax\",@progbits"),
            concat!(".globl ", $name),
            concat!(".type ", $name, ",@function"),
            concat!($name, ":"),
            $(concat!("push ", $push),)+
            concat!("call lgd_", $name),
            concat!("add esp, ", $bytes),
            "ret",
            concat!(".size ", $name, ", . - ", $name),
            ".text",
        );
    };
}

take_in_registers!("init_guest_pagetable", "eax"; 4);
take_in_registers!("free_guest_pagetable", "eax"; 4);
take_in_registers!("demand_page", "dword ptr [esp + 4]", "ecx", "edx", "eax"; 16);
take_in_registers!("pin_page", "edx", "eax"; 8);
take_in_registers!("map_switcher_in_guest", "edx", "eax"; 8);
take_in_registers!("guest_pa", "edx", "eax"; 8);
take_in_registers!("__guest_pa", "ecx", "edx", "eax"; 12);
#[cfg(not(pae))]
take_in_registers!("guest_set_pte", "dword ptr [esp + 4]", "ecx", "edx", "eax"; 16);
// The second push finds the first one's word below.
#[cfg(pae)]
take_in_registers!(
    "guest_set_pte", "dword ptr [esp + 8]", "dword ptr [esp + 8]", "ecx", "edx", "eax"; 20
);
take_in_registers!("guest_set_pgd", "ecx", "edx", "eax"; 12);
#[cfg(pae)]
take_in_registers!("guest_set_pmd", "ecx", "edx", "eax"; 12);
take_in_registers!("guest_new_pagetable", "edx", "eax"; 8);
take_in_registers!("guest_pagetable_flush_user", "eax"; 4);
take_in_registers!("guest_pagetable_clear_all", "eax"; 4);
take_in_registers!("page_table_guest_data_init", "eax"; 4);
