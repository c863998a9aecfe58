// SPDX-License-Identifier: GPL-2.0-or-later
//! The simulated machine of a scenario: its parameters and their ranges.

use super::{Expect, fit};
use core::fmt;

/// The page size of guest and host, in bytes.
pub const PAGE_SIZE: u32 = 4096;
/// The most guest pages that have host memory behind them; a larger guest is a limit alone.
pub const MAX_BACKED: u32 = 0x4000;
/// The most host CPUs.
pub const MAX_CPUS: u8 = 32;
/// The most frames for shadow tables.
pub const MAX_TABLES: u16 = 2048;

/// Where the pages of the Switcher must end, at the latest.
const SWITCHER_END: u32 = 0xffff_f000;
/// Where the launcher's view of guest memory must end, at the latest.
const LAUNCHER_END: u32 = 0xc000_0000;
const PTE_NX: u64 = 1 << 63;
const PTE_GLOBAL: u64 = 0x100;

/// The host's paging mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PagingMode {
    /// Two levels, 32-bit entries.
    NoPae = 0,
    /// Three levels, 64-bit entries.
    Pae = 1,
    /// The scenario is run once in each mode.
    Both = 2,
}

/// In which order freed table frames are handed out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reuse {
    /// The lowest free frame first.
    Lowest = 0,
    /// The frame that has been free for longest first.
    Fifo = 1,
    /// A free frame chosen by the machine's seed.
    Seeded = 2,
}

/// The parameters of the simulated machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Paging mode of the host.
    pub mode: PagingMode,
    /// Guest pages (`pfn_limit`), at least 1; the first [`MAX_BACKED`] at most have memory.
    pub pages: u32,
    /// Device pages above them; the sum with `pages` does not wrap.
    pub device_pages: u32,
    /// Host CPUs (`nr_cpu_ids`), 1 to [`MAX_CPUS`].
    pub cpus: u8,
    /// Virtual address of the Switcher, page-aligned and not 0; its pages end below `0xfffff000`.
    pub switcher: u32,
    /// Launcher's virtual address of guest page 0, page-aligned and not 0; backed pages end below
    /// `0xc0000000`.
    pub mem_base: u32,
    /// Whether the host supports no-execute.
    pub nx: bool,
    /// Whether the host supports global entries.
    pub global: bool,
    /// The host's clock, kHz.
    pub tsc_khz: u32,
    /// Order in which freed table frames are reused.
    pub reuse: Reuse,
    /// Frames for shadow tables, 1 to [`MAX_TABLES`].
    pub tables: u16,
    /// Seed of the draws and of [`Reuse::Seeded`].
    pub seed: u64,
    /// The slot that `init_guest_pagetable` draws, 0 to 3; without it the seed decides.
    pub first_slot: Option<u8>,
    /// The allocation of `init_guest_pagetable` that fails, counted from 1; 0 is none.
    pub fail_start: u8,
    /// Reserved, 0.
    pub guest: u8,
    /// What must come of the scenario.
    pub expect: Expect,
}

impl Machine {
    /// The defaults of version 1 of the format; they never change within it.
    pub const DEFAULT: Machine = Machine {
        mode: PagingMode::NoPae,
        pages: 64,
        device_pages: 4,
        cpus: 1,
        switcher: 0xffef_6000,
        mem_base: 0x1000_0000,
        nx: true,
        global: true,
        tsc_khz: 1_000_000,
        reuse: Reuse::Lowest,
        tables: MAX_TABLES,
        seed: 0,
        first_slot: None,
        fail_start: 0,
        guest: 0,
        expect: Expect::Agree,
    };

    /// The first page number that is neither guest memory nor a device's (`device_limit`).
    #[must_use]
    pub const fn device_limit(&self) -> u32 {
        self.pages.wrapping_add(self.device_pages)
    }

    /// Guest pages that have host memory behind them.
    #[must_use]
    pub const fn backed(&self) -> u32 {
        if self.pages < MAX_BACKED {
            self.pages
        } else {
            MAX_BACKED
        }
    }

    /// The bits that the host lets a present entry have (`__supported_pte_mask`).
    #[must_use]
    pub const fn supported_pte_mask(&self) -> u64 {
        let nx = if self.nx { 0 } else { PTE_NX };
        let global = if self.global { 0 } else { PTE_GLOBAL };
        !(nx | global)
    }

    /// Pages of the Switcher (`TOTAL_SWITCHER_PAGES`): its text, then two for each CPU.
    #[must_use]
    pub const fn switcher_pages(&self) -> u32 {
        1 + 2 * self.cpus as u32
    }

