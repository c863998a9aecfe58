// SPDX-License-Identifier: GPL-2.0-or-later
//! What a side is: one implementation of the shadow page tables on one host, and what the rig may ask of both.

use core::cell::Cell;

use lguest_shadow::HostBug;

use crate::{Event, Machine, PageRecord, Step};

/// The 4 KiB of one frame, as the words that the processor sees.
pub type FrameWords = [Cell<u32>; 1024];

/// Words of a frame that are told apart when it is written: a cache line, one bit of 64.
pub const BLOCK_WORDS: usize = 16;

/// What a frame is, under a name that means the same on every host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameName {
    /// A page that the shadow code allocated and has not freed.
    Table,
    /// The frame that guest page `page` is on, or was on before `old` copies of it were made.
    Guest {
        /// The lowest guest page on this frame, or the page that it belonged to.
        page: u32,
        /// 0 for the frame in use, else the number of copies that came after it.
        old: u32,
        /// More than one guest page is on it.
        shared: bool,
    },
    /// Page `n` of the Switcher: 0 is its text, then two for each host CPU.
    Switcher(u32),
    /// The page of the guest's registers.
    Regs,
    /// No frame that the shadow code was ever given.
    Foreign(u32),
}

/// The host under a side: guest memory, host events and what can be seen of frames and references.
///
/// Nothing here is a kernel call of the code under test; those are `lguest_shadow::Host`.
pub trait Machinery {
    /// Whether any two such hosts number their frames alike, so that numbers compare as they are. A host whose frames
    /// are a real kernel's says no, and is compared by [`Machinery::canonical`]; its data frames are then listed
    /// (`data_frames`, `all_held`, `dirty`) by canonical number, and `name`, `data` and `held` take either.
    const ALIKE: bool = true;
    /// A number for a frame that is the same on both hosts where the frame is; the number itself for a strange frame.
    fn canonical(&self, pfn: u32) -> u32 {
        pfn
    }
    /// The step about to run: its failures, draws and `during` event; counts of calls start at none.
    fn begin_step(&self, step: &Step);
    /// Running hash of the kernel calls and recorded stores since the reset.
    fn trail(&self) -> u64;
    /// Kernel calls of this step so far.
    fn calls(&self) -> u32;
    /// The host CPU that runs the guest.
    fn cpu(&self) -> u32;
    /// The host CPU that runs the guest from now on.
    fn set_cpu(&self, cpu: u32);
    /// Reads guest-physical memory as the launcher sees it; false if a page of it is not there.
    fn guest_read(&self, gpa: u32, to: &mut [u8]) -> bool;
    /// Writes guest-physical memory through the launcher's mapping; false if that is not allowed.
    fn guest_write(&self, gpa: u32, from: &[u8]) -> bool;
    /// A host event or device write.
    fn happen(&self, event: Event);
    /// The words of a table frame, live or freed; nothing for any other frame.
    fn table(&self, pfn: u32) -> Option<&FrameWords>;
    /// A word of a data frame.
    fn load(&self, pfn: u32, word: usize) -> Option<u32>;
    /// Stores a word to a data frame; false if there is none.
    fn store(&self, pfn: u32, word: usize, value: u32) -> bool;
    /// The words of a data frame that was written since the reset; nothing if it is all zero.
    fn data(&self, pfn: u32) -> Option<&FrameWords>;
    /// The name of a frame.
    fn name(&self, pfn: u32) -> FrameName;
    /// The frame that a guest page is on, if it is mapped.
    fn frame_of(&self, page: u32) -> Option<u32>;
    /// Number of the first data frame and one more than the last.
    ///
    /// They are counted in an order that is the same on every host, and that observations follow: the page of the
    /// registers, the Switcher's pages, the frames behind the guest's pages at the start, the copies in the order in
    /// which they were made. A host whose frames lie elsewhere takes numbers for this that no frame of its own has.
    fn data_frames(&self) -> (u32, u32);
    /// References that the shadow code holds on a data frame.
    fn held(&self, pfn: u32) -> i32;
    /// The same for all data frames, in order.
    fn all_held(&self) -> &[Cell<i32>];
    /// Table frames that the shadow code holds.
    fn tables_held(&self) -> u32;
    /// A table frame that was written to while it was free, found when it was handed out again.
    fn corrupted(&self) -> Option<u32>;
    /// What was written since `settle_dirty`, in pieces: the frame of the `i`-th, and a bit for each of its blocks of
    /// [`BLOCK_WORDS`] that is in this piece. Every block written is in one; a frame may be in several.
    fn dirty(&self, i: usize) -> Option<(u32, u64)>;
    /// Forgets the list that `dirty` gives.
    fn settle_dirty(&self);
    /// The `i`-th entry (by its physical address) whose table was freed in this step; the port's host knows.
    fn emptied(&self, i: usize) -> Option<u32>;
    /// More tables were freed in this step than `emptied` can tell. A host that is not [`Machinery::ALIKE`] tells none,
    /// and says yes when any was freed.
    fn emptied_overflow(&self) -> bool;
    /// The kill message, if one was made since the reset.
    fn message(&self, to: &mut dyn FnMut(&[u8]));
    /// References that were taken for an entry which was then stored as absent, so that nothing puts them back
    /// (C lines 957-963, finding C23); the port's host sees it, and one under the original that is watched.
    fn orphaned(&self) -> i64;
    /// Random numbers drawn since the reset.
    fn draws(&self) -> u32;
}

