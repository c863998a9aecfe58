// SPDX-License-Identifier: GPL-2.0-or-later
//! One guest of the original: what it is made of, and its way through the
//! door.

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

/// A guest of the original, on a host `C`.
pub struct Original<'h, C: Callbacks> {
    world: NonNull<c::lg_world>,
    shared: &'h Shared,
    mode: PagingMode,
    // The world keeps pointers to these.
    _host: PhantomData<(&'h C, &'h Arena)>,
}

/// The two words that a call leaves behind.
pub(crate) type Answer = Result<[u32; 2], Crash>;

impl<'h, C: Callbacks> Original<'h, C> {
    /// A guest with nothing in it; [`reset`](Self::reset) comes next. `None`
    /// if this was built without the original.
    pub fn new(
        mode: PagingMode,
        host: &'h C,
        shared: &'h Shared,
        arena: &'h Arena,
    ) -> Option<Self> {
        door::entry(mode).map(|call| Self::entered_by(call, mode, host, shared, arena))
    }

    /// A guest of another compilation of the original: `call` is what the
    /// shim's `LG_CALL` names there. Planted bugs run so.
    ///
    /// # Safety
    /// `call` was compiled with this crate's shim, for this mode and with the
    /// flags of this build.
    #[doc(hidden)]
    pub unsafe fn with_call(
        call: unsafe extern "C" fn(*mut c_void),
        mode: PagingMode,
        host: &'h C,
        shared: &'h Shared,
        arena: &'h Arena,
    ) -> Self {
        // SAFETY: a function of a pointer, whatever that points to.
        let call =
            unsafe { std::mem::transmute::<unsafe extern "C" fn(*mut c_void), door::Call>(call) };
        Self::entered_by(call, mode, host, shared, arena)
    }

    fn entered_by(
        call: door::Call,
        mode: PagingMode,
        host: &'h C,
        shared: &'h Shared,
        arena: &'h Arena,
    ) -> Self {
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
        let original = Self {
            world,
            shared,
            mode,
            _host: PhantomData,
        };
        original.reset(Config::default());
        original
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
    pub(crate) fn enter(&self, entry: c::lg_entry, args: [u32; 5]) -> Answer {
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
        assert!(
            door.is_null(),
            "a callback called the original that called it"
        );
    }

    pub(crate) fn lg(&self) -> c::lguest {
        // SAFETY: the world is alive and the C is not running; a callback
        // that looks finds a consistent state, for the C waits for it.
        unsafe { (*self.world.as_ptr()).lg }
    }

    /// One of `lg().pgdirs`, without a copy of them all for an index that is
    /// not known before.
    #[inline]
    pub(crate) fn slot(&self, i: usize) -> c::pgdir {
        // SAFETY: as in `lg`.
        unsafe { (*self.world.as_ptr()).lg.pgdirs[i] }
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
    let pgdir = c::pgdir {
        gpgdir: 0,
        switcher_mapped: false,
        last_host_cpu: 0,
        pgdir: ptr::null_mut(),
    };
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
