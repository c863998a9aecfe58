// SPDX-License-Identifier: GPL-2.0-or-later
//! Generators of scenarios: a guest kernel that starts and works, a hostile guest, one that is both, and stretches of
//! what real guests did.
//!
//! A generator looks at the world while it chooses and then writes concrete numbers, so that what it made stands
//! by itself. Scenario `index` is a function of seed, profile, index, mode and of what the world does alone.

mod boot;
mod chaos;
mod context;
mod deadly;
mod forecast;
mod launcher;
mod machine;
mod mixed;
mod paging;
mod profile;
mod quals;
mod real;
mod rng;
mod values;
mod view;

use lguest_engine::{Machine, PageRecord, PagingMode, Runner, Side, Step, Verb};

use crate::drive::Source;
use crate::sim::mix;
use boot::Kernel;
use chaos::Chaos;
use context::Context;
use mixed::Spice;
use paging::Paging;
use quals::Plan;
use real::Stretch;
use rng::Rng;
use view::View;

pub use profile::{Profile, UnknownProfile};
pub use real::{at_work, stretch};

/// Acts without a step, in a row, after which the guest just waits.
const PATIENCE: u32 = 32;

/// Acts of a guest kernel that are said at once. Few of them look at the world, and together they find the code that
/// they share in the processor's cache; one that looks at it is said by itself.
const ACTS: u32 = 16;

/// How far a scenario has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Start,
    Life,
    /// The deadly act was done, or the guest died by itself; so many more steps are to come.
    End(u32),
}

/// Makes one scenario after the other, and keeps its memory between them.
pub struct Generator {
    /// The scenario's machine.
    pub machine: Machine,
    /// How its launcher maps the guest's pages.
    pub pages: Vec<PageRecord>,
    profile: Profile,
    ctx: Context,
    kernel: Kernel,
    chaos: Chaos,
    spice: Spice,
    stretch: Stretch,
    stage: Stage,
    /// Steps until the end, about.
    length: u32,
    /// It dies at its start.
    stillborn: bool,
    /// It ends with a deadly act.
    doomed: bool,
    /// It ends with a step that destroys the guest.
    destroys: bool,
    /// Number of the step, from 0, with which its end begins that is meant to be deadly.
    deadly: Option<u32>,
}

impl Generator {
    /// Scenario `index` of a campaign.
    #[must_use]
    pub fn new(seed: u64, profile: Profile, index: u64, mode: PagingMode) -> Self {
        let mut generator = Generator {
            machine: Machine::DEFAULT,
            pages: Vec::new(),
            profile,
            ctx: Context::new(),
            kernel: Kernel::default(),
            chaos: Chaos::default(),
            spice: Spice::default(),
            stretch: Stretch::default(),
            stage: Stage::Start,
            length: 0,
            stillborn: false,
            doomed: false,
            destroys: false,
            deadly: None,
        };
        generator.reset(seed, profile, index, mode);
        generator
    }

    /// Another scenario, in the memory of this one. A mode of `both` means two levels.
    pub fn reset(&mut self, seed: u64, profile: Profile, index: u64, mode: PagingMode) {
        let mode = if mode == PagingMode::Both {
            PagingMode::NoPae
        } else {
            mode
        };
        let mut state = mix(seed, index);
        state = mix(state, (profile as u64) << 8 | mode as u64);
        let ctx = &mut self.ctx;
        ctx.clear();
        ctx.rng = Rng::new(state);
        ctx.paging = Paging {
            pae: mode == PagingMode::Pae,
        };
        self.profile = profile;
        self.machine = if profile == Profile::Trace {
            self.pages.clear();
            real::machine(&mut ctx.rng, mode)
        } else {
            machine::draw(&mut ctx.rng, profile, mode, &mut self.pages)
        };
        ctx.machine = self.machine;
        ctx.launcher.reset(&self.machine, &self.pages);
        let (failing, stillborn, doomed) = match profile {
            Profile::Boot => (2, 2, 4),
            Profile::Chaos => (0, 7, 35),
            Profile::Mixed => (15, 6, 30),
            Profile::Trace => (0, 0, 0),
        };
        ctx.plan = Plan::draw(&mut ctx.rng, failing);
        self.stillborn = ctx.rng.percent(stillborn);
        self.doomed = ctx.rng.percent(doomed);
        self.destroys = ctx.rng.one_in(8);
        self.deadly = None;
        self.length = match profile {
            Profile::Boot if ctx.rng.percent(90) => ctx.rng.range(1000, 3000),
            Profile::Boot => ctx.rng.range(150, 1000),
            Profile::Chaos => ctx.rng.range(20, 300),
            Profile::Mixed => ctx.rng.range(200, 1500),
            // As long as its stretch.
            Profile::Trace => u32::MAX,
        };
        self.stage = Stage::Start;
        self.spice = Spice::default();
        if profile != Profile::Boot {
            self.chaos.draw(ctx);
        }
        if profile == Profile::Mixed {
            self.spice = Spice::draw(ctx);
        }
        if profile == Profile::Trace {
            self.stretch.draw(ctx, &mut self.chaos);
        }
    }

