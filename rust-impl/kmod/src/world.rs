// SPDX-License-Identifier: GPL-2.0-or-later
//! What an open file holds: a guest on its host, beside it in the paired build the same guest of the original's, and
//! how far their scenario is.

use core::fmt::Write;
use core::mem::MaybeUninit;

use lguest_engine::cpu::{A, D, NX, P, Processor, Request, chain, walk};
use lguest_engine::digest::Fnv;
use lguest_engine::observe::{Visited, observe};
use lguest_engine::scenario::Scenario;
use lguest_engine::scenario::binary::{HEADER_LEN, MACHINE_LEN, PAGE_LEN, STEP_LEN};
#[cfg(pair)]
use lguest_engine::{Care, Difference, Pair};
use lguest_engine::{MAX_STEPS, Outcome, PagingMode as Mode, PortSide, Runner, Side, Step, Verb};
use lguest_shadow::Mixed;

use crate::PagingMode;
use crate::glue::{self, Guest};
use crate::host::KernelHost;
use crate::lines::Lines;
#[cfg(pair)]
use crate::original::OriginalSide;
use crate::text::Window;

/// Bytes that stay in front of the buffer: header and machine, so that steps alone can be read strictly.
pub const HEAD: usize = HEADER_LEN + MACHINE_LEN;

/// An access that the processor made, as the glue tells it: none yet, one that reached memory, or else a fault.
const LOOK: u32 = 0;
const REACHED: u32 = 1;
/// The processor and the walker do not say the same.
const DIFFERS: u32 = 0xffff_fffe;

const EINTR: i32 = -4;
const EINVAL: i32 = -22;
const EFBIG: i32 = -27;
const EOPNOTSUPP: i32 = -95;
#[cfg(pair)]
const EUCLEAN: i32 = -117;

type Port = PortSide<'static, PagingMode, Mixed, KernelHost>;
#[cfg(pair)]
type Sides = Pair<OriginalSide, Port>;
#[cfg(not(pair))]
type Sides = Runner<Port>;

/// An open file's; all zeroes is one with nothing in it.
pub struct World {
    pub(crate) port_host: KernelHost,
    #[cfg(pair)]
    pub(crate) original_host: KernelHost,
    sides: MaybeUninit<Sides>,
    made: bool,
    begun: bool,
    /// A step could not be done as the scenario has it, or the sides differ.
    broken: bool,
    destroyed: bool,
    steps: u32,
    last: Option<Outcome>,
    port_lines: Lines,
    #[cfg(pair)]
    original_lines: Lines,
    #[cfg(pair)]
    difference: Option<Difference>,
    visited: [u32; 2048],
}

impl World {
    /// Puts the sides on their hosts.
    ///
    /// # Safety
    /// The world stays where it is until `close`, and the guests live as long.
    pub unsafe fn make(&'static mut self, port: *mut Guest, original: *mut Guest, policy: u32) {
        // Zeroes need not mean nothing in these.
        self.last = None;
        self.port_lines.forget();
        self.port_host.forget();
        #[cfg(pair)]
        {
            self.difference = None;
            self.original_lines.forget();
            self.original_host.forget();
        }
        self.port_host.guest.set(port);
        let host: *const KernelHost = &self.port_host;
        // SAFETY: as long as the sides, by the caller's word; hosts are changed through cells alone.
        let side = PortSide::new(unsafe { &*host }, Mixed(policy));
        #[cfg(pair)]
        {
            self.original_host.guest.set(original);
            let host: *const KernelHost = &self.original_host;
            // SAFETY: as above.
            let original = OriginalSide::new(unsafe { &*host });
            self.sides.write(Pair::new(original, side));
        }
        #[cfg(not(pair))]
        {
            let _ = original;
            self.sides.write(Runner::new(side));
        }
        self.made = true;
    }

    fn sides(&mut self) -> &mut Sides {
        // SAFETY: `make` wrote them before anything else is called.
        unsafe { self.sides.assume_init_mut() }
    }

    fn port(&mut self) -> &mut Runner<Port> {
        let sides = self.sides();
        #[cfg(pair)]
        return &mut sides.b;
        #[cfg(not(pair))]
        sides
    }

    /// Records from the start on; before the first part.
    pub fn record(&mut self) {
        if self.begun {
            return;
        }
        self.port_host.keeping.set(true);
        // SAFETY: the world stays where it is, and the lines are reached through it alone.
        unsafe { self.port_lines.make() };
        #[cfg(pair)]
        {
            self.original_host.keeping.set(true);
            // SAFETY: as above.
            unsafe { self.original_lines.make() };
        }
    }

