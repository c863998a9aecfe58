// SPDX-License-Identifier: GPL-2.0-or-later
//! A drive under the oracles: whatever runs scenarios can be wrapped in one.

use lguest_engine::{Difference, Machine, Outcome, PageRecord, Runner, Side, Step};
use lguest_shadow::HostBug;

use super::{Breach, Often, Watch};
use crate::drive::{Alone, Both, Drive};
use crate::sim::SimHost;

/// A drive that has a side which can be watched.
pub trait Watchable: Drive {
    /// The side.
    type Seen: Side<Host = SimHost>;
    /// Where it is.
    fn seen(&self) -> &Self::Seen;
}

impl<S: Side<Host = SimHost>> Watchable for Alone<S> {
    type Seen = S;

    fn seen(&self) -> &S {
        &self.0.side
    }
}

/// Of two sides the second is watched. All that the oracles judge by is compared after each step: outcome, fields,
/// kernel calls with arguments and results, stores, and the entries past them; where that differs there is a difference
/// to report, and where it does not the oracles would say the same of the first.
impl<A: Side, B: Side<Host = SimHost>> Watchable for Both<A, B> {
    type Seen = B;

    fn seen(&self) -> &B {
        &self.pair.b.side
    }
}

/// A drive whose side is watched.
pub struct Watched<D: Watchable> {
    drive: D,
    watch: Watch,
}

impl<D: Watchable> Watched<D> {
    /// Watches the side of `drive`; its host keeps notes from now on, until this is dropped.
    pub fn new(drive: D, often: Often) -> Self {
        drive.seen().host().keep_journal(true);
        Watched {
            drive,
            watch: Watch::new(often),
        }
    }
}

impl<D: Watchable> Drop for Watched<D> {
    fn drop(&mut self) {
        self.drive.seen().host().keep_journal(false);
    }
}

impl<D: Watchable> Drive for Watched<D> {
    type View = D::View;

    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        // Others may have used the host since.
        self.drive.seen().host().keep_journal(true);
        let result = self.drive.start(machine, pages)?;
        self.watch.start(self.drive.seen(), machine, &result);
        Ok(result)
    }

    // As in `Both`: the outcome is not to be handed on in memory.
    #[inline(always)]
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        self.watch.before(self.drive.seen(), step);
        let outcome = self.drive.step(step)?;
        self.watch.after(self.drive.seen(), step, &outcome);
        Ok(outcome)
    }

    fn settle(&mut self) -> Result<(), Difference> {
        self.drive.settle()?;
        self.watch.at_end(self.drive.seen());
        Ok(())
    }

    fn orphaned(&self) -> i64 {
        self.drive.orphaned()
    }

    fn parted(&self) -> Option<u32> {
        self.drive.parted()
    }

    fn view(&self) -> &Runner<D::View> {
        self.drive.view()
    }

    fn breaches(&self) -> &[Breach] {
        self.watch.breaches()
    }
}
