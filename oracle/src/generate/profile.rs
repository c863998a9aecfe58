// SPDX-License-Identifier: GPL-2.0-or-later
//! The sorts of scenario that there are.

use std::fmt;
use std::str::FromStr;

/// A sort of scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Profile {
    /// A guest kernel that starts and runs processes as Linux does.
    Boot,
    /// A hostile guest: any call, any argument, near every limit.
    Chaos,
    /// A guest kernel with hostile steps among its own.
    Mixed,
    /// Stretches of real guests' boots, cut, spliced and perturbed.
    Trace,
}

impl Profile {
    /// Those that are made from nothing, and that take turns in a campaign.
    pub const ALL: [Profile; 3] = [Profile::Boot, Profile::Chaos, Profile::Mixed];

    /// All that have a name.
    pub const NAMED: [Profile; 4] = [
        Profile::Boot,
        Profile::Chaos,
        Profile::Mixed,
        Profile::Trace,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Boot => "boot",
            Profile::Chaos => "chaos",
            Profile::Mixed => "mixed",
            Profile::Trace => "trace",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no profile has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownProfile;

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown profile; expected boot, chaos, mixed or trace")
    }
}

impl std::error::Error for UnknownProfile {}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Profile::NAMED
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or(UnknownProfile)
    }
}