    /// Takes a part of a scenario: its beginning with all page records, or more of its steps.
    ///
    /// Gives the bytes used, which are fewer than offered when a signal came, or a negative errno, and then nothing is
    /// changed. `care` asks for all to be compared after each step.
    pub fn take(&mut self, bytes: &mut [u8], care: bool) -> i32 {
        let Ok(part) = Scenario::strict(bytes) else {
            return EINVAL;
        };
        if part.len() + self.steps as usize > MAX_STEPS {
            return EFBIG;
        }
        let mut used = 0;
        if self.begun {
            if self.destroyed && !part.is_empty() {
                return EINVAL;
            }
        } else {
            let mine = if cfg!(pae) { Mode::Pae } else { Mode::NoPae };
            if part.machine.mode != mine && part.machine.mode != Mode::Both {
                return EOPNOTSUPP;
            }
            let error = self.begin(&part, care);
            if error != 0 {
                return error;
            }
            used = HEAD + part.pages().len() * PAGE_LEN;
        }
        for step in part.steps() {
            // SAFETY: it has no conditions.
            if unsafe { glue::kg_pause() } != 0 {
                if used == 0 {
                    return EINTR;
                }
                break;
            }
            if self.port_lines.full() {
                break;
            }
            if !self.broken {
                self.step(&step);
            }
            self.steps += 1;
            self.destroyed |= step.verb == Verb::Destroy;
            used += STEP_LEN;
        }
        if !self.begun {
            self.begun = true;
            // From now on there are no page records in front of the steps.
            if let Some(count) = bytes.get_mut(6..8) {
                count.fill(0);
            }
        }
        used as i32
    }

    #[cfg(pair)]
    fn begin(&mut self, part: &Scenario<'_>, care: bool) -> i32 {
        let care = if care { Care::Full } else { Care::Cheap };
        let started = self.sides().start(&part.machine, part.pages(), care);
        let error = match self.original_host.error.get() {
            0 => self.port_host.error.get(),
            error => error,
        };
        if error != 0 {
            return error;
        }
        if let Ok(started) = &started {
            self.began(started);
        }
        match started {
            Ok(Ok(_)) => {}
            Ok(Err(bug)) => self.last = Some(Outcome::Bug(bug)),
            Err(difference) => {
                self.difference = Some(difference);
                self.broken = true;
                return EUCLEAN;
            }
        }
        0
    }

    #[cfg(not(pair))]
    fn begin(&mut self, part: &Scenario<'_>, _: bool) -> i32 {
        let started = self.sides().start(&part.machine, &mut part.pages());
        let error = self.port_host.error.get();
        if error == 0 {
            self.began(&started);
        }
        if let Err(bug) = started {
            self.last = Some(Outcome::Bug(bug));
        }
        error
    }

    /// The line of the start on each side.
    fn began(&mut self, result: &Result<i32, lguest_shadow::HostBug>) {
        self.last = Some(match result {
            Ok(errno) => Outcome::Value(*errno as u32),
            Err(bug) => Outcome::Bug(*bug),
        });
        // SAFETY: the sides were made; the lines are no part of them.
        let sides = unsafe { self.sides.assume_init_ref() };
        #[cfg(pair)]
        {
            self.original_lines.began(&sides.a.side, result);
            self.port_lines.began(&sides.b.side, result);
        }
        #[cfg(not(pair))]
        self.port_lines.began(&sides.side, result);
        self.ended();
    }

    /// The last line on each side, if the guest is gone.
    fn ended(&mut self) {
        // SAFETY: as above.
        let sides = unsafe { self.sides.assume_init_ref() };
        #[cfg(pair)]
        if sides.b.over() {
            self.original_lines.ended(&sides.a.side);
            self.port_lines.ended(&sides.b.side);
        }
        #[cfg(not(pair))]
        if sides.over() {
            self.port_lines.ended(&sides.side);
        }
    }

    #[cfg(pair)]
    #[inline(never)]
    fn step(&mut self, step: &Step) {
        let over = self.port().over();
        match self.sides().step(step) {
            Ok(outcome) => self.last = Some(outcome),
            Err(difference) => {
                self.difference = Some(difference);
                self.broken = true;
                return;
            }
        }
        if self.original_host.error.get() != 0 || self.port_host.error.get() != 0 {
            self.broken = true;
        }
        if let (Some(outcome), false) = (&self.last, over) {
            // SAFETY: as above.
            let sides = unsafe { self.sides.assume_init_ref() };
            self.original_lines.step(&sides.a.side, step, outcome);
            self.port_lines.step(&sides.b.side, step, outcome);
            self.ended();
        }
    }

    #[cfg(not(pair))]
    #[inline(never)]
    fn step(&mut self, step: &Step) {
        let over = self.port().over();
        let outcome = self.sides().step(step);
        self.last = Some(outcome);
        if self.port_host.error.get() != 0 {
            self.broken = true;
        }
        if !over {
            // SAFETY: as above.
            let sides = unsafe { self.sides.assume_init_ref() };
            self.port_lines.step(&sides.side, step, &outcome);
            self.ended();
        }
    }

