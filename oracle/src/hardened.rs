// SPDX-License-Identifier: GPL-2.0-or-later
//! The hardened port against the original: side by side until they part, then the port alone to the end.
//!
//! It must part only where one of its fixes acts. So the scenario runs again with just those fixes switched off that
//! told that they acted: then the two must agree in everything. And it must never do its host harm.

use std::fmt::Write as _;

use lguest_engine::{
    Care, Difference, Machine, Machinery, Outcome, PageRecord, PagingMode, Pair, PortHost,
    PortSide, Runner, Side, Step,
};
use lguest_shadow::{Fix, HostBug, Mixed, Mode, NoPae, Pae, Policy};

use crate::class::Class;
use crate::drive::{Both, Counts, Drive, End, Given, run};
use crate::findings;
use crate::harm::{self, Crashed};
use crate::original::OriginalSide;
use crate::report::{Divergence, slowly};
use crate::rig::Hosts;
use crate::scenario_buf::ScenarioBuf;
use crate::sim::SimHost;
use crate::watch::{Breach, Often, Watchable, Watched};

/// Original and port until they part. From then on the port alone takes steps; it is also what generators look at.
pub struct Parting<A, B> {
    pair: Pair<A, B>,
    care: Care,
    parted: bool,
}

impl<A: Side, B: Side> Parting<A, B> {
    /// The two of them.
    pub fn new(original: A, port: B, care: Care) -> Self {
        Parting {
            pair: Pair::new(original, port),
            care,
            parted: false,
        }
    }
}

impl<A: Side, B: Side + Fired> Drive for Parting<A, B> {
    type View = B;

    fn start(
        &mut self,
        machine: &Machine,
        pages: &[PageRecord],
    ) -> Result<Result<i32, HostBug>, Difference> {
        let (a, b) = self.pair.begin(machine, pages.iter().copied(), self.care);
        self.parted = a != b || self.pair.everything().is_err();
        Ok(b)
    }

    #[inline]
    fn step(&mut self, step: &Step) -> Result<Outcome, Difference> {
        if self.parted {
            return Ok(self.pair.b.step(step));
        }
        let a = self.pair.a.step(step);
        let b = self.pair.b.step(step);
        self.parted = self.pair.compare(step, a, b).is_err();
        Ok(b)
    }

    fn settle(&mut self) -> Result<(), Difference> {
        self.parted = self.parted || self.pair.everything().is_err();
        Ok(())
    }

    fn orphaned(&self) -> i64 {
        self.pair.b.side.host().orphaned()
    }

    fn parted(&self) -> Option<u32> {
        self.parted.then(|| self.pair.b.side.fired())
    }

    fn view(&self) -> &Runner<B> {
        &self.pair.b
    }
}

/// The port is watched, before and after they part.
impl<A: Side, B: Side<Host = SimHost> + Fired> Watchable for Parting<A, B> {
    type Seen = B;

    fn seen(&self) -> &B {
        &self.pair.b.side
    }
}

/// Why the port parted from the original.
pub enum Explanation {
    /// These fixes acted; without them the two agree in everything.
    Fixes(u32),
    /// They do not, and this is where.
    None(Box<Divergence>),
    /// They differed when run fast, and do not when run slowly: the rig is broken.
    Unsteady,
}

/// Explains a parting, `fixes` being those that the port had and `fired` those that acted in it.
///
/// With a fix off, the guest's fate is another, and a fix that did not act before may act now, where the original does
/// harm once more. If that comes before the difference, it is switched off as well.
///
/// # Panics
/// The original must be built in.
pub fn explain(
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    fixes: Mixed,
    fired: u32,
    care: Care,
) -> Explanation {
    let host = &hosts.port;
    match mode {
        PagingMode::Pae => {
            let make = |fixes| PortSide::<Pae, _, _>::new(host, fixes);
            explain_of(hosts, scenario, mode, make, fixes, fired, care)
        }
        _ => {
            let make = |fixes| PortSide::<NoPae, _, _>::new(host, fixes);
            explain_of(hosts, scenario, mode, make, fixes, fired, care)
        }
    }
}

/// The same for any port that `make` gives fixes to.
///
/// # Panics
/// The original must be built in.
pub fn explain_of<B: Side + Fired>(
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    make: impl Fn(Mixed) -> B,
    fixes: Mixed,
    fired: u32,
    care: Care,
) -> Explanation {
    let mut off = fired;
    loop {
        let both = |care| {
            let original = OriginalSide::new(&hosts.original, mode == PagingMode::Pae);
            let original = original.unwrap_or_else(|| unreachable!("the original is built in"));
            Both {
                pair: Pair::new(original, make(fixes.without(off))),
                care,
            }
        };
        let mut again = both(care);
        let done = run(
            &mut again,
            &scenario.machine,
            &scenario.pages,
            &mut Given(scenario.steps.iter()),
            |_, _, _| {},
        );
        if done.end.is_ok() {
            return Explanation::Fixes(off);
        }
        let more = again.pair.b.side.fired() & !off;
        if more == 0 {
            return match slowly(hosts, &mut both(Care::Full), scenario, mode) {
                Some(mut found) => {
                    let (on, off) = (names(fixes.without(off).0), names(off));
                    let _ = writeln!(
                        found.text,
                        "the port has the fixes {on}; these acted and are off: {off}"
                    );
                    Explanation::None(Box::new(found))
                }
                None => Explanation::Unsteady,
            };
        }
        off |= more;
    }
}

