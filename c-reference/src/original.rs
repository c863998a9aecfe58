// SPDX-License-Identifier: GPL-2.0-or-later
//! One guest of the original: its functions by their names, each through the
//! door, and its state.

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::bindings as c;
use crate::{Arena, Callbacks, Crash, DATA_BASE, MAX_CPUS, Shared, callbacks, door};

/// Two-level or three-level paging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PagingMode {
    /// Two levels of 32-bit entries.
    NoPae,
    /// Three levels of 64-bit entries.
    Pae,
}

/// What a guest starts with; all else is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Guest pages.
    pub pfn_limit: u32,
    /// Guest pages and device pages.
    pub device_limit: u32,
    /// Launcher address of guest-physical 0.
    pub mem_base: u32,
    /// Physical address of the page of guest registers, a data frame.
    pub regs_page: u32,
}

/// One of the four shadows that a guest can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pgdir {
    /// Guest-physical address of the top level that it shadows.
    pub gpgdir: u32,
    /// Whether the original believes the Switcher mapped.
    pub switcher_mapped: bool,
    /// The host CPU that it last ran on, or -1.
    pub last_host_cpu: i32,
    /// Physical address of the shadow's top level; 0 if there is none.
    pub pgdir: u32,
}

/// A guest of the original, on a host `C`.
pub struct Original<'h, C: Callbacks> {
    world: NonNull<c::lg_world>,
    shared: &'h Shared,
    mode: PagingMode,
    // The world keeps pointers to these.
    _host: PhantomData<(&'h C, &'h Arena)>,
}

/// The two words that a call leaves behind.
type Answer = Result<[u32; 2], Crash>;

impl<'h, C: Callbacks> Original<'h, C> {
    /// A guest with nothing in it; [`reset`](Self::reset) comes next. `None`
    /// if this was built without the original.
    pub fn new(
        mode: PagingMode,
        host: &'h C,
        shared: &'h Shared,
        arena: &'h Arena,
    ) -> Option<Self> {
        let call = door::entry(mode)?;
        door::install();
        // Frame numbers in the guise of pointers.
        let switcher_page = |i: usize| ptr::without_provenance_mut(DATA_BASE as usize + 1 + i);
        let world = Box::new(c::lg_world {
            lg: empty(),
            shared: ptr::from_ref(shared).cast_mut().cast(),
            arena: arena.base().expose_provenance() as u64,
            callbacks: callbacks::table::<C>(),
            context: ptr::from_ref(host).cast::<c_void>(),
            call: Some(call),
            table_frames: arena.frames(),
            cpu: 0,
            nr_cpus: 0,
            entry: 0,
            args: [0; 5],
            result: [0; 2],
            inside: 0,
            crash: 0,
            door: ptr::null_mut(),
            outer: ptr::null_mut(),
            switcher_pages: std::array::from_fn(switcher_page),
        });
        let world = NonNull::from(Box::leak(world));
        let original = Self { world, shared, mode, _host: PhantomData };
        original.reset(Config::default());
        Some(original)
    }

    /// Its paging mode.
    pub fn mode(&self) -> PagingMode {
        self.mode
    }

    /// Forgets the guest and starts another; frees no table, allocates
    /// nothing.
    pub fn reset(&self, config: Config) {
        self.assert_outside();
        let world = self.world.as_ptr();
        let mut lg = empty();
        lg.pfn_limit = config.pfn_limit;
        lg.device_limit = config.device_limit;
        lg.mem_base = ptr::without_provenance_mut(config.mem_base as usize);
        lg.cpus[0].regs_page = config.regs_page;
        // SAFETY: the world is this guest's own, and no C is running in it.
        unsafe {
            (*world).lg = lg;
            (*world).lg.cpus[0].lg = &raw mut (*world).lg;
        }
    }

