// SPDX-License-Identifier: GPL-2.0-or-later
//! A guest kernel as Linux behaves under lguest: what it knows of itself, and which act it does next.
//!
//! It keeps its own books: free pages, processes, what each of their pages is. What it writes to its tables and
//! what it tells the host follow from them, in the order in which Linux does both.

mod birth;
mod faults;
mod kernel;
mod memory;
mod process;
mod unmap;

use lguest_engine::{Runner, Side};

use super::context::Context;
use super::rng::{Rng, Wheel};
use memory::Pages;

/// Most processes.
const PROCESSES: usize = 11;
/// Areas of a process: text, heap and stack, say.
const REGIONS: usize = 3;
/// Pages of an area.
const WINDOW: usize = 16;
/// Pages for `vmalloc` and I/O memory.
const VMALLOC: usize = 16;

/// What a page of a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Kind {
    #[default]
    None,
    /// Writable.
    Own,
    /// To be copied on the next write.
    Copied,
    /// Read-only.
    File,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mapped {
    page: u16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default)]
struct Region {
    /// Page of the lowest-level table, or 0.
    table: u16,
    /// A bit for each page that is something.
    there: u16,
    pages: [Mapped; WINDOW],
}

impl Region {
    /// From now on, page `i` is this.
    fn put(&mut self, i: usize, mapped: Mapped) {
        self.pages[i] = mapped;
        let bit = 1 << i;
        if mapped.kind == Kind::None {
            self.there &= !bit;
        } else {
            self.there |= bit;
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Process {
    live: bool,
    /// Guest-physical address of its page directory.
    pgd: u32,
    /// Page of the middle-level table for each top-level entry, or 0; PAE alone.
    middles: [u16; 4],
    regions: [Region; REGIONS],
}

/// What the kernel may do next, with its usual weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Act {
    #[default]
    Touch,
    NewPage,
    CopyOnWrite,
    FilePage,
    Fork,
    Exit,
    Switch,
    Unmap,
    UnmapRegion,
    Protect,
    KernelTouch,
    Vmalloc,
    IoMemory,
    GuestPa,
    Misc,
    Async,
    Move,
    Flush,
    HostEvent,
    OutOfMemory,
    Spurious,
    Age,
}

const ACTS: [(Act, u16); 22] = [
    (Act::Touch, 60),
    (Act::NewPage, 36),
    (Act::CopyOnWrite, 24),
    (Act::FilePage, 16),
    (Act::Fork, 5),
    (Act::Exit, 4),
    (Act::Switch, 14),
    (Act::Unmap, 12),
    (Act::UnmapRegion, 2),
    (Act::Protect, 6),
    (Act::KernelTouch, 30),
    (Act::Vmalloc, 5),
    (Act::IoMemory, 5),
    (Act::GuestPa, 24),
    (Act::Misc, 6),
    (Act::Async, 6),
    (Act::Move, 6),
    (Act::Flush, 3),
    (Act::HostEvent, 2),
    (Act::OutOfMemory, 1),
    (Act::Spurious, 10),
    (Act::Age, 8),
];

/// The modelled guest kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    /// Its first address; guest page n is mapped at `base + n * 4096`.
    pub base: u32,
    /// Guest-physical address of its `lguest_data`.
    pub data: u32,
    /// Guest-physical address of its own page directory.
    pub swapper: u32,
    vmalloc: u32,
    /// Pages mapped from `base` on.
    mapped: u32,
    text: u32,
    first_stack: u32,
    stacks: u32,
    stack_pages: u32,
    segment: u32,
    /// Flags of its entries.
    flags: u64,
    /// Part of the entry writes are `map` steps.
    maps: bool,
    /// First page not in use yet, while it starts.
    next_page: u32,
    /// Top-level entries of the kernel half: index and value.
    top: Vec<(u32, u64)>,
    /// Its middle and lowest-level tables: address bits and page.
    middles: Vec<(u32, u16)>,
    tables: Vec<(u32, u16)>,
    vmapped: [u16; VMALLOC],
    regions: [u32; REGIONS],
    region_count: usize,
    memory: Pages,
    processes: [Process; PROCESSES],
    /// The process that runs, none while the kernel's own tables are in use.
    current: Option<usize>,
    acts: Wheel,
    /// The act after this one, drawn before its time: the processor cannot foresee where an act leads, and would wait
    /// for the draw.
    next: Act,
}

impl Kernel {
    /// Each scenario has its own mix of acts; without processes and switches there is little to see.
    fn draw_weights(&mut self, rng: &mut Rng) {
        let mut weights = [0; ACTS.len()];
        for (weight, (act, usual)) in weights.iter_mut().zip(ACTS) {
            let factor = rng.pick(&[0, 1, 2, 2, 3, 6]);
            let factor = match act {
                Act::Touch | Act::NewPage | Act::CopyOnWrite | Act::Fork | Act::Switch => {
                    factor.max(1)
                }
                _ => factor,
            };
            *weight = usual * factor;
        }
        self.acts = Wheel::new(&weights);
        self.next = self.draw_act(rng);
    }

