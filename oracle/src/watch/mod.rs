// SPDX-License-Identifier: GPL-2.0-or-later
//! The independent oracles: what must hold on each side alone, whether or not the other side agrees.
//!
//! A module an oracle, each with its sentence and what there is to show. [`Watch`] follows one side: it goes through
//! what the side asked of its host in a step ([`crate::sim::Note`]; `notes`), finds what no note tells of (`unseen`),
//! follows what the calls of the step chose (`course`), keeps the record that the oracles judge by (`mirror`), and
//! collects their breaches (`judge` after each step, `full` at times), each told at the step at which the bad state
//! arose and forgiven from then on, so that one fault is told once.

pub mod bits;
pub mod breach;
pub mod course;
pub mod doing;
mod full;
mod judge;
pub mod justified;
pub mod leaf;
pub mod leaves;
mod matched;
pub mod memory;
pub mod mirror;
mod notes;
pub mod references;
pub mod switcher;
pub mod told;
mod unseen;
pub mod walk;
mod watched;

use lguest_engine::run::calls;
use lguest_engine::{Machine, Machinery, Outcome, Side, State, Step, Verb};
use lguest_shadow::{BugKind, HostBug};

use crate::sim::SimHost;

pub use breach::{Breach, Oracle};
pub use watched::{Watchable, Watched};

use course::{Chosen, Course};
use doing::Doing;
use justified::Pin;
use mirror::{How, Mirror, Touch};
use switcher::Switcher;
use told::Fresh;

/// Breaches kept of one scenario.
const KEPT: usize = 16;
/// Everything is looked at after one step in so many; a power of two.
const EVERY: usize = 256;

/// How often everything is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Often {
    /// At the end and after one step in 256.
    AtTimes,
    /// After each step.
    EachStep,
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
    orphans: Vec<(u32, Doing)>,
    fresh: Vec<Fresh>,
    course: Course,
    /// The fields changed in the last step that asked something of the host.
    changed: bool,
    /// Counts calls and steps.
    clock: u32,
    /// Tables may have moved since the Switcher was last looked at for a run,
    unseen_by_run: bool,
    /// and since it was last looked for where it is marked as mapped.
    unseen_by_marks: bool,
    /// Where the Switcher was last found whole: top level and CPU.
    whole: (u32, u32),
    /// Slots of which it was told that they lack the Switcher.
    lost: [bool; 4],
    /// Frames of which it was told that they are held less than they are mapped.
    owing: Vec<u32>,
    /// What was seen of the address of an access that writes, before it did.
    before: judge::Before,
    /// What the last step did that asked something of the host.
    verb: Doing,
    /// Steps begun since the start.
    steps: usize,
    breaches: Vec<Breach>,
    /// Room for a list of tables,
    tables: Vec<u32>,
    /// and for what is looked for where no note tells of it.
    room: unseen::Room,
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
            fresh: Vec::new(),
            course: Course::default(),
            changed: true,
            clock: 0,
            unseen_by_run: true,
            unseen_by_marks: true,
            whole: (0, 0),
            lost: [false; 4],
            owing: Vec::new(),
            before: judge::Before::default(),
            verb: Doing::Start,
            steps: 0,
            breaches: Vec::new(),
            tables: Vec::new(),
            room: unseen::Room::default(),
        }
    }

    /// What was told since the start.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    fn tell(&mut self, oracle: Oracle, verb: Doing, what: &'static str, at: u32) {
        let breach = Breach {
            oracle,
            verb: verb.name(),
            what,
            step: self.steps.checked_sub(1),
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
        self.steps = 0;
        self.clock = 0;
        (self.unseen_by_run, self.unseen_by_marks) = (true, true);
        (self.whole, self.lost) = ((0, 0), [false; 4]);
        self.state = State::default();
        self.verb = Doing::Start;
        self.begin();
        self.take(host, None);
        (self.state, self.changed) = (side.state(), true);
        self.alive = *result == Ok(0);
        if self.alive {
            self.counts(host, false);
        }
    }

    fn begin(&mut self) {
        self.mirror.touched.clear();
        self.open.clear();
        self.orphans.clear();
        self.fresh.clear();
        self.course.clear();
        self.failed = false;
        self.tick();
    }

    /// A step is about to be done.
    #[inline]
    pub fn before<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step) {
        self.steps += 1;
        self.before = judge::Before::default();
        if step.verb == Verb::Access {
            self.look_before(side.host(), step);
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
        let is_call = step.verb == Verb::Hypercall;
        // Most accesses need nothing of the host: it has the references and tables that it had.
        let quiet = !is_call && host.journal().is_empty();
        if (!quiet || matches!(outcome, Outcome::Bug(_))) && !self.asked(side, step, outcome) {
            return;
        }
        self.alive = side.dead() == 0;
        if !self.alive {
            // Nobody runs what a dead guest left.
        } else if is_call {
            self.promises(host);
            self.marks(host);
        } else if matches!(step.verb, Verb::Run | Verb::Access) {
            self.running(host, step);
            self.accessed(host, step, outcome);
        }
        let now = self.steps.is_multiple_of(EVERY);
        if step.verb == Verb::Destroy {
            self.gone(host, Doing::of(step));
        } else if now || self.often == Often::EachStep {
            self.everything(side, Doing::of(step));
        }
    }

    /// Something was asked of the host: false if that crashed it.
    #[inline(never)]
    fn asked<S: Side<Host = SimHost>>(&mut self, side: &S, step: &Step, outcome: &Outcome) -> bool {
        let host = side.host();
        let is_call = step.verb == Verb::Hypercall;
        self.verb = Doing::of(step);
        self.begin();
        self.before.hit = None;
        if std::mem::take(&mut self.changed) {
            self.course.begin(Chosen::of(&self.state));
        }
        let doing = self.take(host, is_call.then_some(&step.args));
        if let Outcome::Bug(bug) = outcome {
            self.alive = false;
            self.crashed(host, bug);
            self.tell(Oracle::Crash, doing, bug.kind().name(), bug.pfn());
            return false;
        }
        if is_call {
            // Most calls change no field, and a copy would wait for what was just put together.
            let state = side.state();
            self.changed = state.differs(&self.state);
            if self.changed {
                self.state = state;
            }
        }
        // Nor do many calls need anything of the host.
        if !host.journal().is_empty() {
            if self.failed || !self.open.is_empty() {
                self.unseen(host, step);
            }
            if !self.fresh.is_empty() {
                self.held_against(host, step);
            }
            self.counts(host, is_call);
        }
        true
    }

    /// Another call or step begins.
    fn tick(&mut self) {
        self.clock += 1;
        self.mirror.clock = self.clock;
    }

    /// The host crashed in the middle of something: tables and counts are not what they were to become. A put of what
    /// is not held has its cause in this step if that was not told before.
    fn crashed(&mut self, host: &SimHost, bug: &HostBug) {
        if bug.kind() != BugKind::PutNotHeld || self.owing.contains(&bug.pfn()) {
            return;
        }
        // The last put is the crash; one before it took what was not its own.
        let is_put = |touch: &Touch| touch.pfn == bug.pfn() && touch.how == How::Put;
        let touched = &self.mirror.touched;
        let before = touched.iter().rposition(is_put).unwrap_or(0);
        if let Some(verb) = self.thief(host, bug.pfn(), &touched[..before]) {
            self.tell(Oracle::References, verb, references::OUTLIVES, bug.pfn());
        }
    }
}