    /// The number of the step, from 0, from which on it is meant to die, if it has come so far.
    #[must_use]
    pub fn deadly(&self) -> Option<usize> {
        self.deadly.map(|step| step as usize)
    }

    /// Says more steps; false at the end of the scenario.
    #[inline(never)]
    fn refill<S: Side>(&mut self, world: &Runner<S>) -> bool {
        let dead = world.over() || world.side.dead() != 0;
        let ctx = &mut self.ctx;
        ctx.drop_rest();
        match self.stage {
            Stage::Start if self.stillborn => {
                self.deadly = Some(ctx.emitted);
                deadly::stillborn(ctx);
                self.stage = Stage::End(ctx.rng.below(3));
            }
            Stage::Start => {
                self.stage = Stage::Life;
                if self.profile == Profile::Chaos {
                    self.chaos.prologue(ctx);
                } else if self.profile == Profile::Trace {
                    self.stretch.prologue(ctx);
                } else {
                    self.kernel.lay_out(ctx);
                    self.kernel.start(ctx);
                }
            }
            Stage::Life if dead => self.stage = Stage::End(ctx.rng.below(4)),
            Stage::Life if ctx.emitted >= self.length => {
                let view = View::new(world, &self.machine);
                if self.doomed && view.state().lguest_data != 0 && !view.state().linear_pages {
                    self.deadly = Some(ctx.emitted);
                    deadly::act(ctx, &view);
                }
                self.stage = Stage::End(if self.doomed { ctx.rng.below(4) } else { 0 });
            }
            Stage::Life => {
                if self.profile == Profile::Trace {
                    if !self.stretch.act(ctx, &mut self.chaos, world) {
                        self.stage = Stage::End(ctx.rng.below(3));
                    }
                } else if self.profile == Profile::Chaos {
                    self.chaos.step(ctx, world);
                } else {
                    if std::mem::take(&mut self.spice.is_next) {
                        self.spice.add(ctx, &mut self.chaos, &self.kernel, world);
                    }
                    for _ in 0..ACTS {
                        self.kernel.act(ctx, world);
                        self.spice.is_next = self.spice.due(&mut ctx.rng);
                        let is_long = ctx.said() >= self.length;
                        if self.spice.is_next || self.kernel.looks_next() || is_long {
                            break;
                        }
                    }
                }
            }
            Stage::End(0) if self.destroys => {
                self.destroys = false;
                ctx.say(Step::new(Verb::Destroy, [0; 5]));
            }
            Stage::End(0) => return false,
            Stage::End(left) => {
                self.stage = Stage::End(left - 1);
                if dead && self.profile != Profile::Boot {
                    let view = View::new(world, &self.machine);
                    let step = self.chaos.candidate(ctx, &view);
                    ctx.say(step);
                } else {
                    ctx.run();
                }
            }
        }
        true
    }

    /// Passes over steps, in a world in which hostile ones were taken, that the guest does not live through.
    fn wary<S: Side>(&mut self, world: &Runner<S>) {
        while let Some(step) = self.ctx.first() {
            if mixed::survives(&self.ctx, world, step) {
                return;
            }
            self.ctx.pass();
        }
    }
}

impl Source for Generator {
    #[inline]
    fn next<S: Side>(&mut self, world: &Runner<S>) -> Option<&Step> {
        if world.over() {
            return None;
        }
        let mut idle = 0;
        loop {
            // Nobody but a mixed guest is ever tainted.
            if self.spice.tainted && self.stage == Stage::Life {
                self.wary(world);
            }
            if self.ctx.first().is_some() {
                return self.ctx.pass();
            }
            if idle == PATIENCE {
                self.ctx.drop_rest();
                self.ctx.run();
                idle = 0;
                continue;
            }
            idle += 1;
            if !self.refill(world) {
                return None;
            }
        }
    }
}
