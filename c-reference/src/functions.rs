// SPDX-License-Identifier: GPL-2.0-or-later
//! The functions of the original and of its neighbours, by their names.

use crate::bindings as c;
use crate::{Callbacks, Crash, Original};

/// The functions of the original. All of them may end in a [`Crash`]; after
/// that the guest is whatever it was then, and only [`reset`](Self::reset)
/// makes sense of it.
#[allow(clippy::missing_errors_doc)] // said above, once
impl<C: Callbacks> Original<'_, C> {
    /// 0, or a negative errno.
    pub fn init_guest_pagetable(&self) -> Result<i32, Crash> {
        self.enter(c::LG_ENTRY_INIT_GUEST_PAGETABLE, [0; 5])
            .map(|[r, _]| r as i32)
    }

    /// Takes back every table.
    pub fn free_guest_pagetable(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_FREE_GUEST_PAGETABLE, [0; 5])
            .map(drop)
    }

    /// Whether the fault is fixed, and what became of the I/O address, which
    /// was 0xdeadbeef before.
    pub fn demand_page(&self, vaddr: u32, errcode: u32) -> Result<(bool, u32), Crash> {
        let answer = self.enter(c::LG_ENTRY_DEMAND_PAGE, [vaddr, errcode, 0, 0, 0]);
        answer.map(|[fixed, iomem]| (fixed != 0, iomem))
    }

    /// Makes a stack page present and writable, or kills.
    pub fn pin_page(&self, vaddr: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_PIN_PAGE, [vaddr, 0, 0, 0, 0])
            .map(drop)
    }

    /// On the CPU that `Shared::cpu` names.
    pub fn map_switcher_in_guest(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_MAP_SWITCHER_IN_GUEST, [0; 5])
            .map(drop)
    }

    /// Guest-physical address, or a killed guest and 0xffffffff.
    pub fn guest_pa(&self, vaddr: u32) -> Result<u32, Crash> {
        self.enter(c::LG_ENTRY_GUEST_PA, [vaddr, 0, 0, 0, 0])
            .map(|[pa, _]| pa)
    }

    /// `__guest_pa`: whether there is one, and the out-parameter, which was
    /// 0xdeadbeef before.
    pub fn try_guest_pa(&self, vaddr: u32) -> Result<(bool, u32), Crash> {
        let answer = self.enter(c::LG_ENTRY_TRY_GUEST_PA, [vaddr, 0, 0, 0, 0]);
        answer.map(|[found, pa]| (found != 0, pa))
    }

    /// Only the low half of `pte` is looked at without PAE.
    pub fn guest_set_pte(&self, gpgdir: u32, vaddr: u32, pte: u64) -> Result<(), Crash> {
        let args = [gpgdir, vaddr, pte as u32, (pte >> 32) as u32, 0];
        self.enter(c::LG_ENTRY_GUEST_SET_PTE, args).map(drop)
    }

    /// Drops what entry `idx` of a top level leads to.
    pub fn guest_set_pgd(&self, gpgdir: u32, idx: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_SET_PGD, [gpgdir, idx, 0, 0, 0])
            .map(drop)
    }

    /// Does not exist without PAE, and does nothing there.
    pub fn guest_set_pmd(&self, pmdp: u32, idx: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_SET_PMD, [pmdp, idx, 0, 0, 0])
            .map(drop)
    }

    /// Switches to the shadow of another top level.
    pub fn guest_new_pagetable(&self, pgtable: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_NEW_PAGETABLE, [pgtable, 0, 0, 0, 0])
            .map(drop)
    }

    /// Drops the current shadow's user half.
    pub fn guest_pagetable_flush_user(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_PAGETABLE_FLUSH_USER, [0; 5])
            .map(drop)
    }

    /// Drops everything, then pins the stack and maps the Switcher.
    pub fn guest_pagetable_clear_all(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_PAGETABLE_CLEAR_ALL, [0; 5])
            .map(drop)
    }

    /// Reads and writes the guest's `lguest_data`.
    pub fn page_table_guest_data_init(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_PAGE_TABLE_GUEST_DATA_INIT, [0; 5])
            .map(drop)
    }

    /// Records a kernel stack and pins it.
    pub fn guest_set_stack(&self, seg: u32, esp: u32, pages: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_SET_STACK, [seg, esp, pages, 0, 0])
            .map(drop)
    }

    /// Pins the recorded kernel stack.
    pub fn pin_stack_pages(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_PIN_STACK_PAGES, [0; 5]).map(drop)
    }

    /// A hypercall as the guest makes it: number and four arguments.
    pub fn do_hypercalls(&self, args: &[u32; 5]) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_DO_HYPERCALLS, *args).map(drop)
    }

    /// Runs the ring of asynchronous hypercalls.
    pub fn do_async_hcalls(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_DO_ASYNC_HCALLS, [0; 5]).map(drop)
    }

    /// One hypercall alone, ring and first call left aside.
    pub fn do_hcall(&self, args: &[u32; 5]) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_DO_HCALL, *args).map(drop)
    }

    /// The first hypercall.
    pub fn initialize(&self, args: &[u32; 5]) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_INITIALIZE, *args).map(drop)
    }

    /// Reads a word of guest memory; 0 and a killed guest if it cannot.
    pub fn lgread(&self, addr: u32) -> Result<u32, Crash> {
        self.enter(c::LG_ENTRY_LGREAD, [addr, 0, 0, 0, 0])
            .map(|[value, _]| value)
    }

    /// Writes a word of guest memory; a killed guest if it cannot.
    pub fn lgwrite(&self, addr: u32, value: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_LGWRITE, [addr, value, 0, 0, 0])
            .map(drop)
    }

    /// Kills with a text that has every conversion in it, for a test.
    #[doc(hidden)]
    pub fn kill_with_every_format(&self, args: [u32; 4]) -> Result<(), Crash> {
        let [a, b, c, d] = args;
        self.enter(c::LG_ENTRY_FORMAT, [a, b, c, d, 0]).map(drop)
    }

    /// The door and nothing behind it, for a bench.
    #[doc(hidden)]
    pub fn nothing(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_NOTHING, [0; 5]).map(drop)
    }
}
