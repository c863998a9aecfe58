// SPDX-License-Identifier: GPL-2.0-or-later
//! Shadow page tables of the lguest hypervisor: a port of the host's `page_tables.c` of Linux
//! v4.4 that behaves as the original does, down to the order of its kernel calls.
//!
//! A guest keeps page tables of its own. The processor never sees those: it walks tables that
//! are kept here, filled in lazily from the guest's and thrown away when the guest says that
//! something changed.
//!
//! The original tells its story in seven sections and tags its remarks with numbers. Each
//! section is a module here, told in the order of those tags, and each function has the name
//! it has there, so that one search for a name or a tag lands in both. "C n" in the docs
//! stands for line n of the original.
//!
//! | section | module | tags |
//! |---|---|---|
//! | addresses of entries, in shadow and guest tables | `walk` | H:320 |
//! | (i) a fault is looked up and repaired | `fault` | H:330, H:331, H:340, H:350 |
//! | (ii) the guest's kernel stack stays mapped | `stack` | H:360 |
//! | (iii) the guest tells of a changed entry | `update` | H:400, H:410, H:420 |
//! | (iv) the guest switches tables | `switch` | H:430, H:435 |
//! | (v) tables are thrown away | `flush` | H:440, H:445, H:450, H:460, H:470 |
//! | (vi) the Switcher is mapped before the guest runs | `switcher` | H:480, H:481 |
//! | (vii) the first tables, and the last | `setup` | H:500, H:501, H:508 |
//! | guest-virtual to guest-physical | `translate` | – |
//!
//! What the original reaches elsewhere in lguest is modelled in `memory` (guest memory),
//! `stack` (the stack's description) and `hypercalls` (dispatcher and ring).
//!
//! Three type parameters stand where the original had the kernel's configuration:
//!
//! * [`Mode`]: [`NoPae`] or [`Pae`], where `CONFIG_X86_PAE` was tested;
//! * [`Policy`]: [`Faithful`] repeats every defect, [`Hardened`] mends those named by [`Fix`];
//! * [`Host`]: everything the code asks of the kernel around it.
//!
//! Where the original would crash or corrupt its host, a [`HostBug`] comes back, in the same
//! place relative to the kernel calls. After one, the guest's state is half changed, as it
//! would be in the crashed kernel: only dropping it makes sense.
#![no_std]

mod addr;
mod bug;
mod entry;
mod fault;
mod flush;
mod guest;
mod host;
mod hypercalls;
mod kill;
mod memory;
mod mode;
mod policy;
mod setup;
mod stack;
mod switch;
mod switcher;
mod translate;
mod update;
mod walk;

pub use addr::{Gpa, Gva};
pub use bug::{BugKind, HostBug};
pub use entry::{
    ACCESSED, DIRTY, Entry, GLOBAL, PAGE_SHIFT, PAGE_SIZE, PAGE_TABLE, PCD, PRESENT, PSE, PWT, RW,
    USER,
};
pub use guest::{Config, Dead, LgCpu, Lguest, PGDIRS, Pgdir};
pub use host::Host;
pub use hypercalls::{Hypercall, lguest_data};
pub use kill::{Reason, Text};
pub use mode::{Mode, NoPae, Pae, Slot, Table};
pub use policy::{Faithful, Fix, Hardened, Mixed, Policy};
pub use setup::ENOMEM;
pub use stack::PIN_LIMIT;
