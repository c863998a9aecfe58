// SPDX-License-Identifier: GPL-2.0-or-later
//! The sides that a trace is replayed on: both in lockstep, or one alone. The oracles watch the port of both, and the one.

use lguest_engine::{
    Care, Difference, Left, Machine, Machinery, Outcome, PageRecord, PagingMode, Pair, PortHost,
    PortSide, Runner, Side, Step, left,
};
use lguest_shadow::{Faithful, Hardened, HostBug, Mixed, Mode, NoPae, Pae, Policy};
use similar::TextDiff;

use super::traced::{Observed, Traced};
use crate::original::OriginalSide;
use crate::report::side_text;
use crate::rig::{Hosts, Subject};
use crate::sim::SimHost;
use crate::watch::{Breach, Often, Watch};

/// Recorded sides that take the same steps.
pub trait Lanes {
    /// Begins a scenario.
    ///
    /// # Errors
    /// The sides differ.
    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference>;
    /// One step.
    ///
    /// # Errors
    /// The sides differ.
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference>;
    /// Compares all that is held, now.
    ///
    /// # Errors
    /// The sides differ.
    fn settle(&mut self) -> Result<(), Difference>;
    /// Each side by its name.
    fn each(&mut self, to: &mut dyn FnMut(&'static str, &mut dyn Observed));
    /// What the first side's host is left with.
    fn left(&self) -> Left;
    /// References that finding C23 explains, if the port is among the sides.
    fn orphaned(&self) -> i64;
    /// The step would enter the code under test, on a guest that lives.
    fn enters(&self, step: &Step) -> bool;
    /// No further step has an effect.
    fn over(&self) -> bool;
    /// The guest is dead.
    fn dead(&self) -> bool;
    /// The fixes that acted on a side since the last time.
    fn acted(&mut self) -> u32 {
        0
    }
    /// What the oracles told of the port, or of the one side, since the start.
    fn breaches(&self) -> &[Breach];
    /// How the sides differ, for a person.
    fn describe(&self, difference: &Difference) -> String;
}

/// Original and port.
pub struct Two<A: Side<Host = SimHost>, B: Side<Host = SimHost>> {
    /// The sides.
    pub pair: Pair<Traced<A>, Traced<B>>,
    care: Care,
    watch: Watch,
}

impl<A: Side<Host = SimHost>, B: Side<Host = SimHost>> Two<A, B> {
    /// The two of them, the one whose word counts first.
    pub fn new(a: A, b: B, care: Care) -> Self {
        Two {
            pair: Pair::new(Traced::new(a), Traced::new(b)),
            care,
            watch: Watch::new(Often::AtTimes),
        }
    }
}

impl<A: Side<Host = SimHost>, B: Side<Host = SimHost>> Lanes for Two<A, B> {
    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        self.pair.b.side.host().keep_journal(true);
        let result = self.pair.start(machine, pages.iter().copied(), self.care)?;
        self.watch.start(&self.pair.b.side, machine, &result);
        Ok(result)
    }

    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        self.watch.before(&self.pair.b.side, step);
        let outcome = self.pair.step(step)?;
        self.watch.after(&self.pair.b.side, step, &outcome);
        Ok(outcome)
    }

    fn settle(&mut self) -> Result<(), Difference> {
        self.pair.everything()?;
        self.watch.at_end(&self.pair.b.side);
        Ok(())
    }

    fn breaches(&self) -> &[Breach] {
        self.watch.breaches()
    }

