// SPDX-License-Identifier: GPL-2.0-or-later
//! The independent oracles: what must hold on each side alone, whether or not the other side agrees.
//!
//! A module an oracle, each with its sentence and what there is to show. [`Watch`] follows one side: it goes through
//! what the side asked of its host in a step ([`crate::sim::Note`]), keeps the record that the oracles judge by, and
//! collects their breaches, each told at the step at which the bad state arose and forgiven from then on, so that one
//! fault is told once. The C's two stores past `set_pte` and `set_pgd` are seen by looking at the entry of a fault.

pub mod bits;
pub mod breach;
pub mod justified;
pub mod memory;
pub mod mirror;
pub mod references;
pub mod switcher;
pub mod told;
pub mod walk;
mod watched;

use lguest_engine::run::calls;
use lguest_engine::scenario::hypercall_name;
use lguest_engine::scenario::step::ACCESS_WRITE;
use lguest_engine::{Machine, Machinery, Outcome, Side, State, Step, Verb};
use lguest_shadow::{BugKind, HostBug, PIN_LIMIT};

use crate::class::verb_name;
use crate::sim::{Note, SimHost};

pub use breach::{Breach, Oracle};
pub use watched::{Watchable, Watched};

use justified::Pin;
use mirror::{Leaf, Mirror, Page};
use switcher::Switcher;
use told::{Call, Fresh, Promises, number};
use walk::{PRESENT, USER, WRITE, frame};

/// Breaches kept of one scenario.
const KEPT: usize = 16;

/// How often everything is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Often {
    /// At the end and after each step whose number is a multiple of 1024.
    AtTimes,
    /// After each step.
    EachStep,
}

/// Which entries are taken up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Those that are not as recorded.
    Changed,
    /// These, and those that were stored again as they were.
    All,
}

/// What was being done when an entry was stored that no note tells of.
struct Doing {
    verb: &'static str,
    call: Option<[u32; 5]>,
    clock: u32,
}

impl Doing {
    /// It made this pin: an update its own, anything else any that no update made.
    fn made(&self, pin: &Pin) -> bool {
        match self.call {
            Some([number::SET_PTE, ..]) => pin.clock == self.clock,
            _ => !pin.update,
        }
    }
}

/// One side under the oracles.
pub struct Watch {
    often: Often,
    machine: Machine,
    switcher: Switcher,
    mirror: Mirror,
    /// The fields after the last step that may have changed them.
    state: State,
    alive: bool,
    /// Pins of this step that no entry was stored for yet.
    open: Vec<Pin>,
    /// A pin that was no update's failed in this step.
    failed: bool,
    orphans: Vec<(u32, &'static str)>,
    /// Several calls of this step may have stored what no note tells of: which of them did is not known, and such
    /// entries are taken for told and justified by any pin. Their references are counted all the same.
    blurred: bool,
    /// Puts of this step, with their verbs.
    puts: Vec<(u32, &'static str)>,
    fresh: Vec<Fresh>,
    calls: Vec<Call>,
    /// Counts calls and steps.
    clock: u32,
    /// Tables may have moved since the Switcher was last looked at.
    moved: bool,
    /// Where the Switcher was last found whole: top level and CPU.
    whole: (u32, u32),
    /// Slots of which it was told that they lack the Switcher.
    lost: [bool; 4],
    /// Frames of which it was told that their count is wrong.
    owing: Vec<u32>,
    /// What the guest says of the address of an access that writes, before it does.
    said: Option<walk::Said>,
    /// Number of the step; none for the start.
    step: Option<usize>,
    breaches: Vec<Breach>,
}

impl Watch {
    /// A watch; `start` comes first.
    pub fn new(often: Often) -> Self {
        Watch {
            often,
            machine: Machine::default(),
            switcher: Switcher::default(),
            mirror: Mirror::new(),
            state: State::default(),
            alive: false,
            open: Vec::new(),
            failed: false,
            orphans: Vec::new(),
            blurred: false,
            puts: Vec::new(),
            fresh: Vec::new(),
            calls: Vec::new(),
            clock: 0,
            moved: true,
            whole: (0, 0),
            lost: [false; 4],
            owing: Vec::new(),
            said: None,
            step: None,
            breaches: Vec::new(),
        }
    }

    /// What was told since the start.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    fn tell(&mut self, oracle: Oracle, verb: &'static str, what: &'static str, at: u32) {
        let breach = Breach {
            oracle,
            verb,
            what,
            step: self.step,
            at,
        };
        if self.breaches.len() < KEPT && !self.breaches.iter().any(|known| known.is_like(&breach)) {
            self.breaches.push(breach);
        }
    }

    /// A scenario has begun: `init_guest_pagetable` has been run.
    pub fn start<S: Side<Host = SimHost>>(
        &mut self,
        side: &S,
        machine: &Machine,
        result: &Result<i32, HostBug>,
    ) {
        let host = side.host();
        self.machine = *machine;
        self.switcher = Switcher {
            addr: machine.switcher,
            cpus: machine.cpus.into(),
            pae: side.pae(),
            nx: machine.supported_pte_mask() & walk::NX != 0,
        };
        self.mirror.reset(side.pae(), host.all_held().len());
        self.breaches.clear();
        self.owing.clear();
        self.step = None;
        self.clock = 0;
        (self.moved, self.whole, self.lost) = (true, (0, 0), [false; 4]);
        self.state = State::default();
        self.begin();
        self.take(host, verb_name(None), None);
        self.state = side.state();
        self.alive = *result == Ok(0);
        if self.alive {
            self.counts(side, false);
        }
    }

    fn begin(&mut self) {
        self.mirror.touched.clear();
        self.open.clear();
        self.orphans.clear();
        self.puts.clear();
        self.blurred = false;
        self.fresh.clear();
        self.calls.clear();
        self.failed = false;
        self.clock += 1;
    }

    /// A step is about to be done.
    #[inline]
    pub fn before<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step) {
        self.step = Some(self.step.map_or(0, |step| step + 1));
        // Its word may go into the tables that told it.
        self.said = None;
        if step.verb == Verb::Access && step.args[1] & ACCESS_WRITE != 0 && !self.state.linear_pages
        {
            let slot = self.state.slots[self.state.cpu_pgd as usize & 3];
            self.said = Some(walk::guest(
                side.host(),
                slot.gpgdir,
                side.pae(),
                step.args[0],
            ));
        }
    }