/// What a scenario did on the port with fixes.
pub struct Did<'a> {
    /// How it ended there.
    pub end: End,
    /// The step in which the host crashed, if it did.
    pub crashed: Crashed,
    /// What the oracles told.
    pub breaches: &'a [Breach],
    /// The fixes that acted, if the sides parted.
    pub parted: Option<u32>,
}

/// The verdict on it.
pub struct Judged {
    /// The fixes by which it parted from the original, if it did and they explain it.
    pub fixes: Option<u32>,
    /// What the oracles told that is not kept on purpose, or else harm to the host.
    pub breaches: Vec<Divergence>,
    /// A parting that nothing explains.
    pub difference: Option<Box<Divergence>>,
    /// An oracle spoke, and what is kept on purpose explains all of it.
    pub kept: bool,
    /// The sides parted and did not when run again: the rig is broken.
    pub unsteady: bool,
}

impl Judged {
    /// All that is wrong.
    pub fn found(&self) -> impl Iterator<Item = &Divergence> {
        self.breaches.iter().chain(self.difference.as_deref())
    }
}

/// Judges a scenario that is over; the sides run again with this care if they parted.
pub fn judge(
    hosts: &Hosts,
    scenario: &dyn Fn() -> ScenarioBuf,
    mode: PagingMode,
    fixes: Mixed,
    did: &Did<'_>,
    care: Care,
) -> Judged {
    let told = findings::unmended(did.breaches);
    let mut breaches: Vec<_> = told
        .map(|(breach, like)| harm::of_breach(mode, breach, like, scenario()))
        .collect();
    // What is left was told before, at the step that it comes of; a crash was told too.
    if breaches.is_empty() && findings::harms(&did.end) {
        breaches.extend(harm::report(mode, &did.end, did.crashed, scenario()));
    }
    let mut judged = Judged {
        fixes: None,
        kept: breaches.is_empty() && !did.breaches.is_empty(),
        breaches,
        difference: None,
        unsteady: false,
    };
    if let Some(fired) = did.parted {
        match explain(hosts, &scenario(), mode, fixes, fired, care) {
            Explanation::Fixes(fixes) => judged.fixes = Some(fixes),
            Explanation::None(found) => judged.difference = Some(found),
            Explanation::Unsteady => judged.unsteady = true,
        }
    }
    judged
}

/// What came of a scenario on the port with fixes.
pub struct Verified {
    /// What it did.
    pub counts: Counts,
    /// How it ended there.
    pub end: End,
    /// The class of the harm in that, if there is any.
    pub harm: Option<Class>,
    /// The verdict.
    pub judged: Judged,
}

/// Runs a scenario on the port with these fixes under the oracles and beside the original, compared with this care;
/// nothing if there is no original.
pub fn verify(
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    fixes: Mixed,
    care: Care,
) -> Option<Verified> {
    match mode {
        PagingMode::Pae => {
            let parting = hosts.parting::<Pae, _>(fixes, care)?;
            Some(verify_on(parting, hosts, scenario, mode, fixes, care))
        }
        _ => {
            let parting = hosts.parting::<NoPae, _>(fixes, care)?;
            Some(verify_on(parting, hosts, scenario, mode, fixes, care))
        }
    }
}

fn verify_on<D: Watchable>(
    parting: D,
    hosts: &Hosts,
    scenario: &ScenarioBuf,
    mode: PagingMode,
    fixes: Mixed,
    care: Care,
) -> Verified {
    let often = match care {
        Care::Full => Often::EachStep,
        _ => Often::AtTimes,
    };
    let mut drive = Watched::new(parting, often);
    let mut crashed = Crashed::default();
    let done = run(
        &mut drive,
        &scenario.machine,
        &scenario.pages,
        &mut Given(scenario.steps.iter()),
        |_, step, outcome| crashed.see(step, outcome),
    );
    // Sides that part do not differ: the port goes on alone.
    let end = done.end.unwrap_or(End::Lived);
    let breaches = drive.breaches().to_vec();
    let parted = drive.parted();
    drop(drive);
    let did = Did {
        end,
        crashed,
        breaches: &breaches,
        parted,
    };
    let judged = judge(hosts, &|| scenario.clone(), mode, fixes, &did, care);
    Verified {
        counts: done.counts,
        end,
        harm: harm::class_of(mode, &end, crashed),
        judged,
    }
}

/// The fixes with these ids in one mask, as the command line gives them: `C2,C23`.
///
/// # Errors
/// What is wrong with it.
pub fn mask_of(ids: &str) -> Result<u32, String> {
    ids.split(',').try_fold(0, |mask, id| {
        let fix = Fix::ALL.into_iter().find(|fix| fix.id() == id);
        let fix = fix.ok_or_else(|| format!("no fix {id:?}; expected some of {}", names(!0)))?;
        Ok(mask | fix.bit())
    })
}

/// The ids of the fixes in a mask, with commas.
pub fn names(mask: u32) -> String {
    let named = Fix::ALL.into_iter().filter(|fix| fix.bit() & mask != 0);
    named.map(Fix::id).collect::<Vec<_>>().join(",")
}

/// A port whose fixes are known.
pub trait Fired {
    /// The fixes that acted since the reset.
    fn fired(&self) -> u32;
}

impl<M: Mode, P: Policy> Fired for PortSide<'_, M, P, SimHost>
where
    SimHost: PortHost<M>,
{
    fn fired(&self) -> u32 {
        PortSide::fired(self)
    }
}