    fn each(&mut self, to: &mut dyn FnMut(&'static str, &mut dyn Observed)) {
        to("original", &mut self.pair.a.side);
        to("port", &mut self.pair.b.side);
    }

    fn left(&self) -> Left {
        left(self.pair.a.side.host())
    }

    fn orphaned(&self) -> i64 {
        self.pair.b.side.host().orphaned()
    }

    fn enters(&self, step: &Step) -> bool {
        self.pair.a.enters(step)
    }

    fn over(&self) -> bool {
        self.pair.a.over()
    }

    fn dead(&self) -> bool {
        self.pair.a.side.dead() != 0
    }

    fn describe(&self, difference: &Difference) -> String {
        let outcomes = match *difference {
            Difference::Outcome(a, b) => [Some(a), Some(b)],
            _ => [None, None],
        };
        let a = side_text(&self.pair.a.side, outcomes[0], &[]);
        let b = side_text(&self.pair.b.side, outcomes[1], &[]);
        let diff = TextDiff::from_lines(&a, &b);
        let shown = diff
            .unified_diff()
            .context_radius(2)
            .header("original", "port")
            .to_string();
        format!("{difference:?}\n{shown}")
    }
}

/// One side alone.
pub struct One<A: Side<Host = SimHost>> {
    /// Its name in reports.
    pub name: &'static str,
    /// The side.
    pub runner: Runner<Traced<A>>,
    acted: fn(&A) -> u32,
    watch: Watch,
}

impl<A: Side<Host = SimHost>> One<A> {
    /// This side, by this name.
    pub fn new(name: &'static str, side: A) -> Self {
        One {
            name,
            runner: Runner::new(Traced::new(side)),
            acted: |_| 0,
            watch: Watch::new(Often::AtTimes),
        }
    }
}

impl<'h, M: Mode, P: Policy> One<PortSide<'h, M, P, SimHost>>
where
    SimHost: PortHost<M>,
{
    /// A port with fixes: where one of them acts, it may do otherwise than was recorded.
    pub fn mended(port: &'h SimHost, policy: P) -> Self {
        One {
            acted: PortSide::take_fired,
            ..One::new("hardened port", PortSide::new(port, policy))
        }
    }
}

impl<A: Side<Host = SimHost>> Lanes for One<A> {
    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        self.runner.side.host().keep_journal(true);
        let result = self.runner.start(machine, &mut pages.iter().copied());
        self.watch.start(&self.runner.side, machine, &result);
        Ok(result)
    }

    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        self.watch.before(&self.runner.side, step);
        let outcome = self.runner.step(step);
        self.watch.after(&self.runner.side, step, &outcome);
        Ok(outcome)
    }

    fn settle(&mut self) -> Result<(), Difference> {
        self.watch.at_end(&self.runner.side);
        Ok(())
    }

    fn breaches(&self) -> &[Breach] {
        self.watch.breaches()
    }

    fn each(&mut self, to: &mut dyn FnMut(&'static str, &mut dyn Observed)) {
        to(self.name, &mut self.runner.side);
    }

    fn left(&self) -> Left {
        left(self.runner.side.host())
    }

    fn orphaned(&self) -> i64 {
        self.runner.side.host().orphaned()
    }

    fn enters(&self, step: &Step) -> bool {
        self.runner.enters(step)
    }

    fn over(&self) -> bool {
        self.runner.over()
    }

    fn dead(&self) -> bool {
        self.runner.side.dead() != 0
    }

    fn acted(&mut self) -> u32 {
        (self.acted)(self.runner.side.side())
    }

    fn describe(&self, difference: &Difference) -> String {
        format!("{difference:?}")
    }
}

/// The recorded sides for a subject in one mode; nothing if it needs an original and none is built in.
pub fn lanes(
    hosts: &Hosts,
    subject: Subject,
    mode: PagingMode,
    care: Care,
) -> Option<Box<dyn Lanes + '_>> {
    let pae = mode == PagingMode::Pae;
    let original = || OriginalSide::new(&hosts.original, pae);
    let port = &hosts.port;
    Some(match (subject, pae) {
        (Subject::Original, _) => Box::new(One::new("original", original()?)),
        (Subject::Faithful, true) => {
            Box::new(One::new("port", PortSide::<Pae, _, _>::new(port, Faithful)))
        }
        (Subject::Faithful, false) => Box::new(One::new(
            "port",
            PortSide::<NoPae, _, _>::new(port, Faithful),
        )),
        (Subject::Hardened { without: 0 }, true) => {
            Box::new(One::<PortSide<'_, Pae, _, _>>::mended(port, Hardened))
        }
        (Subject::Hardened { without: 0 }, false) => {
            Box::new(One::<PortSide<'_, NoPae, _, _>>::mended(port, Hardened))
        }
        (Subject::Hardened { without }, true) => Box::new(One::<PortSide<'_, Pae, _, _>>::mended(
            port,
            Mixed::ALL.without(without),
        )),
        (Subject::Hardened { without }, false) => Box::new(
            One::<PortSide<'_, NoPae, _, _>>::mended(port, Mixed::ALL.without(without)),
        ),
        (_, true) => Box::new(Two::new(
            original()?,
            PortSide::<Pae, _, _>::new(port, Faithful),
            care,
        )),
        (_, false) => Box::new(Two::new(
            original()?,
            PortSide::<NoPae, _, _>::new(port, Faithful),
            care,
        )),
    })
}