    fn draw_act(&self, rng: &mut Rng) -> Act {
        ACTS[self.acts.spin(rng)].0
    }

    /// Says the steps of one act.
    pub fn act<S: Side>(&mut self, ctx: &mut Context, world: &Runner<S>) {
        let drawn = self.next;
        self.next = self.draw_act(&mut ctx.rng);
        let act = match self.current {
            // A kernel without a process has to make one before anything else is of interest.
            None if ctx.rng.one_in(2) => {
                if self.live() == 0 {
                    Act::Fork
                } else {
                    Act::Switch
                }
            }
            _ => drawn,
        };
        match act {
            Act::Touch => self.touch(ctx),
            Act::NewPage => self.new_page(ctx),
            Act::CopyOnWrite => self.copy_on_write(ctx),
            Act::FilePage => self.file_page(ctx),
            Act::Fork => self.fork(ctx),
            Act::Exit => self.exit(ctx),
            Act::Switch => self.switch(ctx),
            Act::Unmap => self.unmap(ctx),
            Act::UnmapRegion => self.unmap_region(ctx),
            Act::Protect => self.protect(ctx),
            Act::KernelTouch => self.kernel_touch(ctx),
            Act::Vmalloc => self.vmalloc(ctx),
            Act::IoMemory => self.io_memory(ctx),
            Act::GuestPa => self.look_up(ctx),
            Act::Misc => self.misc(ctx),
            Act::Async => self.asynchronous(ctx),
            Act::Move => ctx.run(),
            Act::Flush => self.flush(ctx),
            Act::HostEvent => self.host_event(ctx),
            Act::OutOfMemory => self.out_of_memory(ctx, world),
            Act::Spurious => self.spurious(ctx),
            Act::Age => self.age(ctx),
        }
    }

    /// The next act looks at the world.
    pub fn looks_next(&self) -> bool {
        self.next == Act::OutOfMemory
    }

    fn live(&self) -> usize {
        self.processes.iter().filter(|process| process.live).count()
    }

    /// The page directory in use.
    fn pgd(&self) -> u32 {
        self.current.map_or(self.swapper, |p| self.processes[p].pgd)
    }

    /// Top of the kernel stack of a process, or of the kernel's own.
    fn stack_top(&self, process: Option<usize>) -> u32 {
        let n = process.map_or(0, |p| p as u32 + 1);
        let page = self.first_stack + (n + 1) * self.stack_pages;
        self.base.wrapping_add(page << 12).wrapping_sub(8)
    }

    /// Address of page `i` of a region.
    fn vaddr(&self, region: usize, i: usize) -> u32 {
        self.regions[region].wrapping_add((i as u32) << 12)
    }

    /// Places that matter, for hostile steps among the kernel's own.
    pub fn places(&self, gpgdirs: &mut Vec<u32>, vaddrs: &mut Vec<u32>) {
        gpgdirs.push(self.swapper);
        gpgdirs.extend(
            self.processes
                .iter()
                .filter(|process| process.live)
                .map(|process| process.pgd),
        );
        vaddrs.extend([
            self.base,
            self.base.wrapping_add(self.data),
            self.vmalloc,
            self.stack_top(self.current),
        ]);
        vaddrs.extend((0..WINDOW).step_by(3).map(|i| self.vaddr(0, i)));
        vaddrs.extend(self.regions);
    }
}
