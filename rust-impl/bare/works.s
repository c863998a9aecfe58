# SPDX-License-Identifier: GPL-2.0-or-later
# Says whether this machine can run an image at all, which the image itself cannot say: QEMU ends with 33 if so.
#
# Else the serial line has what it was at. In both paging modes ring 3 stores to a page that is not there, the fault handler maps it, and the store is repeated.
# Nothing here is shared with the image, so that what breaks the image is not taken for a machine that does not work.
.intel_syntax noprefix
.set absent, 0x1ff000

.macro now what
    mov dword ptr [stage], offset 9f
.section .rodata
9:  .asciz "\what\n"
.text
.endm

.section .multiboot, "a"
.balign 4
.long 0x1badb002, 0, -0x1badb002

.text
.globl start
start:
    cli
    cld
    mov esp, offset stack_top
    now "loading descriptor tables and no-execute"
    mov eax, offset task
    mov [gdt_task + 2], ax
    shr eax, 16
    mov [gdt_task + 4], al
    mov [gdt_task + 7], ah
    lgdt [gdtr]
    push 8
    mov eax, offset here
    push eax
    retf
here:
    mov eax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov edi, offset idt
    mov ecx, 256
    mov edx, 0x8e00
    mov eax, offset other
2:  call gate
    loop 2b
    mov edi, offset idt + 8 * 14
    mov eax, offset fault
    call gate
    mov edi, offset idt + 8 * 0x30
    mov edx, 0xee00
    mov eax, offset done
    call gate
    lidt [idtr]
    mov eax, 0x28
    ltr ax
    mov eax, 0x80000001
    cpuid
    test edx, 1 << 20
    jz 3f
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x800
    wrmsr
3:  xor ebp, ebp

# ebp: 0 two levels, 1 PAE. Entries of 4 << ebp bytes each, one for each page up to the absent one.
mode:
    mov edi, offset low
    mov ecx, 1024
    xor eax, eax
    rep stosd
    mov edi, offset low
    mov eax, 7
    mov ecx, ebp
    mov edx, 4
    shl edx, cl
2:  mov [edi], eax
    add edi, edx
    add eax, 0x1000
    cmp eax, absent
    jb 2b
    mov dword ptr [middle], offset low + 7
    mov dword ptr [top], offset middle + 1
    mov eax, offset middle
    test ebp, ebp
    jz 4f
    mov eax, offset top
4:  now "turning on two-level paging"
    test ebp, ebp
    jz 2f
    now "turning on PAE"
2:  mov cr3, eax
    mov eax, ebp
    shl eax, 5
    mov cr4, eax
    mov eax, cr0
    or eax, 0x80010000
    mov cr0, eax
    jmp 5f
5:  now "going to ring 3, and a page fault there"
    mov eax, 0x23
    mov ds, ax
    mov es, ax
    push 0x23
    mov eax, offset stack_top
    push eax
    push 2
    push 0x1b
    mov eax, offset user
    push eax
    iretd
user:
    mov dword ptr [absent], 0x1234
    mov eax, [absent]
    int 0x30

# edi: the absent page's entry.
fault:
    pop eax
    cmp eax, 6
    jne other
    mov eax, cr2
    cmp eax, absent
    jne other
    mov dword ptr [edi], absent + 7
    iretd
done:
    cmp eax, 0x1234
    jne other
    now "turning off paging; the entry's accessed and dirty bits"
    mov eax, cr0
    and eax, 0x7fffffff
    mov cr0, eax
    jmp 2f
2:  mov eax, 0x10
    mov ds, ax
    mov es, ax
    mov esp, offset stack_top
    mov eax, [edi]
    cmp eax, absent + 0x67
    jne other
    inc ebp
    cmp ebp, 2
    jb mode
    mov eax, 16
    jmp 3f
other:
    mov esi, [stage]
    mov edx, 0x3f8
    mov ecx, 64
2:  lodsb
    test al, al
    jz 2f
    out dx, al
    loop 2b
2:  mov eax, 17
3:  out 0xf4, al
4:  hlt
    jmp 4b

# A gate at edi for the code at eax, with the rights in edx; edi goes on to the next.
gate:
    mov [edi], ax
    mov word ptr [edi + 2], 8
    mov [edi + 4], dx
    push eax
    shr eax, 16
    mov [edi + 6], ax
    pop eax
    add edi, 8
    ret

.data
.balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
gdt_task: .quad 0x0000890000000067
gdtr: .word 47
    .long gdt
idtr: .word 2047
    .long idt
.balign 8
task: .long 0, stack_top, 0x10
    .skip 88
    .long 0x680000
.bss
stage: .skip 4
.balign 4096
top: .skip 4096
middle: .skip 4096
low: .skip 4096
idt: .skip 2048
.skip 2048
stack_top:
