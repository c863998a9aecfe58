// SPDX-License-Identifier: GPL-2.0-or-later
//! The code that goes into shadow tables and back, that which performs accesses there, and the image's own pages.

use core::arch::global_asm;

use crate::machine::frame;

// Offsets in the page of the stack, in bytes, as the code below has them: 0 the shadow's CR3, 4 our own, 8 accesses to
// perform, 12 where to go at the end, 16 the page's physical address, 20 the image's stack, 24 the page's virtual
// address, 28 where to begin, 32 and 40 the descriptor tables. Accesses stand from 256 on, 32 bytes each: address,
// kind, value, status, error code or exception, CR2, EIP, where user mode begins.
//
// A real processor guesses ahead, and may mark what it walks through as accessed: it must not get to an access before it
// knows that this one is due. `fence` is lfence, which the assembler has not for so old a processor.
global_asm!(
    r#"
.macro fence
    .byte 0x0f, 0xae, 0xe8
.endm
.section .cross, "ax"
.globl cross_code, cross_back, cross_end
cross_code:
    push ebp
    push ebx
    push esi
    push edi
    mov ebp, [esp + 20]
    mov [ebp + 20], esp
    lgdt [ebp + 32]
    lidt [ebp + 40]
    mov eax, [ebp + 4]
    mov cr3, eax
    mov ecx, [ebp + 28]
    mov ebx, [ebp + 24]
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    jmp 2f
2:  mov ebp, ebx
    mov eax, 0x28
    ltr ax
    mov eax, 0x23
    mov ds, ax
    mov es, ax
    jmp ecx
cross_back:
    mov ecx, [ebp + 16]
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    jmp 2f
2:  mov esp, [ecx + 20]
    lgdt [host_gdtr]
    lidt [host_idtr]
    mov eax, 0x10
    mov ds, ax
    mov es, ax
    pop edi
    pop esi
    pop ebx
    pop ebp
    ret
cross_end:

.section .probe, "ax"
.globl probe_code, probe_done, probe_fault, probe_others, probe_end
probe_code:
    lea esi, [ebp + 256]
2:  cmp dword ptr [ebp + 8], 0
    je 9f
    dec dword ptr [ebp + 8]
    lea esp, [ebp + 0xfe0]
    mov eax, [ebp]
    mov cr3, eax
    mov edx, [esi]
    mov ecx, [esi + 4]
    mov eax, [esi + 8]
    test ecx, 4
    jnz 5f
    cmp ecx, 1
    je 3f
    ja 4f
    fence
    mov eax, [edx]
    mov [esi + 8], eax
    jmp 6f
3:  fence
    mov [edx], eax
    jmp 6f
// A return that is predicted to come back here, and then does not.
4:  call 4f
probe_astray:
    fence
    jmp probe_astray
4:  mov [esp], edx
    ret
5:  push 0x23
    push 0
    push 2
    push 0x1b
    push dword ptr [esi + 28]
    iretd
// Interrupt 0x30: a user's access is done, or an instruction was fetched.
probe_done:
    mov [esi + 8], eax
6:  mov dword ptr [esi + 12], 1
7:  add esi, 32
    jmp 2b
probe_fault:
    pop dword ptr [esi + 16]
    pop dword ptr [esi + 24]
    mov eax, cr2
    mov [esi + 20], eax
    mov dword ptr [esi + 12], 2
    jmp 7b
8:  pop dword ptr [esi + 16]
    mov dword ptr [esi + 12], 3
    jmp 7b
9:  mov eax, [ebp + 4]
    mov cr3, eax
    jmp dword ptr [ebp + 12]
.balign 16
probe_others:
.set number, 0
.rept 32
    push number
    jmp 8b
    .balign 16
    .set number, number + 1
.endr
probe_end:
"#
);

unsafe extern "C" {
    static cross_code: u8;
    static cross_back: u8;
    static cross_end: u8;
    static probe_code: u8;
    static probe_done: u8;
    static probe_fault: u8;
    static probe_others: u8;
    static probe_end: u8;
}

/// The address of a symbol above.
macro_rules! address {
    ($symbol:ident) => {
        // The address alone is taken.
        (&raw const $symbol) as u32
    };
}

/// `int 0x30`, and two bytes behind it that are never reached.
pub const INTERRUPT: u32 = 0x9090_30cd;

/// The code of user mode: a load and that interrupt.
pub const LOAD: u32 = 0x30cd_028b;
/// A store and that interrupt.
pub const STORE: u32 = 0x30cd_0289;
/// The second lies so many bytes behind the first.
pub const STORE_AT: usize = 16;

#[repr(C, align(4096))]
struct Pages([core::cell::UnsafeCell<[u32; 1024]>; 12]);

// SAFETY: one processor runs all of this, and the pages are reached through cells alone.
unsafe impl Sync for Pages {}

/// 0 to 7: our own tables; 8: the way across, once more; 9: code for user mode; 10, 11: tables of the window.
static PAGES: Pages = Pages([const { core::cell::UnsafeCell::new([0; 1024]) }; 12]);

/// Number of the frame of one of our own pages.
pub fn own(i: usize) -> u32 {
    PAGES.0[i].get() as u32 >> 12
}

/// The frame of the code of user mode, if it has one of its own.
pub fn user_code() -> u32 {
    own(9)
}

/// Frames for the window's middle and lowest tables.
pub fn window_tables() -> [u32; 2] {
    [own(10), own(11)]
}

/// Copies code to a frame.
pub fn copy(pfn: u32, begin: u32, end: u32) {
    for (i, word) in frame(pfn)
        .iter()
        .enumerate()
        .take((end - begin).div_ceil(4) as usize)
    {
        let at = begin + 4 * i as u32;
        // SAFETY: the code is in the image, and what follows it too.
        word.set(unsafe { (at as *const u32).read() });
    }
}

/// Writes the parts that never change.
pub fn prepare() {
    copy(own(8), address!(cross_code), address!(cross_end));
    let code = frame(user_code());
    code[0].set(LOAD);
    code[STORE_AT / 4].set(STORE);
}

/// Where parts of the code are in the image.
pub struct Code {
    /// The way into the tables: its begin, where the way back begins, its end.
    pub way: [u32; 3],
    /// What performs accesses: its begin and end.
    pub probe: [u32; 2],
    /// The interrupt's handler, that of page faults, and the first of those of other exceptions, 16 bytes each.
    pub handlers: [u32; 3],
}

/// Tells it.
pub fn code() -> Code {
    Code {
        way: [
            address!(cross_code),
            address!(cross_back),
            address!(cross_end),
        ],
        probe: [address!(probe_code), address!(probe_end)],
        handlers: [
            address!(probe_done),
            address!(probe_fault),
            address!(probe_others),
        ],
    }
}