    /// The highest valid `switcher`, given the number of CPUs.
    const fn most_switcher(&self) -> u32 {
        SWITCHER_END.saturating_sub(self.switcher_pages() * PAGE_SIZE)
    }

    /// The highest valid `mem_base`, given the number of pages.
    const fn most_mem_base(&self) -> u32 {
        LAUNCHER_END - self.backed() * PAGE_SIZE
    }

    /// Moves every field into its range; a valid machine stays as it is.
    ///
    /// A 0 where none is allowed means the default, so that an empty record is a useful machine.
    #[must_use]
    pub fn reduce(mut self) -> Machine {
        const D: Machine = Machine::DEFAULT;
        let page = |v: u32, most: u32| fit(v / PAGE_SIZE, 1, most / PAGE_SIZE) * PAGE_SIZE;
        let or = |v: u32, default: u32| if v == 0 { default } else { v };
        self.pages = or(self.pages, D.pages);
        self.device_pages = fit(self.device_pages, 0, u32::MAX - self.pages);
        self.cpus = fit(or(self.cpus.into(), D.cpus.into()), 1, MAX_CPUS.into()) as u8;
        self.switcher = page(or(self.switcher, D.switcher), self.most_switcher());
        self.mem_base = page(or(self.mem_base, D.mem_base), self.most_mem_base());
        self.tables = fit(
            or(self.tables.into(), D.tables.into()),
            1,
            MAX_TABLES.into(),
        ) as u16;
        self.first_slot = self.first_slot.map(|slot| slot % 4);
        self.guest = 0;
        self.expect = self.expect.reduce();
        self
    }

    /// Whether every field is in its range.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self) -> Result<(), MachineError> {
        let num = |field, value: u32, least: u32, most: u32| {
            let e = MachineError {
                field,
                value,
                least,
                most,
                aligned: false,
            };
            if value < least || value > most {
                Err(e)
            } else {
                Ok(())
            }
        };
        let page = |field, value: u32, most: u32| {
            let e = MachineError {
                field,
                value,
                least: PAGE_SIZE,
                most,
                aligned: true,
            };
            if value < PAGE_SIZE || value > most || value % PAGE_SIZE != 0 {
                Err(e)
            } else {
                Ok(())
            }
        };
        num("pages", self.pages, 1, u32::MAX)?;
        num("device_pages", self.device_pages, 0, u32::MAX - self.pages)?;
        num("cpus", self.cpus.into(), 1, MAX_CPUS.into())?;
        page("switcher", self.switcher, self.most_switcher())?;
        page("mem_base", self.mem_base, self.most_mem_base())?;
        num("tables", self.tables.into(), 1, MAX_TABLES.into())?;
        num("first_slot", self.first_slot.unwrap_or(0).into(), 0, 3)?;
        num("guest", self.guest.into(), 0, 0)?;
        num(
            "expect",
            u32::from(self.expect.reduce() == self.expect),
            1,
            1,
        )
    }
}

impl Default for Machine {
    fn default() -> Machine {
        Machine::DEFAULT
    }
}

/// A field of a machine that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineError {
    /// The field's name, as in the text form.
    pub field: &'static str,
    /// Its value.
    pub value: u32,
    /// The least valid value.
    pub least: u32,
    /// The greatest valid value, given the fields before it.
    pub most: u32,
    /// Whether it must also be page-aligned.
    pub aligned: bool,
}

impl MachineError {
    /// The field's value as a reader of the text would write it.
    pub fn found(&self) -> impl fmt::Display + use<> {
        let e = *self;
        Show(
            move |f: &mut fmt::Formatter<'_>| match (e.field, e.aligned) {
                ("expect", _) => f.write_str("malformed"),
                (_, true) => write!(f, "{:#x}", e.value),
                _ => write!(f, "{}", e.value),
            },
        )
    }

    /// What would be right.
    pub fn expected(&self) -> impl fmt::Display + use<> {
        let e = *self;
        Show(
            move |f: &mut fmt::Formatter<'_>| match (e.field, e.aligned) {
                ("expect", _) => f.write_str("a finding's id of 1 to 15 characters A-Z a-z 0-9 _"),
                (_, true) => write!(
                    f,
                    "a multiple of 0x1000 from {:#x} to {:#x}",
                    e.least, e.most
                ),
                _ if e.least == e.most => write!(f, "{}", e.least),
                _ => write!(f, "{} to {}", e.least, e.most),
            },
        )
    }
}

/// Displays by a closure.
struct Show<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Show<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is {}; expected {}",
            self.field,
            self.found(),
            self.expected()
        )
    }
}

impl core::error::Error for MachineError {}
