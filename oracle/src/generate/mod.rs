// SPDX-License-Identifier: GPL-2.0-or-later
//! Placeholder so that the crate builds; the generators replace this file.
use crate::drive::Source;
use lguest_engine::{Machine, PageRecord, PagingMode, Runner, Side, Step};
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    Boot,
    Chaos,
    Mixed,
}
impl Profile {
    pub const ALL: [Profile; 3] = [Profile::Boot, Profile::Chaos, Profile::Mixed];
    pub fn name(self) -> &'static str {
        match self {
            Profile::Boot => "boot",
            Profile::Chaos => "chaos",
            Profile::Mixed => "mixed",
        }
    }
}
pub struct Generator {
    pub machine: Machine,
    pub pages: Vec<PageRecord>,
}
impl Generator {
    pub fn new(_: u64, _: Profile, _: u64, mode: PagingMode) -> Self {
        Generator {
            machine: Machine {
                mode,
                ..Machine::default()
            },
            pages: Vec::new(),
        }
    }
    pub fn reset(&mut self, seed: u64, profile: Profile, index: u64, mode: PagingMode) {
        *self = Self::new(seed, profile, index, mode);
    }
}
impl Source for Generator {
    fn next<S: Side>(&mut self, _: &Runner<S>) -> Option<Step> {
        None
    }
}
