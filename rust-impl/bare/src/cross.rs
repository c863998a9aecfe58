// SPDX-License-Identifier: GPL-2.0-or-later
//! The way into shadow tables and back, and the code that performs accesses there.
//!
//! As in lguest, the code lies on the Switcher's text page and the descriptor tables on the second page of a host CPU;
//! its first page is the stack, with the accesses to perform and what came of them. All three are mapped at the same
//! addresses in tables of our own, through which the processor goes from no paging into the shadow and back.

use core::arch::global_asm;

use crate::machine::{frame, frame_longs};

// Offsets in the page of the stack, in bytes, as the code below has them: 0 the shadow's CR3, 4 our own, 8 accesses to
// perform, 12 where to go at the end, 16 the page's physical address, 20 the image's stack, 24 the page's virtual
// address, 28 where to begin, 32 and 40 the descriptor tables. Accesses stand from 256 on, 32 bytes each: address,
// kind, value, status, error code or exception, CR2, EIP, where user mode begins.
global_asm!(
    r#"
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
    mov eax, [edx]
    mov [esi + 8], eax
    jmp 6f
3:  mov [edx], eax
    jmp 6f
4:  jmp edx
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

/// Most accesses at once.
pub const BATCH: usize = 64;
/// A word of the Switcher's pages that accesses may have, by its offset in bytes.
pub const SPARE: u32 = 0xff0;
/// `int 0x30`, and two bytes behind it that are never reached.
pub const INTERRUPT: u32 = 0x9090_30cd;

/// Where things are, as virtual addresses.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The code's page.
    pub text: u32,
    /// The stack's page.
    pub stack: u32,
    /// The page of descriptor tables.
    pub tables: u32,
}

/// The frames behind them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Frames {
    /// The code's.
    pub text: u32,
    /// The stack's.
    pub stack: u32,
    /// The descriptor tables'.
    pub tables: u32,
}

/// What kind of access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// A load.
    Read = 0,
    /// A store.
    Write = 1,
    /// An instruction fetch.
    Fetch = 2,
}

/// An access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Its address; a word boundary.
    pub vaddr: u32,
    /// What it does.
    pub kind: Kind,
    /// From ring 3.
    pub user: bool,
    /// What it stores.
    pub value: u32,
}

/// What the processor said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Done; the word that a load found.
    Done(u32),
    /// A page fault: error code and CR2.
    Fault(u32, u32),
    /// Another exception.
    Exception(u32),
    /// Nothing: it was never tried.
    Nothing,
}

const FIRST: usize = 256 / 4;
const WORDS: usize = 32 / 4;

#[repr(C, align(4096))]
struct Pages([core::cell::UnsafeCell<[u32; 1024]>; 12]);

// SAFETY: one processor runs all of this, and the pages are reached through cells alone.
unsafe impl Sync for Pages {}

/// 0 to 7: our own tables; 8: the way across, once more; 9: code for user mode; 10, 11: tables of the window.
static PAGES: Pages = Pages([const { core::cell::UnsafeCell::new([0; 1024]) }; 12]);

/// Number of the frame of one of our own pages.
fn own(i: usize) -> u32 {
    PAGES.0[i].get() as u32 >> 12
}

/// The frame of the code for user mode: a load at its begin, a store 16 bytes behind.
pub fn user_code() -> u32 {
    own(9)
}

/// Frames for the window's middle and lowest tables.
pub fn window_tables() -> [u32; 2] {
    [own(10), own(11)]
}

/// Copies code to a frame.
fn copy(pfn: u32, begin: u32, end: u32) {
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
    code[0].set(0x30cd_028b);
    code[4].set(0x30cd_0289);
}

/// The crossing as it is set up now.
pub struct Crossing {
    place: Place,
    frames: Frames,
    pae: bool,
    way: u32,
    used: usize,
}

impl Crossing {
    /// Nothing set up.
    pub const fn new() -> Self {
        Crossing {
            place: Place {
                text: 0,
                stack: 0,
                tables: 0,
            },
            frames: Frames {
                text: 0,
                stack: 0,
                tables: 0,
            },
            pae: false,
            way: 0,
            used: 0,
        }
    }

