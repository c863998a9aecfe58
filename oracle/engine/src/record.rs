// SPDX-License-Identifier: GPL-2.0-or-later
//! The lines of a recording: what a side was seen to do in each step, with frames by name and no number of this host.
//!
//! ```text
//! 3 access: word 0x55
//! 4 demand_page: fixed; =0/768/1 0x63 guest page 6; held guest page 6 = 1; copy_from_user … #ee9e2bba6ad2bfba
//! end: held 0 tables, 0 references
//! ```
//!
//! A line begins with the step's number (0 is `init_guest_pagetable`) and its verb, then what came of it. Behind that,
//! with a semicolon before each: the fields outside of tables that changed, a death among them; entries that came (+),
//! changed (=) or went (-), by slot and indexes from the top level down, with their flags and what they name; with
//! an entry that went, all below it are gone; references held now on the frames where that changed; the kernel calls,
//! in order. At the end, if it is another one than before, stands the digest ([`Fnv`]) of the whole observation
//! ([`observe`](crate::observe)). After a crash of the host nothing is known but the calls; it is the last line.

use core::fmt::{self, Write};

use lguest_shadow::HostBug;

use crate::calls::KeepsCalls;
use crate::changes::Seen;
use crate::digest::Fnv;
use crate::observe::{Visited, escaped, observe};
use crate::run::Outcome;
use crate::scenario::hypercall_name;
use crate::side::{Machinery, Side, State};
use crate::{Step, Verb, left};

pub use crate::changes::{Entry, Held};

/// The version of these lines.
pub const FORMAT: u32 = 1;
/// Entries that a step is shown with; a line says so when a side has more. All hosts must give the same room.
pub const ENTRIES: usize = 8192;
/// The same for data frames with references.
pub const FRAMES: usize = 2048;

/// The room that recording needs.
pub struct Scratch<'a> {
    /// A word for each table that there can be.
    pub tables: &'a mut [u32],
    /// Twice [`ENTRIES`] of [`Entry::NONE`].
    pub entries: &'a mut [Entry],
    /// Twice [`FRAMES`] of [`Held::NONE`].
    pub held: &'a mut [Held],
}

/// Writes the lines of one scenario on one side.
///
/// The caller runs the steps; each line is to be written before the next step is done.
pub struct Recorder<'a> {
    tables: &'a mut [u32],
    before: Seen<'a>,
    now: Seen<'a>,
    state: State,
    digest: Fnv,
    digests: bool,
    lines: u32,
    crashed: bool,
}

impl<'a> Recorder<'a> {
    /// A recorder; [`Recorder::began`] comes first.
    pub fn new(room: Scratch<'a>) -> Self {
        let (old, new) = room.entries.split_at_mut(room.entries.len() / 2);
        let (old_held, new_held) = room.held.split_at_mut(room.held.len() / 2);
        Recorder {
            tables: room.tables,
            before: Seen::new(old, old_held),
            now: Seen::new(new, new_held),
            state: State::default(),
            digest: Fnv::new(),
            digests: true,
            lines: 0,
            crashed: false,
        }
    }

    /// The same without digests, which take most of the time.
    #[must_use]
    pub fn without_digests(self) -> Self {
        Recorder {
            digests: false,
            ..self
        }
    }