/// One of the four shadows that a guest has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SlotState {
    /// Guest-physical address of the page directory that it shadows.
    pub gpgdir: u32,
    /// Physical address of the shadow's top level; 0 if it was never allocated.
    pub pgdir: u32,
    /// The host CPU whose Switcher pages are mapped in it; -1 for unknown.
    pub last_host_cpu: i32,
    /// The Switcher's tables are there.
    pub switcher_mapped: bool,
}

/// Everything that the shadow code keeps outside of tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// The four shadows.
    pub slots: [SlotState; 4],
    /// Index of the shadow in use.
    pub cpu_pgd: u32,
    /// The guest has no page tables of its own yet.
    pub linear_pages: bool,
    /// Addresses from here on are the guest kernel's.
    pub kernel_address: u32,
    /// Launcher address of `struct lguest_data`; 0 before LGUEST_INIT.
    pub lguest_data: u32,
    /// Stack segment.
    pub ss1: u32,
    /// Stack pointer.
    pub esp1: u32,
    /// Stack pages to keep mapped.
    pub stack_pages: u32,
    /// Cursor in the ring of asynchronous calls, 0 to 63.
    pub next_hcall: u32,
    /// 0 alive, 1 killed with a message, negative an errno.
    pub dead: i32,
}

impl State {
    /// Whether anything differs, told without a branch for each field: this runs after every step.
    #[inline(always)]
    pub fn differs(&self, other: &State) -> bool {
        // Fields that lie side by side where both sides keep them, in one look.
        let two = |a: u32, b: u32| u64::from(a) | u64::from(b) << 32;
        let mut sum = two(self.cpu_pgd, self.esp1) ^ two(other.cpu_pgd, other.esp1);
        sum |= two(self.ss1, self.next_hcall) ^ two(other.ss1, other.next_hcall);
        for (a, b) in self.slots.iter().zip(&other.slots) {
            sum |= u64::from((a.gpgdir ^ b.gpgdir) | (a.pgdir ^ b.pgdir));
            sum |= u64::from((a.last_host_cpu ^ b.last_host_cpu) as u32);
            sum |= u64::from(a.switcher_mapped) ^ u64::from(b.switcher_mapped);
        }
        sum |= u64::from(self.kernel_address ^ other.kernel_address);
        sum |= u64::from(self.lguest_data ^ other.lguest_data);
        sum |= u64::from(self.stack_pages ^ other.stack_pages);
        sum |= u64::from((self.dead ^ other.dead) as u32);
        sum |= u64::from(self.linear_pages) ^ u64::from(other.linear_pages);
        sum != 0
    }
}

/// What `demand_page` said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Demand {
    /// The page is mapped now.
    pub fixed: bool,
    /// Guest-physical address of I/O memory, 0 if it is none.
    pub iomem: u32,
}

/// One implementation of the shadow page tables, on a host of its own.
pub trait Side {
    /// Its host.
    type Host: Machinery;
    /// The host.
    fn host(&self) -> &Self::Host;
    /// Three-level paging.
    fn pae(&self) -> bool;
    /// Puts side and host to the state before `init_guest_pagetable`.
    fn reset(&mut self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>);
    /// `init_guest_pagetable` (C lines 1073–1093): 0 or a negative errno.
    fn init_guest_pagetable(&mut self) -> Result<i32, HostBug>;
    /// One hypercall with its number and arguments, the ring before it.
    fn do_hypercalls(&mut self, args: &[u32; 5]) -> Result<(), HostBug>;
    /// `demand_page` (C lines 393–538).
    fn demand_page(&mut self, vaddr: u32, errcode: u32) -> Result<Demand, HostBug>;
    /// `map_switcher_in_guest` (C lines 1167–1226).
    fn map_switcher_in_guest(&mut self) -> Result<(), HostBug>;
    /// `guest_pa` (C lines 719–726).
    fn guest_pa(&mut self, vaddr: u32) -> Result<u32, HostBug>;
    /// `__guest_pa` (C lines 676–713): whether something is mapped there, and where.
    fn try_guest_pa(&mut self, vaddr: u32) -> Result<(bool, u32), HostBug>;
    /// `free_guest_pagetable` (C lines 1128–1137).
    fn free_guest_pagetable(&mut self) -> Result<(), HostBug>;
    /// What it keeps outside of tables.
    fn state(&self) -> State;
    /// `State::slots[i]` alone; `i` is 0 to 3.
    fn slot(&self, i: usize) -> SlotState {
        self.state().slots[i & 3]
    }
    /// Stack pages pinned by the last hypercall.
    fn pins(&self) -> u32;
    /// `State::dead` alone.
    fn dead(&self) -> i32;
    /// `State::lguest_data` alone.
    fn lguest_data(&self) -> u32;
    /// Physical address of the top level in use.
    fn current_root(&self) -> u32;
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn a_state_differs_in_each_of_its_fields() {
        let changes: [fn(&mut State); 13] = [
            |state| state.slots[0].gpgdir = 1,
            |state| state.slots[1].pgdir = 1,
            |state| state.slots[2].last_host_cpu = -1,
            |state| state.slots[3].switcher_mapped = true,
            |state| state.cpu_pgd = 1,
            |state| state.linear_pages = true,
            |state| state.kernel_address = 1,
            |state| state.lguest_data = 1,
            |state| state.ss1 = 1,
            |state| state.esp1 = 1,
            |state| state.stack_pages = 1,
            |state| state.next_hcall = 1,
            |state| state.dead = -1,
        ];
        let is = State::default();
        assert!(!is.differs(&is));
        for (i, change) in changes.iter().enumerate() {
            let mut other = is;
            change(&mut other);
            assert!(is.differs(&other) && other.differs(&is), "change {i}");
        }
    }
}
