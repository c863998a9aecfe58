// SPDX-License-Identifier: GPL-2.0-or-later
//! A scenario that owns its records, for everything that makes or changes one.

use lguest_engine::scenario::binary::{
    BinaryError, HEADER_LEN, MACHINE_LEN, PAGE_LEN, STEP_LEN, Scenario,
};
use lguest_engine::scenario::encode_header;
use lguest_engine::{
    MAX_PAGE_RECORDS, MAX_STEPS, Machine, MachineError, PageRecord, RecordError, Step, Verb,
};
use std::fmt;

/// The most bytes that the binary form of a scenario has.
pub const MAX_BINARY_LEN: usize =
    HEADER_LEN + MACHINE_LEN + MAX_PAGE_RECORDS * PAGE_LEN + MAX_STEPS * STEP_LEN;

/// A scenario that owns its records.
///
/// Its parts are free to be changed; [`ScenarioBuf::check`] tells whether they still fit together.
/// Without any of its steps, or of its page records, a valid scenario stays valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScenarioBuf {
    /// The machine, and what must come of the scenario.
    pub machine: Machine,
    /// How the host maps the guest's pages, where that is not the default.
    pub pages: Vec<PageRecord>,
    /// The steps.
    pub steps: Vec<Step>,
}

impl ScenarioBuf {
    /// A scenario without steps.
    #[must_use]
    pub const fn new(machine: Machine) -> ScenarioBuf {
        ScenarioBuf {
            machine,
            pages: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Whether the scenario is valid: whether it can be written and read back.
    ///
    /// # Errors
    /// The first part that is not.
    pub fn check(&self) -> Result<(), Invalid> {
        self.machine.check().map_err(Invalid::Machine)?;
        if self.pages.len() > MAX_PAGE_RECORDS {
            return Err(Invalid::TooManyPages);
        }
        for (i, page) in self.pages.iter().enumerate() {
            page.check(&self.machine).map_err(|e| Invalid::Page(i, e))?;
        }
        if self.steps.len() > MAX_STEPS {
            return Err(Invalid::TooManySteps);
        }
        for (i, step) in self.steps.iter().enumerate() {
            step.check(&self.machine).map_err(|e| Invalid::Step(i, e))?;
            if step.verb == Verb::Destroy && i + 1 != self.steps.len() {
                return Err(Invalid::AfterDestroy(i + 1));
            }
        }
        Ok(())
    }

    /// The binary form. It is canonical if the scenario is valid; else the strict reader refuses it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = HEADER_LEN + MACHINE_LEN + self.pages.len() * PAGE_LEN;
        let mut bytes = Vec::with_capacity(len + self.steps.len() * STEP_LEN);
        self.write_bytes(&mut bytes);
        bytes
    }

    /// Writes the binary form over what is in `bytes`, whose room is used again.
    pub fn write_bytes(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend(encode_header(
            u16::try_from(self.pages.len()).unwrap_or(u16::MAX),
        ));
        bytes.extend(self.machine.encode());
        self.pages.iter().for_each(|p| bytes.extend(p.encode()));
        self.steps.iter().for_each(|s| bytes.extend(s.encode()));
    }

    /// Reads a canonical scenario ([`Scenario::strict`]).
    ///
    /// # Errors
    /// The first field that is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<ScenarioBuf, BinaryError> {
        Scenario::strict(bytes).map(ScenarioBuf::from)
    }
}

impl From<Scenario<'_>> for ScenarioBuf {
    fn from(s: Scenario<'_>) -> ScenarioBuf {
        ScenarioBuf {
            machine: s.machine,
            pages: s.pages().collect(),
            steps: s.steps().collect(),
        }
    }
}

/// Why a scenario is not valid; records are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The machine is not.
    Machine(MachineError),
    /// This page record is not.
    Page(usize, RecordError),
    /// There are more than [`MAX_PAGE_RECORDS`].
    TooManyPages,
    /// This step is not.
    Step(usize, RecordError),
    /// This step comes after a destroy.
    AfterDestroy(usize),
    /// There are more than [`MAX_STEPS`].
    TooManySteps,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::Machine(e) => write!(f, "machine: {e}"),
            Invalid::Page(i, e) => write!(f, "page record {i}: {e}"),
            Invalid::TooManyPages => {
                write!(
                    f,
                    "too many page records; expected at most {MAX_PAGE_RECORDS}"
                )
            }
            Invalid::Step(i, e) => write!(f, "step {i}: {e}"),
            Invalid::AfterDestroy(i) => {
                write!(
                    f,
                    "step {i} comes after destroy; expected the end of the scenario"
                )
            }
            Invalid::TooManySteps => write!(f, "too many steps; expected at most {MAX_STEPS}"),
        }
    }
}

impl std::error::Error for Invalid {}