    /// Sets up our own tables, the code and the descriptor tables for these places.
    pub fn set(&mut self, pae: bool, place: Place, frames: Frames) {
        if (self.place, self.frames, self.pae) == (place, frames, pae) {
            return;
        }
        (self.place, self.frames, self.pae) = (place, frames, pae);
        copy(frames.text, address!(probe_code), address!(probe_end));
        let [begin, twin] = [address!(cross_code), own(8) << 12];
        let taken = [place.text, place.stack, place.tables];
        self.way = if taken.contains(&begin) { twin } else { begin };
        self.used = 1;
        (0..8).for_each(|i| frame(own(i)).iter().for_each(|word| word.set(0)));
        self.map(place.text, frames.text);
        self.map(place.stack, frames.stack);
        self.map(place.tables, frames.tables);
        self.map(self.way, self.way >> 12);
        self.describe();
        let context = frame(frames.stack);
        let back = self.way + address!(cross_back) - begin;
        for (i, value) in [
            (1, own(0) << 12),
            (3, back),
            (4, frames.stack << 12),
            (6, place.stack),
            (7, place.text),
            // Limit and address: GDT behind the IDT.
            (8, 47 | (place.tables + 0x800) << 16),
            (9, (place.tables + 0x800) >> 16),
            (10, 0x18f | place.tables << 16),
            (11, place.tables >> 16),
        ] {
            context[i].set(value);
        }
    }

    /// Maps a page in our own tables, writable for the supervisor.
    fn map(&mut self, vaddr: u32, pfn: u32) {
        let levels: &[(u32, u32)] = if self.pae {
            &[(30, 3), (21, 511), (12, 511)]
        } else {
            &[(22, 1023), (12, 1023)]
        };
        let mut table = own(0);
        for (level, (shift, mask)) in levels.iter().enumerate() {
            let index = (vaddr >> shift & mask) as usize;
            let last = level + 1 == levels.len();
            let (now, size) = if self.pae {
                (frame_longs(table)[index].get() as u32, 2)
            } else {
                (frame(table)[index].get(), 1)
            };
            let next = if last {
                pfn
            } else if now & 1 != 0 {
                now >> 12
            } else {
                self.used += 1;
                own(self.used - 1)
            };
            let flags = if self.pae && level == 0 { 1 } else { 0x63 };
            frame(table)[index * size].set(next << 12 | flags);
            table = next;
        }
    }

    /// Writes IDT, GDT and TSS. The processor writes to none of them: it could not.
    fn describe(&self) {
        let page = frame(self.frames.tables);
        let text = |symbol: u32| self.place.text + symbol - address!(probe_code);
        let gate = |i: usize, to: u32, rights: u32| {
            page[2 * i].set(to & 0xffff | 8 << 16);
            page[2 * i + 1].set(to & 0xffff_0000 | rights);
        };
        for i in 0..32 {
            gate(i, text(address!(probe_others)) + 16 * i as u32, 0x8e00);
        }
        gate(14, text(address!(probe_fault)), 0x8e00);
        gate(0x30, text(address!(probe_done)), 0xee00);
        let task = self.place.tables + 0x900;
        let descriptors: [u64; 5] = [
            0,
            0x00cf_9b00_0000_ffff,
            0x00cf_9300_0000_ffff,
            0x00cf_fb00_0000_ffff,
            0x00cf_f300_0000_ffff,
        ];
        for (i, descriptor) in descriptors.iter().enumerate() {
            page[0x200 + 2 * i].set(*descriptor as u32);
            page[0x201 + 2 * i].set((*descriptor >> 32) as u32);
        }
        page[0x20a].set(0x67 | task << 16);
        page[0x20b].set(task >> 16 & 0xff | 0x8900 | task & 0xff00_0000);
        page[0x241].set(self.place.stack + 0xfe0);
        page[0x242].set(0x10);
        page[0x259].set(0x68 << 16);
    }

    /// Has the processor perform `accesses` in the tables at `root`.
    ///
    /// `user` is where the code for user mode is mapped.
    pub fn perform(&self, root: u32, accesses: &[Access], user: u32, answers: &mut [Answer]) {
        let context = frame(self.frames.stack);
        for (i, access) in accesses.iter().enumerate() {
            let at = &context[FIRST + WORDS * i..][..WORDS];
            at.iter().for_each(|word| word.set(0));
            at[0].set(access.vaddr);
            at[1].set(access.kind as u32 | u32::from(access.user) << 2);
            at[2].set(access.value);
            at[7].set(match access.kind {
                Kind::Read => user,
                Kind::Write => user + 16,
                Kind::Fetch => access.vaddr,
            });
        }
        context[0].set(root);
        context[2].set(accesses.len() as u32);
        // Loading the task register makes it busy.
        let task = &frame(self.frames.tables)[0x20b];
        task.set(task.get() & !0x200);
        // SAFETY: this is where the code is; it keeps the registers that C keeps.
        let cross: extern "C" fn(u32) = unsafe { core::mem::transmute(self.way as usize) };
        cross(self.frames.stack << 12);
        for (i, answer) in answers.iter_mut().enumerate().take(accesses.len()) {
            let at: &[_] = &context[FIRST + WORDS * i..][..WORDS];
            *answer = match at[3].get() {
                1 => Answer::Done(at[2].get()),
                2 => Answer::Fault(at[4].get(), at[5].get()),
                3 => Answer::Exception(at[4].get()),
                _ => Answer::Nothing,
            };
        }
    }
}