    /// The text of a view from byte `skip` on: 0 what the port holds, 1 what the original holds, 2 how far it is; or the
    /// lines of the port (3) or the original (4) that were not read yet; or the digest of the text of view 0 (5) or 1 (6).
    pub fn text(&mut self, view: u32, skip: usize, room: &mut [u8]) -> usize {
        match view {
            3 => return self.port_lines.take(room),
            #[cfg(pair)]
            4 => return self.original_lines.take(room),
            _ => {}
        }
        let mut to = Window::new(skip, room);
        // A full window stops the writer, and that is no error.
        let _ = match view {
            0 if self.begun => self.observation(&mut to),
            #[cfg(pair)]
            1 if self.begun => self.original_observation(&mut to),
            2 => self.progress(&mut to),
            5 if self.begun => self.digest(false, &mut to),
            #[cfg(pair)]
            6 if self.begun => self.digest(true, &mut to),
            _ => Ok(()),
        };
        to.put()
    }

    #[inline(never)]
    fn observation(&mut self, to: &mut impl Write) -> core::fmt::Result {
        let room: *mut [u32] = &mut self.visited;
        // SAFETY: the sides do not know of that room.
        let room = unsafe { &mut *room };
        observe(&self.port().side, &mut Visited::new(room), to)
    }

    #[cfg(pair)]
    #[inline(never)]
    fn original_observation(&mut self, to: &mut impl Write) -> core::fmt::Result {
        let room: *mut [u32] = &mut self.visited;
        // SAFETY: as above.
        let room = unsafe { &mut *room };
        observe(&self.sides().a.side, &mut Visited::new(room), to)
    }

    #[inline(never)]
    fn digest(&mut self, original: bool, to: &mut Window<'_>) -> core::fmt::Result {
        let mut digest = Fnv::new();
        #[cfg(pair)]
        if original {
            self.original_observation(&mut digest)?;
            return writeln!(to, "{:016x}", digest.value());
        }
        let _ = original;
        self.observation(&mut digest)?;
        writeln!(to, "{:016x}", digest.value())
    }

    #[inline(never)]
    fn progress(&mut self, to: &mut Window<'_>) -> core::fmt::Result {
        writeln!(to, "steps {}", self.steps)?;
        #[cfg(pair)]
        if let Some(difference) = self.difference {
            writeln!(to, "differ {}", crate::original::kind(&difference))?;
        }
        if self.broken {
            writeln!(to, "broken {}", self.port_host.error.get())?;
        }
        if self.port_lines.lost() {
            writeln!(to, "lines lost")?;
        }
        if let Some(Outcome::Bug(bug)) = self.last {
            writeln!(to, "host_bug {}", bug.kind().name())?;
        }
        Ok(())
    }

    /// Physical address of the port's top level in use.
    pub fn root(&mut self) -> u32 {
        self.port().side.current_root()
    }

    /// The walker's word on an access by the kernel at `vaddr`. Before it (`touched` is 0): not 0 if an entry has bits
    /// that a processor may reserve. After it: the pfn that it must have reached, or 0 for a fault, or `DIFFERS`; and
    /// the processor must have marked the entries below PAE's top level as used, and the last one as written.
    pub fn walk(&mut self, vaddr: u32, write: bool, touched: u32) -> u32 {
        const MOST: u64 = (1 << 32) - 1;
        let root = self.root();
        let host = &self.port_host;
        let found = chain(host, root, cfg!(pae), vaddr);
        let from = usize::from(cfg!(pae));
        let mut entries = found.entries.iter().take(found.len).skip(from);
        if touched == LOOK {
            let reserved = |value: u64| value & P != 0 && value & (NX | !MOST) != 0;
            return entries.any(|(_, value)| reserved(*value)).into();
        }
        let reached = touched == REACHED;
        let last = found.entries.get(found.len.wrapping_sub(1));
        let written = last.is_some_and(|(_, value)| value & D != 0);
        if reached && (!entries.all(|(_, value)| value & A != 0) || (write && !written)) {
            return DIFFERS;
        }
        let request = Request { write, user: false };
        match walk(
            host,
            root,
            cfg!(pae),
            vaddr,
            request,
            false,
            Processor::WIDEST,
        ) {
            Ok(pfn) if reached => pfn as u32,
            Err(_) if !reached => 0,
            _ => DIFFERS,
        }
    }

    /// The guest's end, if it has not come: as the original's host does on close. What is left is the ledger's.
    pub fn close(&mut self) {
        if self.made && self.begun && !self.broken && !self.port().over() {
            // A refusal of the ledger ends it, and the ledger gives the rest back.
            let _ = self.port().side.free_guest_pagetable();
        }
        #[cfg(pair)]
        if self.made {
            self.sides().a.side.delete();
        }
        self.made = false;
    }
}