    /// It has been done.
    #[inline]
    pub fn after<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step, outcome: &Outcome) {
        if calls(step.verb) && *outcome != Outcome::Skipped {
            self.entered(side, step, outcome);
        }
    }

    fn entered<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step, outcome: &Outcome) {
        let host = side.host();
        let verb = verb_name(Some(step));
        let call = (step.verb == Verb::Hypercall).then_some(step.args);
        let before = self.state;
        self.begin();
        let doing = self.take(host, verb, call);
        if let Outcome::Bug(bug) = outcome {
            self.alive = false;
            self.crashed(bug);
            return self.tell(Oracle::Crash, doing, bug.kind().name(), bug.pfn());
        }
        if step.verb == Verb::Hypercall {
            self.state = side.state();
        }
        self.alive = side.dead() == 0;
        if self.failed || !self.open.is_empty() {
            self.blurred = self.calls.len() > 1;
            self.unseen(side, step);
            if self.blurred && !self.open.is_empty() {
                self.look_everywhere(host, verb);
            }
        }
        self.held_against(host, step);
        self.counts(side, !self.calls.is_empty());
        if !self.alive {
            // Nobody runs what a dead guest left.
        } else if step.verb == Verb::Hypercall {
            self.promises(side, &before);
            self.marks(host);
        } else if matches!(step.verb, Verb::Run | Verb::Access) {
            self.running(host, verb);
            self.accessed(host, step, outcome);
        }
        let now = self.step.is_some_and(|step| step & 0x3ff == 0x3ff);
        if step.verb == Verb::Destroy {
            self.gone(side, verb);
        } else if now || self.often == Often::EachStep {
            self.everything(side, verb);
        }
    }

    /// The host crashed in the middle of something: tables and counts are not what they were to become. A put of what
    /// is not held has its cause in this step if that was not told before.
    fn crashed(&mut self, bug: &HostBug) {
        if bug.kind() != BugKind::PutNotHeld || self.owing.contains(&bug.pfn()) {
            return;
        }
        // The last put is the crash; the one before it took what was not its own.
        if let Some(verb) = self.put_by(bug.pfn(), 1) {
            self.tell(Oracle::References, verb, references::OUTLIVES, bug.pfn());
        }
    }

    /// Who made the put of a frame that `later` others of this step followed.
    fn put_by(&self, pfn: u32, later: usize) -> Option<&'static str> {
        let of = |put: &&(u32, &'static str)| put.0 == pfn;
        self.puts
            .iter()
            .rev()
            .filter(of)
            .nth(later)
            .map(|put| put.1)
    }

    /// Goes through what was noted: the verb of what was being done last.
    fn take(
        &mut self,
        host: &SimHost,
        direct: &'static str,
        call: Option<[u32; 5]>,
    ) -> &'static str {
        let mut verb = direct;
        let mut args = call;
        for note in host.journal().notes().iter() {
            match *note {
                Note::Table(pa) => self.mirror.fresh(pa),
                Note::Free(pa) => {
                    self.moved = true;
                    self.mirror.gone(pa, verb);
                }
                Note::Pin {
                    addr,
                    writable,
                    pfn,
                } => {
                    let update = args.is_some_and(|args| args[0] == number::SET_PTE);
                    // Where a page cannot be had a fault may store that past `set_pte`.
                    self.failed |= pfn.is_none() && !update;
                    if let Some(pfn) = pfn {
                        self.mirror.touch(pfn, verb);
                        self.open.push(Pin {
                            addr,
                            pfn,
                            writable,
                            clock: self.clock,
                            update,
                        });
                    }
                }
                Note::Get(pfn) => self.mirror.touch(pfn, verb),
                Note::Put(pfn) => {
                    self.puts.push((pfn, verb));
                    self.mirror.touch(pfn, verb);
                }
                Note::Pte(pa, value) => {
                    let pin = self.open.pop_if(|pin| pin.pfn == frame(value));
                    self.stored(pa, value, pin, verb, args);
                }
                Note::Upper(pa, value) => {
                    self.moved = true;
                    let top = self.mirror.is_top(pa);
                    if let Some(what) = bits::upper(value, self.switcher.pae, top) {
                        self.tell(Oracle::Bits, verb, what, pa);
                    }
                    self.mirror.upper(pa, value);
                }
                Note::Ring(of) => {
                    self.clock += 1;
                    (verb, args) = (hypercall_name(of[0]).unwrap_or("hypercall"), Some(of));
                    self.calls.push(Call {
                        args: of,
                        clock: self.clock,
                        verb,
                    });
                }
                Note::RingDone => {
                    self.clock += 1;
                    (verb, args) = (direct, call);
                }
            }
        }
        if let Some(args) = call {
            self.calls.push(Call {
                args,
                clock: self.clock,
                verb: direct,
            });
        }
        verb
    }

    /// An entry of the lowest level holds this now, for which this pin was made.
    fn stored(
        &mut self,
        pa: u32,
        value: u64,
        pin: Option<Pin>,
        verb: &'static str,
        call: Option<[u32; 5]>,
    ) {
        let Some(place) = self.mirror.place(pa) else {
            return self.tell(Oracle::Justified, verb, "a store to what is no table", pa);
        };
        if value & PRESENT == 0 {
            self.orphans.extend(pin.map(|pin| (pin.pfn, verb)));
            return self.mirror.set(pa, None, verb);
        }
        let rights = value & (WRITE | USER);
        let mut leaf = Leaf {
            pfn: frame(value),
            page: None,
            clock: self.clock,
            rights: rights as u32,
        };
        if place.vaddr >= self.switcher.addr {
            self.moved = true;
            return self.mirror.set(pa, Some(leaf), verb);
        }
        let of_any = self.blurred && pin.is_none();
        if let Some(what) = justified::stored(value, pin.as_ref()).filter(|_| !of_any) {
            self.tell(Oracle::Justified, verb, what, place.vaddr);
        }
        if let Some(what) = bits::leaf(value, self.switcher.pae) {
            self.tell(Oracle::Bits, verb, what, place.vaddr);
        }
        if let Some(pin) = pin {
            let clock = pin.clock;
            leaf.clock = if self.blurred { self.clock } else { clock };
            let page = Page::new(pin.addr.wrapping_sub(self.machine.mem_base) >> 12);
            leaf.page = Some(page);
            if !self.blurred {
                self.fresh.push(Fresh {
                    vaddr: place.vaddr,
                    root: place.root,
                    page,
                    rights,
                    clock,
                    call,
                });
            }
        }
        self.mirror.set(pa, Some(leaf), verb);
    }

    /// Looks at the entries that a pin may have been for and that no note tells of: stores past `set_pte`, and stores
    /// of what was there before. What has changed is looked at first, for it has the better claim to a pin.
    fn unseen<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step) {
        let (host, verb) = (side.host(), verb_name(Some(step)));
        let current = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        if step.verb != Verb::Hypercall {
            let doing = Doing {
                verb,
                call: None,
                clock: self.clock,
            };
            return self.look(host, current, step.args[0], &doing, Which::All);
        }
        let roots = self.state.slots.map(|slot| slot.pgdir);
        for which in [Which::Changed, Which::All] {
            let (esp, pages) = (self.state.esp1, self.state.stack_pages.min(PIN_LIMIT));
            // An update alone pins no stack.
            let alone = step.args[0] == number::SET_PTE && self.calls.len() == 1;
            let pages = if alone { 0 } else { pages };
            let doing = Doing {
                verb,
                call: Some(step.args).filter(|args| args[0] != number::SET_PTE),
                clock: self.clock,
            };
            for i in 0..pages {
                let vaddr = esp.wrapping_sub(1).wrapping_sub(i << 12);
                for root in [current].into_iter().chain(roots) {
                    self.look(host, root, vaddr, &doing, which);
                }
            }
            for i in 0..self.calls.len() {
                let Call { args, verb, clock } = self.calls[i];
                let doing = Doing {
                    verb,
                    call: Some(args),
                    clock,
                };
                let everywhere = args[2] >= self.state.kernel_address;
                if args[0] == number::SET_PTE {
                    for slot in self.state.slots {
                        let named = everywhere || slot.gpgdir == args[1];
                        let root = if named { slot.pgdir } else { 0 };
                        self.look(host, root, args[2], &doing, which);
                    }
                }
            }
        }
    }

    fn look(&mut self, host: &SimHost, root: u32, vaddr: u32, doing: &Doing, which: Which) {
        if root == 0 || vaddr >= self.switcher.addr {
            return;
        }
        if let Some(at) = walk::shadow(host, root, self.switcher.pae, vaddr) {
            self.agree(at.pa, at.value, doing, which);
        }
    }

    /// Takes up an entry as it is, if the record says otherwise or, of all of them, if a pin is open for it.
    fn agree(&mut self, pa: u32, value: u64, doing: &Doing, which: Which) {
        let known = self.mirror.leaf(pa).map(|leaf| (leaf.pfn, leaf.rights));
        let is = (value & PRESENT != 0).then(|| (frame(value), value as u32 & 6));
        if which == Which::Changed && known == is {
            return;
        }
        if known.is_none() && is.is_none() {
            // An absent entry, perhaps stored once more as it was.
            let of = |pin: &Pin| pin.pfn == frame(value) && doing.made(pin);
            if let Some(i) = self.open.iter().position(of) {
                let pin = self.open.remove(i);
                self.orphans.push((pin.pfn, doing.verb));
            }
            return;
        }
        let found = |open: &[Pin], of: &dyn Fn(&Pin) -> bool| {
            let (pfn, _) = is?;
            let matches = |pin: &&Pin| pin.pfn == pfn && of(pin);
            let clock = open.iter().filter(matches).map(|pin| pin.clock).max()?;
            open.iter()
                .position(|pin| matches(&pin) && pin.clock == clock)
        };
        let mut pin = found(&self.open, &|pin| doing.made(pin));
        if known != is {
            // Another call of this step may have made it, whose own addresses are not known any more.
            pin = pin.or_else(|| found(&self.open, &|_| true));
        }
        // What was told in that call, or since, has its pin or needs none; this one is for another entry.
        let told = |i: &usize, leaf: Leaf| leaf.clock >= self.open[*i].clock;
        let leaf = self.mirror.leaf(pa).filter(|_| known == is);
        let pin = pin.filter(|i| !leaf.is_some_and(|leaf| told(i, leaf)));
        let pin = pin.map(|i| self.open.remove(i));
        if pin.is_some() || known != is {
            let call = doing.call.filter(|_| pin.is_none_or(|pin| pin.update));
            self.stored(pa, value, pin, doing.verb, call);
        }
    }

    /// Looks at every entry there is: where it is not known which one was stored past `set_pte`.
    #[inline(never)]
    fn look_everywhere(&mut self, host: &SimHost, verb: &'static str) {
        let tables: Vec<u32> = self.mirror.leaf_tables().collect();
        let doing = Doing {
            verb,
            call: None,
            clock: self.clock,
        };
        let size = if self.switcher.pae { 8 } else { 4 };
        for table in tables {
            for slot in 0..4096 / size {
                let pa = table + slot * size;
                if let Some(value) = walk::entry(host, pa, self.switcher.pae) {
                    self.agree(pa, value, &doing, Which::Changed);
                }
            }
        }
    }

    /// Holds fresh entries against what the guest says.
    fn held_against(&mut self, host: &SimHost, step: &Step) {
        if self.fresh.is_empty() {
            return;
        }
        let last = |call: &Call| call.args[0] == number::NEW_PGTABLE;
        let switched = self
            .calls
            .iter()
            .rfind(|call| last(call))
            .map_or(0, |call| call.clock);
        let verb = verb_name(Some(step));
        for i in 0..self.fresh.len() {
            let fresh = self.fresh[i];
            let pae = self.switcher.pae;
            let told = match told::by_update(&fresh, pae) {
                Some(told) => told,
                // What the tables said at the walk is not known if they, or the slot's name, changed on the way.
                None if step.quals.during.is_some() || fresh.clock < switched => continue,
                None => {
                    let said = self
                        .said
                        .filter(|_| fresh.vaddr >> 12 == step.args[0] >> 12);
                    let said = said.or_else(|| told::by_tables(host, &self.state, pae, &fresh));
                    let Some(said) = said else { continue };
                    if self.is_hosts(&said) {
                        continue;
                    }
                    said.told
                }
            };
            if let Some(what) = told::against(&fresh, told) {
                let number = fresh.call.map(|call| call[0]);
                let verb = number.map_or(verb, |of| hypercall_name(of).unwrap_or(verb));
                self.tell(Oracle::Told, verb, what, fresh.vaddr);
            }
        }
    }

    /// Calls of this step that choose a table.
    fn switches(&self) -> usize {
        let chooses = |call: &&Call| call.args[0] == number::NEW_PGTABLE;
        self.calls.iter().filter(chooses).count()
    }

    /// One of these tables shares a page with `lguest_data`, which the host writes to during calls.
    fn is_hosts(&self, said: &walk::Said) -> bool {
        let data = self.state.lguest_data;
        if data == 0 || self.calls.is_empty() {
            return false;
        }
        let first = data.wrapping_sub(self.machine.mem_base) >> 12;
        let tables = &said.tables[..said.levels];
        tables.iter().any(|page| page.wrapping_sub(first) <= 1)
    }

    /// References, of the frames that were touched.
    fn counts<S: Side<Host = SimHost>>(&mut self, side: &S, again: bool) {
        let host = side.host();
        let mut again = again;
        while let Some(wrong) = references::touched(host, &self.mirror, &self.orphans) {
            // Of several calls, one may have stored an entry past `set_pte` whose pin was taken for another's.
            let unseen = self.blurred || !self.open.is_empty();
            if std::mem::take(&mut again) && unseen {
                self.look_everywhere(host, wrong.verb);
                continue;
            }
            let thief = self
                .put_by(wrong.pfn, 0)
                .filter(|_| wrong.what == references::OUTLIVES);
            let verb = thief.unwrap_or(wrong.verb);
            self.tell(Oracle::References, verb, wrong.what, wrong.pfn);
            self.mirror.forgive(wrong.pfn, wrong.held);
            self.owing.push(wrong.pfn);
        }
    }

    /// What the calls of this step promised to drop.
    fn promises<S: Side<Host = SimHost>>(&mut self, side: &S, before: &State) {
        let switches = self.switches();
        let chooses = |call: &Call| call.args[0] == number::NEW_PGTABLE;
        let from = self.calls.iter().rposition(chooses).unwrap_or(0);
        for i in from..self.calls.len() {
            let call = self.calls[i];
            if chooses(&call) && switches > 1 {
                continue;
            }
            let promises = Promises {
                after: &self.state,
                before,
                pae: side.pae(),
                switcher: self.switcher.addr,
            };
            if let Some((vaddr, what)) = promises.broken(side.host(), &mut self.mirror, &call) {
                self.tell(Oracle::Told, call.verb, what, vaddr);
            }
        }
    }

    /// Tables that are marked as having the Switcher have it.
    fn marks(&mut self, host: &SimHost) {
        if !self.moved {
            return;
        }
        for (i, slot) in self.state.slots.into_iter().enumerate() {
            let is_lost =
                slot.pgdir != 0 && slot.switcher_mapped && self.switcher.is_lost(host, slot.pgdir);
            let known = std::mem::replace(&mut self.lost[i], is_lost);
            if is_lost && !known {
                let drops = |call: &&Call| call.args[0] == number::SET_PGD;
                let call = self.calls.iter().rfind(drops).or(self.calls.last());
                let verb = call.map_or("hypercall", |call| call.verb);
                self.tell(Oracle::Switcher, verb, switcher::LOST, slot.gpgdir);
            }
        }
    }

    /// The guest ran.
    fn running(&mut self, host: &SimHost, verb: &'static str) {
        let root = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        let at = (root, host.cpu());
        if !std::mem::take(&mut self.moved) && self.whole == at {
            return;
        }
        self.whole = at;
        if let Some(what) = self.switcher.at_run(host, root, host.cpu()) {
            self.tell(Oracle::Switcher, verb, what, root);
        }
    }

    /// The guest's access came to this.
    fn accessed(&mut self, host: &SimHost, step: &Step, outcome: &Outcome) {
        let [vaddr, flags, ..] = step.args;
        let value = match *outcome {
            Outcome::Word(value) => value,
            Outcome::Foreign(pfn) => {
                let what = "the guest reached a frame that is not its own";
                return self.tell(Oracle::Justified, "access", what, pfn);
            }
            _ => return,
        };
        let root = self.state.slots[self.state.cpu_pgd as usize & 3].pgdir;
        let at = walk::shadow(host, root, self.switcher.pae, vaddr);
        let leaf = at.and_then(|at| self.mirror.leaf(at.pa));
        let wrong = match leaf {
            Some(leaf) => memory::word(host, &leaf, vaddr, flags & ACCESS_WRITE != 0, value),
            None => Some("an access came to an end where the guest's tables map nothing"),
        };
        if let Some(what) = wrong {
            self.tell(Oracle::Memory, "access", what, vaddr);
        }
    }

    /// Looks at everything: each entry against its record, every count, every table.
    #[inline(never)]
    pub fn everything<S: Side<Host = SimHost>>(&mut self, side: &S, verb: &'static str) {
        let host = side.host();
        let tables: Vec<u32> = self.mirror.leaf_tables().collect();
        let mut present = 0;
        for table in tables {
            let Some(words) = host.table(table >> 12) else {
                continue;
            };
            let size = if self.switcher.pae { 2 } else { 1 };
            let mut empty = true;
            let low = |block: &[std::cell::Cell<u32>]| {
                block.iter().step_by(size).any(|word| word.get() & 1 != 0)
            };
            for i in (0..1024).step_by(size) {
                // Most blocks hold no entry that is present.
                if i & 15 == 0 {
                    empty = words.get(i..i + 16).is_none_or(|block| !low(block));
                }
                if empty || words[i].get() & 1 == 0 {
                    continue;
                }
                present += 1;
                let pa = table + 4 * i as u32;
                let value = walk::entry(host, pa, self.switcher.pae).unwrap_or(0);
                let leaf = self.mirror.leaf(pa);
                let of = leaf.map(|leaf| (leaf.pfn, leaf.rights));
                let below = |at: mirror::Place| at.vaddr < self.switcher.addr;
                // The Switcher's own are looked at when the guest runs.
                let judged = self.mirror.place(pa).is_none_or(below);
                if let Some(what) = justified::standing(value, of).filter(|_| judged) {
                    self.tell(Oracle::Justified, verb, what, pa);
                    self.mirror.set(
                        pa,
                        Some(Leaf {
                            pfn: frame(value),
                            rights: value as u32 & 6,
                            ..leaf.unwrap_or_default()
                        }),
                        verb,
                    );
                }
            }
        }
        if present != self.mirror.present() {
            let what = "an entry is gone that nobody emptied";
            self.tell(Oracle::Justified, verb, what, 0);
        }
        self.all_counts(host, verb);
        let roots = self.state.slots.map(|slot| slot.pgdir);
        if references::reachable(side, &roots) != host.tables_held() {
            self.tell(Oracle::References, verb, references::LOST_TABLE, 0);
        }
    }

    fn all_counts(&mut self, host: &SimHost, verb: &'static str) {
        while let Some(wrong) = references::all(host, &self.mirror, verb) {
            self.tell(Oracle::References, wrong.verb, wrong.what, wrong.pfn);
            self.mirror.forgive(wrong.pfn, wrong.held);
            self.owing.push(wrong.pfn);
        }
    }

    /// The guest is gone, and nothing is left of it.
    fn gone(&mut self, side: &impl Side<Host = SimHost>, verb: &'static str) {
        self.all_counts(side.host(), verb);
        if side.host().tables_held() != 0 {
            self.tell(Oracle::References, verb, "a table is left", 0);
        }
        self.alive = false;
    }
}
