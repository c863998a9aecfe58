// SPDX-License-Identifier: GPL-2.0-or-later
//! Shadow page tables before a processor: an image without an operating system that runs scenarios with the port on
//! physical memory, and has the processor perform accesses in the tables that come of it.
//!
//! What the processor says must be what the rig's walker says, and what the steps return must be what they returned on
//! the original. The serial line tells it; QEMU's exit device ends it.
#![no_std]
#![no_main]

mod code;
mod counts;
mod cross;
mod follow;
mod frames;
mod host;
mod kernel;
mod machine;
mod machinery;
mod memory;
mod pack;
mod pick;
mod probe;
mod recorded;
mod scenario;

use core::cell::UnsafeCell;

use lguest_shadow::{NoPae, Pae};

use counts::{Counts, mode_name};
use host::{DATA_END, RealHost};
use machine::{Abilities, End};
use pick::Mapped;
use recorded::Room;

static HOST: RealHost = RealHost::new();
static MAPPED: Mapped = Mapped::new();

/// Called at the start, with what the loader left.
#[unsafe(no_mangle)]
extern "C" fn image_main(magic: u32, info: u32) -> ! {
    let abilities = Abilities::ask();
    say!(
        "bare: the MMU is {}; physical addresses of {} bits, no-execute {}",
        if abilities.emulated {
            "QEMU's, emulated"
        } else {
            "the processor's own"
        },
        abilities.width,
        abilities.nx
    );
    let items = machine::module(magic, info).and_then(pack::open);
    let (Some(items), true) = (items, abilities.pae) else {
        say!("broken: a pack of scenarios and a processor with PAE are needed");
        machine::exit(End::Broken)
    };
    if machine::memory_end(info) < u64::from(DATA_END) << 12 {
        say!(
            "broken: memory ends at {:#x}; expected {:#x}",
            machine::memory_end(info),
            u64::from(DATA_END) << 12
        );
        machine::exit(End::Broken)
    }
    HOST.turn_on();
    code::prepare();
    static ROOM: RoomCell = RoomCell(UnsafeCell::new(Room::new()));
    // SAFETY: this function runs once.
    let room = unsafe { &mut *ROOM.0.get() };
    let mut counts = [Counts::default(); 2];
    let due = items.left();
    for item in items {
        let counts = &mut counts[usize::from(item.pae)];
        let before = counts.accesses();
        let world = (&HOST, &MAPPED);
        let agrees = if item.pae {
            scenario::run::<Pae>(world, &item, abilities, room, counts)
        } else {
            scenario::run::<NoPae>(world, &item, abilities, room, counts)
        };
        say!(
            "{} {} {} {}",
            if agrees { "ok" } else { "failed" },
            mode_name(item.pae),
            item.name,
            counts.accesses() - before
        );
    }
    let [nopae, pae] = &counts;
    nopae.tell(false);
    pae.tell(true);
    if nopae.scenarios + pae.scenarios != due {
        say!("broken: the pack is cut short");
        machine::exit(End::Broken)
    }
    machine::exit(if nopae.differences + pae.differences == 0 {
        End::AllAgree
    } else {
        End::Differences
    })
}

/// Room for one scenario at a time.
struct RoomCell(UnsafeCell<Room>);

// SAFETY: one processor runs all of this.
unsafe impl Sync for RoomCell {}