    /// Through the door.
    #[inline]
    fn enter(&self, entry: c::lg_entry, args: [u32; 5]) -> Answer {
        self.assert_outside();
        let (cpu, nr_cpus) = (self.shared.cpu.get(), self.shared.nr_cpus.get());
        assert!(
            cpu < nr_cpus && nr_cpus <= MAX_CPUS,
            "CPU {cpu} of {nr_cpus}: expected one of at most {MAX_CPUS}"
        );
        let world = self.world.as_ptr();
        // SAFETY: `new` completed the world, nothing runs in it, and what it
        // points to is borrowed for longer than this. The original reaches
        // memory through the arena (where it may do as it likes, for others
        // see it as cells), the world, the shared cells and its own stack.
        let packed = unsafe {
            (*world).entry = entry;
            (*world).args = args;
            (*world).cpu = cpu;
            (*world).nr_cpus = nr_cpus;
            door::enter(world)
        };
        Crash::unpack(packed)?;
        // SAFETY: the C has returned.
        Ok(unsafe { (*world).result })
    }

    #[inline]
    fn assert_outside(&self) {
        // SAFETY: the world is alive; the C may have written it, and is not
        // running now, or is waiting for a callback's answer.
        let door = unsafe { (*self.world.as_ptr()).door };
        assert!(door.is_null(), "a callback called the original that called it");
    }

    fn lg(&self) -> c::lguest {
        // SAFETY: the world is alive and the C is not running; a callback
        // that looks finds a consistent state, for the C waits for it.
        unsafe { (*self.world.as_ptr()).lg }
    }
}

