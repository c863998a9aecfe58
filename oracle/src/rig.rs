// SPDX-License-Identifier: GPL-2.0-or-later
//! The rig: two simulated hosts with both sides on them, in both paging modes, made once and reset for each scenario.

use lguest_engine::{Care, Machine, PageRecord, PagingMode, Pair, PortHost, PortSide, Runner};
use lguest_shadow::{Faithful, Mode, NoPae, Pae, Policy};

use crate::drive::{Alone, Both};
use crate::hardened::{Parting, names};
use crate::original::OriginalSide;
use crate::sim::{REGS_PAGE, SimHost};

impl PortHost<NoPae> for SimHost {
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.reset(machine, false, pages);
    }

    fn regs_page(&self) -> u32 {
        REGS_PAGE
    }
}

impl PortHost<Pae> for SimHost {
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.reset(machine, true, pages);
    }

    fn regs_page(&self) -> u32 {
        REGS_PAGE
    }
}

/// The faithful port on a simulated host.
pub type Port<'h, M> = PortSide<'h, M, Faithful, SimHost>;

/// Original and port in lockstep.
pub type OriginalAndPort<'h, M> = Both<OriginalSide<'h>, Port<'h, M>>;

/// Which implementations run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Original and port, compared.
    Both,
    /// The original alone.
    Original,
    /// The port alone.
    Faithful,
    /// The port with its fixes but those in this mask, against the original.
    Hardened {
        /// Bits of the fixes that are switched off.
        without: u32,
    },
}

impl Subject {
    /// The flags that choose it, each after a blank; none for both sides, which need no choice.
    pub fn flags(self) -> String {
        match self {
            Subject::Hardened { without: 0 } => " --subject hardened".into(),
            Subject::Hardened { without } => {
                format!(" --subject hardened --without {}", names(without))
            }
            _ => String::new(),
        }
    }
}

/// The two hosts of one worker.
pub struct Hosts {
    /// Under the original.
    pub original: SimHost,
    /// Under the port.
    pub port: SimHost,
}

impl Hosts {
    /// Two fresh hosts.
    ///
    /// # Errors
    /// No address space is left for their tables.
    pub fn new() -> std::io::Result<Self> {
        Ok(Hosts {
            original: SimHost::new()?,
            port: SimHost::new()?,
        })
    }

    /// Keeps the kernel calls themselves on both, beside their hash.
    pub fn keep_log(&self, on: bool) {
        self.original.keep_log(on);
        self.port.keep_log(on);
    }

    /// Original and port together, two-level paging; nothing if the original is not built in.
    pub fn nopae(&self, care: Care) -> Option<OriginalAndPort<'_, NoPae>> {
        let original = OriginalSide::new(&self.original, false)?;
        Some(Both {
            pair: Pair::new(original, PortSide::new(&self.port, Faithful)),
            care,
        })
    }

    /// The same with three levels.
    pub fn pae(&self, care: Care) -> Option<OriginalAndPort<'_, Pae>> {
        let original = OriginalSide::new(&self.original, true)?;
        Some(Both {
            pair: Pair::new(original, PortSide::new(&self.port, Faithful)),
            care,
        })
    }

    /// The original alone; nothing if it is not built in.
    pub fn original_alone(&self, pae: bool) -> Option<Alone<OriginalSide<'_>>> {
        OriginalSide::new(&self.original, pae).map(|side| Alone(Runner::new(side)))
    }

    /// The original and a port that is to part from it where its fixes act; nothing if the original is not built in.
    pub fn parting<M: Mode, P: Policy>(
        &self,
        policy: P,
        care: Care,
    ) -> Option<Parting<OriginalSide<'_>, PortSide<'_, M, P, SimHost>>>
    where
        SimHost: PortHost<M>,
    {
        let original = OriginalSide::new(&self.original, M::PAE)?;
        let port = PortSide::new(&self.port, policy);
        Some(Parting::new(original, port, care))
    }

    /// The port alone, two-level paging.
    pub fn port_nopae(&self) -> Alone<Port<'_, NoPae>> {
        Alone(Runner::new(PortSide::new(&self.port, Faithful)))
    }

    /// The port alone with three levels.
    pub fn port_pae(&self) -> Alone<Port<'_, Pae>> {
        Alone(Runner::new(PortSide::new(&self.port, Faithful)))
    }
}

/// The modes that a scenario or a campaign is for, two-level first.
pub fn modes(mode: PagingMode) -> &'static [PagingMode] {
    match mode {
        PagingMode::NoPae => &[PagingMode::NoPae],
        PagingMode::Pae => &[PagingMode::Pae],
        PagingMode::Both => &[PagingMode::NoPae, PagingMode::Pae],
    }
}

/// The word for a mode in reports.
pub fn mode_name(mode: PagingMode) -> &'static str {
    match mode {
        PagingMode::NoPae => "nopae",
        PagingMode::Pae => "pae",
        PagingMode::Both => "both",
    }
}