    /// What came of `init_guest_pagetable`.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn began<S: Side<Host: KeepsCalls>>(
        &mut self,
        side: &S,
        result: &Result<i32, HostBug>,
        to: &mut impl Write,
    ) -> fmt::Result {
        write!(to, "0 init_guest_pagetable: ")?;
        match result {
            Ok(errno) => write!(to, "{errno}")?,
            Err(bug) => self.crash(side, *bug, to)?,
        }
        self.finish(side, to)
    }

    /// What came of a step.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn step<S: Side<Host: KeepsCalls>>(
        &mut self,
        side: &S,
        step: &Step,
        outcome: &Outcome,
        to: &mut impl Write,
    ) -> fmt::Result {
        self.lines = self.lines.saturating_add(1);
        let verb = match step.verb {
            Verb::Hypercall => hypercall_name(step.args[0]).unwrap_or("hypercall"),
            verb => verb.name(),
        };
        write!(to, "{} {verb}: ", self.lines)?;
        match *outcome {
            Outcome::Skipped => write!(to, "skipped")?,
            Outcome::Done => write!(to, "done")?,
            Outcome::Value(value) => write!(to, "{value:#x}")?,
            Outcome::Fixed(0) => write!(to, "fixed")?,
            Outcome::Fixed(iomem) => write!(to, "fixed, and I/O memory at {iomem:#x}")?,
            Outcome::NotFixed(0) => write!(to, "not fixed")?,
            Outcome::NotFixed(iomem) => write!(to, "not fixed, I/O memory at {iomem:#x}")?,
            Outcome::Found(paddr) => write!(to, "mapped to {paddr:#x}")?,
            Outcome::NotFound(paddr) => write!(to, "not mapped, {paddr:#x} left")?,
            Outcome::Word(word) => write!(to, "word {word:#x}")?,
            Outcome::Reflected(errcode) => write!(to, "fault for the guest, {errcode:#x}")?,
            Outcome::Iomem(at) => write!(to, "I/O memory at {at:#x}")?,
            Outcome::Beyond => write!(to, "beyond the segment's limit")?,
            Outcome::Foreign(pfn) => write!(to, "reached the {}", side.host().name(pfn))?,
            Outcome::Stuck => write!(to, "stuck")?,
            Outcome::Killed => write!(to, "killed")?,
            Outcome::Bug(bug) => self.crash(side, bug, to)?,
        }
        self.finish(side, to)
    }

    /// What is left when the guest is gone, or never was; a crash leaves no more to be told.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn ended<S: Side>(&self, side: &S, to: &mut impl Write) -> fmt::Result {
        if self.crashed {
            return writeln!(to, "end: the host is gone");
        }
        let left = left(side.host());
        writeln!(
            to,
            "end: held {} tables, {} references",
            left.tables, left.references
        )
    }

    fn crash<S: Side>(&mut self, side: &S, bug: HostBug, to: &mut impl Write) -> fmt::Result {
        self.crashed = true;
        write!(to, "the host crashes: {}", bug.kind().name())?;
        match bug.pfn() {
            0 => Ok(()),
            pfn => write!(to, ", {}", side.host().name(pfn)),
        }
    }

    /// The rest of the line: what changed, the calls, the digest.
    fn finish<S: Side<Host: KeepsCalls>>(&mut self, side: &S, to: &mut impl Write) -> fmt::Result {
        let calls = side.host().kept();
        if self.crashed {
            calls.write(to)?;
            return writeln!(to);
        }
        let state = side.state();
        fields(side, &self.state, &state, to)?;
        self.state = state;
        self.now.look(side);
        self.now.changes(&self.before, to)?;
        core::mem::swap(&mut self.now, &mut self.before);
        calls.write(to)?;
        calls.clear();
        if !self.digests {
            return writeln!(to);
        }
        let mut digest = Fnv::new();
        observe(side, &mut Visited::new(self.tables), &mut digest)?;
        if digest != self.digest {
            write!(to, " #{:016x}", digest.value())?;
            self.digest = digest;
        }
        writeln!(to)
    }
}

/// The fields that changed.
fn fields<S: Side>(side: &S, old: &State, new: &State, to: &mut impl Write) -> fmt::Result {
    if new.dead != old.dead {
        if new.dead == 1 {
            let mut result = Ok(());
            side.host().message(&mut |text| {
                result = to
                    .write_str("; dead \"")
                    .and_then(|()| escaped(text, to))
                    .and_then(|()| to.write_char('"'));
            });
            result?;
        } else {
            write!(to, "; dead {}", new.dead)?;
        }
    }
    if new.cpu_pgd != old.cpu_pgd {
        write!(to, "; cpu_pgd={}", new.cpu_pgd)?;
    }
    if new.linear_pages != old.linear_pages {
        write!(to, "; linear_pages={}", new.linear_pages)?;
    }
    if new.kernel_address != old.kernel_address {
        write!(to, "; kernel_address={:#x}", new.kernel_address)?;
    }
    if new.lguest_data != old.lguest_data {
        write!(to, "; lguest_data={:#x}", new.lguest_data)?;
    }
    if new.ss1 != old.ss1 {
        write!(to, "; ss1={}", new.ss1)?;
    }
    if new.esp1 != old.esp1 {
        write!(to, "; esp1={:#x}", new.esp1)?;
    }
    if new.stack_pages != old.stack_pages {
        write!(to, "; stack_pages={}", new.stack_pages)?;
    }
    if new.next_hcall != old.next_hcall {
        write!(to, "; next_hcall={}", new.next_hcall)?;
    }
    for (i, (old, new)) in old.slots.iter().zip(&new.slots).enumerate() {
        if new.gpgdir != old.gpgdir {
            write!(to, "; gpgdir[{i}]={:#x}", new.gpgdir)?;
        }
        if (new.pgdir == 0) != (old.pgdir == 0) {
            let what = if new.pgdir == 0 { "none" } else { "allocated" };
            write!(to, "; pgdir[{i}]={what}")?;
        }
        if new.last_host_cpu != old.last_host_cpu {
            write!(to, "; last_host_cpu[{i}]={}", new.last_host_cpu)?;
        }
        if new.switcher_mapped != old.switcher_mapped {
            write!(to, "; switcher_mapped[{i}]={}", new.switcher_mapped)?;
        }
    }
    Ok(())
}
