// SPDX-License-Identifier: GPL-2.0-or-later
//! The machine itself: start, serial line, end, memory by its physical address, what the processor can do.
//!
//! Paging is off except while the processor is asked ([`crate::cross`]), so an address here is a physical one.

use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::fmt;

use lguest_engine::FrameWords;

// Multiboot's header and the start: descriptor tables of our own, a stack, and then Rust.
global_asm!(
    r#"
.section .multiboot, "a"
.balign 4
.long 0x1badb002, 0x00000001, -(0x1badb002 + 0x00000001)
.text
.globl start
start:
    cli
    cld
    mov esp, offset stack_top
    mov ebp, eax
    lgdt [host_gdtr]
    push 8
    mov eax, offset flat_code
    push eax
    retf
flat_code:
    mov eax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    mov edi, offset host_idt
    mov ecx, 32
    mov eax, offset host_faults
3:  mov edx, eax
    and edx, 0xffff
    or edx, 0x80000
    mov [edi], edx
    mov edx, eax
    and edx, 0xffff0000
    or edx, 0x8e00
    mov [edi + 4], edx
    add edi, 8
    add eax, 16
    loop 3b
    lidt [host_idtr]
    push ebx
    push ebp
    call image_main
4:  hlt
    jmp 4b

// An exception of the image itself: its number, and what lies on the stack.
.balign 16
host_faults:
.set number, 0
.rept 32
    push number
    jmp host_fault
    .balign 16
    .set number, number + 1
.endr
host_fault:
    mov eax, cr2
    push eax
    push esp
    call image_fault

.section .data
.balign 8
.globl host_gdtr, host_idtr
host_gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
host_gdtr: .word 39
    .long host_gdt
host_idtr: .word 255
    .long host_idt
.bss
.balign 4096
host_idt: .skip 256
.balign 4096
.skip 65536
stack_top:
"#
);

/// Writes a byte to a port.
fn out(port: u16, byte: u8) {
    // SAFETY: the ports used here are the serial line's and the exit device's.
    unsafe { asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack)) }
}

/// The serial line.
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| out(0x3f8, byte));
        Ok(())
    }
}

/// Prints a line on the serial line.
#[macro_export]
macro_rules! say {
    ($($what:tt)*) => {{
        use core::fmt::Write;
        // The serial line takes any text.
        let _ = writeln!($crate::machine::Serial, $($what)*);
    }};
}

/// What the run ends with; QEMU's exit status is twice that and one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Status 33.
    AllAgree = 16,
    /// Status 35: the processor, or the original's sums, say otherwise.
    Differences = 17,
    /// Status 37: the image was not given what it needs, or broke.
    Broken = 18,
}

/// Ends the run.
pub fn exit(end: End) -> ! {
    out(0xf4, end as u8);
    loop {
        // SAFETY: nothing is left to do.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}

/// The 4 KiB at frame number `pfn`, as words.
///
/// Callers pass frames of the pools in [`crate::frames`], of the image's own pages or of the pack, all of which are
/// memory and are reached through cells alone.
pub fn frame(pfn: u32) -> &'static FrameWords {
    // SAFETY: paging is off, the frame is memory, and nothing has a reference to it but cells.
    unsafe { &*((pfn << 12) as *const FrameWords) }
}

/// The same as eight-byte words.
pub fn frame_longs(pfn: u32) -> &'static [Cell<u64>; 512] {
    // SAFETY: as above; a page boundary is aligned for these too.
    unsafe { &*((pfn << 12) as *const [Cell<u64>; 512]) }
}

/// A leaf of CPUID: eax, ebx, ecx, edx.
pub fn cpuid(leaf: u32) -> [u32; 4] {
    let (a, b, c, d);
    // SAFETY: every processor with PAE has the instruction.
    unsafe {
        asm!("xchg {b}, ebx", "cpuid", "xchg {b}, ebx", b = inout(reg) 0 => b,
             inout("eax") leaf => a, inout("ecx") 0 => c, out("edx") d, options(nomem, nostack));
    }
    [a, b, c, d]
}

/// What of paging the processor can do.
#[derive(Clone, Copy)]
pub struct Abilities {
    /// Three levels.
    pub pae: bool,
    /// No-execute.
    pub nx: bool,
    /// Bits of a physical address.
    pub width: u32,
    /// It is QEMU's own, not the machine's.
    pub emulated: bool,
}

impl Abilities {
    /// Asks the processor.
    pub fn ask() -> Abilities {
        let [_, _, _, features] = cpuid(1);
        let [most, ..] = cpuid(0x8000_0000);
        let extended = if most >= 0x8000_0001 {
            cpuid(0x8000_0001)[3]
        } else {
            0
        };
        let width = if most >= 0x8000_0008 {
            cpuid(0x8000_0008)[0] & 0xff
        } else {
            36
        };
        let [_, b, c, d] = cpuid(0x4000_0000);
        Abilities {
            emulated: [b, c, d] == ["TCGT", "CGTC", "GTCG"].map(letters),
            pae: features & 1 << 6 != 0,
            nx: extended & 1 << 20 != 0,
            width: width.clamp(32, 52),
        }
    }
}

/// Four letters as the word that CPUID gives.
fn letters(text: &str) -> u32 {
    text.bytes()
        .rev()
        .fold(0, |word, byte| word << 8 | u32::from(byte))
}

/// Chooses the paging mode for the next time paging is on.
pub fn choose(pae: bool, nx: bool, abilities: Abilities) {
    let cr4 = if pae { 0x20 } else { 0 };
    // SAFETY: paging is off; large pages, global ones and the rest stay off too.
    unsafe { asm!("mov cr4, {}", in(reg) cr4, options(nomem, nostack)) }
    if abilities.nx {
        // SAFETY: the register is there if no-execute is.
        unsafe {
            asm!("wrmsr", in("ecx") 0xc000_0080u32, in("eax") u32::from(nx) << 11, in("edx") 0, options(nomem, nostack));
        }
    }
}

/// What multiboot's loader said: where the first module lies, if there is one.
pub fn module(magic: u32, info: u32) -> Option<&'static [u8]> {
    if magic != 0x2bad_b002 {
        return None;
    }
    let word = |at: u32| {
        // SAFETY: the loader left its information there.
        unsafe { ((info + at) as *const u32).read() }
    };
    if word(0) & 8 == 0 || word(20) == 0 {
        return None;
    }
    // SAFETY: so did it with the list of modules.
    let [begin, end] = unsafe { (word(24) as *const [u32; 2]).read() };
    if end < begin || end > crate::frames::FIRST_TABLE << 12 {
        return None;
    }
    // SAFETY: and with the module, which nothing writes to.
    Some(unsafe { core::slice::from_raw_parts(begin as *const u8, (end - begin) as usize) })
}

/// The first address behind the memory above 1 MiB.
pub fn memory_end(info: u32) -> u64 {
    // SAFETY: the loader left its information there.
    let (flags, upper) = unsafe {
        (
            (info as *const u32).read(),
            (info as *const u32).add(2).read(),
        )
    };
    if flags & 1 == 0 {
        return 0;
    }
    0x10_0000 + u64::from(upper) * 1024
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("broken: {info}");
    exit(End::Broken)
}

/// An exception of the image itself.
#[unsafe(no_mangle)]
extern "C" fn image_fault(stack: *const [u32; 6]) -> ! {
    // SAFETY: the entry above pushed it.
    let [cr2, number, rest @ ..] = unsafe { stack.read() };
    say!("broken: exception {number}, cr2 {cr2:#x}, stack {rest:x?}");
    exit(End::Broken)
}