/// The functions of the original. All of them may end in a [`Crash`]; after
/// that the guest is whatever it was then, and only [`reset`](Self::reset)
/// makes sense of it.
#[allow(clippy::missing_errors_doc)] // said above, once
impl<C: Callbacks> Original<'_, C> {
    /// 0, or a negative errno.
    pub fn init_guest_pagetable(&self) -> Result<i32, Crash> {
        self.enter(c::LG_ENTRY_INIT_GUEST_PAGETABLE, [0; 5]).map(|[r, _]| r as i32)
    }

    /// Takes back every table.
    pub fn free_guest_pagetable(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_FREE_GUEST_PAGETABLE, [0; 5]).map(drop)
    }

    /// Whether the fault is fixed, and what became of the I/O address, which
    /// was 0xdeadbeef before.
    pub fn demand_page(&self, vaddr: u32, errcode: u32) -> Result<(bool, u32), Crash> {
        let answer = self.enter(c::LG_ENTRY_DEMAND_PAGE, [vaddr, errcode, 0, 0, 0]);
        answer.map(|[fixed, iomem]| (fixed != 0, iomem))
    }

    /// Makes a stack page present and writable, or kills.
    pub fn pin_page(&self, vaddr: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_PIN_PAGE, [vaddr, 0, 0, 0, 0]).map(drop)
    }

    /// On the CPU that `Shared::cpu` names.
    pub fn map_switcher_in_guest(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_MAP_SWITCHER_IN_GUEST, [0; 5]).map(drop)
    }

    /// Guest-physical address, or a killed guest and 0xffffffff.
    pub fn guest_pa(&self, vaddr: u32) -> Result<u32, Crash> {
        self.enter(c::LG_ENTRY_GUEST_PA, [vaddr, 0, 0, 0, 0]).map(|[pa, _]| pa)
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
        self.enter(c::LG_ENTRY_GUEST_SET_PGD, [gpgdir, idx, 0, 0, 0]).map(drop)
    }

    /// Does not exist without PAE, and does nothing there.
    pub fn guest_set_pmd(&self, pmdp: u32, idx: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_SET_PMD, [pmdp, idx, 0, 0, 0]).map(drop)
    }

    /// Switches to the shadow of another top level.
    pub fn guest_new_pagetable(&self, pgtable: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_NEW_PAGETABLE, [pgtable, 0, 0, 0, 0]).map(drop)
    }

    /// Drops the current shadow's user half.
    pub fn guest_pagetable_flush_user(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_PAGETABLE_FLUSH_USER, [0; 5]).map(drop)
    }

    /// Drops everything, then pins the stack and maps the Switcher.
    pub fn guest_pagetable_clear_all(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_PAGETABLE_CLEAR_ALL, [0; 5]).map(drop)
    }

    /// Reads and writes the guest's `lguest_data`.
    pub fn page_table_guest_data_init(&self) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_PAGE_TABLE_GUEST_DATA_INIT, [0; 5]).map(drop)
    }

    /// Records a kernel stack and pins it.
    pub fn guest_set_stack(&self, seg: u32, esp: u32, pages: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_GUEST_SET_STACK, [seg, esp, pages, 0, 0]).map(drop)
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
        self.enter(c::LG_ENTRY_LGREAD, [addr, 0, 0, 0, 0]).map(|[value, _]| value)
    }

    /// Writes a word of guest memory; a killed guest if it cannot.
    pub fn lgwrite(&self, addr: u32, value: u32) -> Result<(), Crash> {
        self.enter(c::LG_ENTRY_LGWRITE, [addr, value, 0, 0, 0]).map(drop)
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

/// The guest's state.
impl<C: Callbacks> Original<'_, C> {
    /// Index of the current shadow, 0 to 3.
    pub fn cpu_pgd(&self) -> u32 {
        self.lg().cpus[0].cpu_pgd as u32
    }

    /// Whether the guest still runs without page tables of its own.
    pub fn linear_pages(&self) -> bool {
        self.lg().cpus[0].linear_pages
    }

    /// Guest-virtual address from which mappings are the kernel's.
    pub fn kernel_address(&self) -> u32 {
        self.lg().kernel_address
    }

    /// What the guest said of its noirq_iret.
    pub fn noirq_iret(&self) -> u32 {
        self.lg().noirq_iret
    }

    /// Kernel stack pointer.
    pub fn esp1(&self) -> u32 {
        self.lg().cpus[0].esp1
    }

    /// Kernel stack segment.
    pub fn ss1(&self) -> u32 {
        self.lg().cpus[0].ss1
    }

    /// Pages of the kernel stack, as the guest counts them.
    pub fn stack_pages(&self) -> u32 {
        self.lg().stack_pages
    }

    /// Launcher address of the guest's `lguest_data`; 0 before it is known.
    pub fn lguest_data(&self) -> u32 {
        self.lg().lguest_data.addr() as u32
    }

    /// Cursor into the ring of asynchronous hypercalls, 0 to 63.
    pub fn next_hcall(&self) -> u32 {
        self.lg().cpus[0].next_hcall
    }

    /// 0 if alive, 1 if killed with a text (the host has it), else -errno.
    pub fn dead(&self) -> i32 {
        self.lg().dead
    }

    /// One of the four shadows; `i` is 0 to 3.
    pub fn pgdir(&self, i: usize) -> Pgdir {
        let pgdir = self.lg().pgdirs[i];
        Pgdir {
            gpgdir: pgdir.gpgdir,
            switcher_mapped: pgdir.switcher_mapped,
            last_host_cpu: pgdir.last_host_cpu,
            // The arena is aligned so that the low half is the address in it.
            pgdir: pgdir.pgdir.addr() as u32,
        }
    }

    /// References that the original holds, by data frame.
    pub fn held(&self) -> &[Cell<i32>] {
        self.shared.held()
    }
}

impl<C: Callbacks> Drop for Original<'_, C> {
    fn drop(&mut self) {
        // SAFETY: `new` leaked this box; the C has no pointer to it but while
        // it runs, which it does not, for running borrows this guest.
        drop(unsafe { Box::from_raw(self.world.as_ptr()) });
    }
}

/// A guest of zeros.
fn empty() -> c::lguest {
    let cpu = c::lg_cpu {
        lg: ptr::null_mut(),
        regs_page: 0,
        linear_pages: false,
        cpu_pgd: 0,
        esp1: 0,
        ss1: 0,
        next_hcall: 0,
    };
    let pgdir =
        c::pgdir { gpgdir: 0, switcher_mapped: false, last_host_cpu: 0, pgdir: ptr::null_mut() };
    c::lguest {
        lguest_data: ptr::null_mut(),
        mem_base: ptr::null_mut(),
        cpus: [cpu],
        pfn_limit: 0,
        device_limit: 0,
        kernel_address: 0,
        noirq_iret: 0,
        stack_pages: 0,
        dead: 0,
        pgdirs: [pgdir; c::LG_PGDIRS as usize],
    }
}
