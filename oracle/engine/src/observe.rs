// SPDX-License-Identifier: GPL-2.0-or-later
//! The observation: everything that a side and its host hold, as text in which frames have names, not numbers.
//!
//! Two hosts that number their frames differently give the same text for the same state.

use core::fmt::{self, Write};

use crate::side::{FrameName, Machinery, Side, State};

/// Tables in the order in which the walk first came to them; the caller gives the room.
pub struct Visited<'a> {
    pfns: &'a mut [u32],
    len: usize,
}

impl<'a> Visited<'a> {
    /// No table yet. With room for fewer than there are, the rest are all called by the last number.
    pub fn new(room: &'a mut [u32]) -> Self {
        Visited { pfns: room, len: 0 }
    }

    /// Those met so far.
    fn known(&self) -> impl Iterator<Item = &u32> {
        self.pfns.iter().take(self.len)
    }

    /// The number of a table, and whether this is the first time it is met.
    fn number(&mut self, pfn: u32) -> (usize, bool) {
        if let Some(n) = self.known().position(|known| *known == pfn) {
            return (n, false);
        }
        if let Some(place) = self.pfns.get_mut(self.len) {
            *place = pfn;
            self.len += 1;
        }
        (self.len.saturating_sub(1), true)
    }
}

/// Writes the whole observation, a thing a line.
pub fn observe<S: Side>(side: &S, visited: &mut Visited<'_>, to: &mut impl Write) -> fmt::Result {
    state(side, to)?;
    tables(side, visited, to)?;
    references(side, to)?;
    memory(side, to)
}

/// The fields outside of tables, the kill message among them.
#[inline(never)]
pub fn state<S: Side>(side: &S, to: &mut impl Write) -> fmt::Result {
    let state = side.state();
    guest(&state, to)?;
    stack(&state, to)?;
    dead(side, state.dead, to)?;
    slots(&state, to)?;
    writeln!(to, "draws={}", side.host().draws())
}

/// The guest's own fields; here and below a line is put together of parts, for each has a frame of its own.
#[inline(never)]
fn guest(state: &State, to: &mut impl Write) -> fmt::Result {
    write!(
        to,
        "guest slot={} linear={} kernel_address={:#x} lguest_data={:#x} ",
        state.cpu_pgd, state.linear_pages, state.kernel_address, state.lguest_data
    )
}

#[inline(never)]
fn stack(state: &State, to: &mut impl Write) -> fmt::Result {
    writeln!(
        to,
        "stack={}:{:#x}:{} next_hcall={}",
        state.ss1, state.esp1, state.stack_pages, state.next_hcall
    )
}

/// Whether the guest lives, and why not.
#[inline(never)]
fn dead<S: Side>(side: &S, dead: i32, to: &mut impl Write) -> fmt::Result {
    match dead {
        0 => writeln!(to, "alive")?,
        1 => {
            let mut result = Ok(());
            side.host().message(&mut |text| {
                result = write!(to, "dead \"")
                    .and_then(|()| escaped(text, to))
                    .and_then(|()| writeln!(to, "\""));
            });
            result?;
        }
        errno => writeln!(to, "dead errno={errno}")?,
    }
    Ok(())
}

/// The four shadows.
#[inline(never)]
fn slots(state: &State, to: &mut impl Write) -> fmt::Result {
    for (i, slot) in state.slots.iter().enumerate() {
        writeln!(
            to,
            "slot {i} gpgdir={:#x} switcher_mapped={} last_host_cpu={} pgdir={}",
            slot.gpgdir,
            slot.switcher_mapped,
            slot.last_host_cpu,
            if slot.pgdir == 0 { "none" } else { "allocated" }
        )?;
    }
    Ok(())
}

/// Bytes as text on one line.
#[inline(never)]
pub fn escaped(bytes: &[u8], to: &mut impl Write) -> fmt::Result {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => write!(to, "\\{}", char::from(*byte))?,
            b'\n' => to.write_str("\\n")?,
            0x20..0x7f => to.write_char(char::from(*byte))?,
            _ => write!(to, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}

/// Every entry that is not zero, of every table that can be reached from the slots.
#[inline(never)]
fn tables<S: Side>(side: &S, visited: &mut Visited<'_>, to: &mut impl Write) -> fmt::Result {
    let host = side.host();
    let levels = if side.pae() { 3 } else { 2 };
    for slot in side.state().slots {
        // After the guest's end the slots still hold the addresses of tables that are free.
        if host.name(slot.pgdir >> 12) == FrameName::Table {
            table(host, side.pae(), slot.pgdir >> 12, levels, visited, to)?;
        }
    }
    writeln!(to, "tables_held={}", host.tables_held())
}

#[inline(never)]
fn table<H: Machinery>(
    host: &H,
    pae: bool,
    pfn: u32,
    level: u32,
    visited: &mut Visited<'_>,
    to: &mut impl Write,
) -> fmt::Result {
    let (number, first) = visited.number(pfn);
    if !first {
        return Ok(());
    }
    let Some(words) = host.table(pfn) else {
        return Ok(());
    };
    let name = if level == 1 {
        "pte"
    } else if level == 2 && pae {
        "pmd"
    } else {
        "pgd"
    };
    let step = if pae { 2 } else { 1 };
    let value = |i: usize| {
        let low = u64::from(words[(i * step) & 1023].get());
        if pae {
            low | u64::from(words[(i * step + 1) & 1023].get()) << 32
        } else {
            low
        }
    };
    for i in (0..1024 / step).filter(|i| value(*i) != 0) {
        let entry = value(i);
        let flags = entry & 0xfff0_0000_0000_0fff;
        let to_pfn = ((entry & 0x000f_ffff_ffff_f000) >> 12) as u32;
        write!(to, "table {number} {name} {i} flags={flags:#x} ")?;
        if entry & 1 == 0 {
            // The original can leave the number of a frame behind in such an entry (finding C23), or -1 (C6).
            writeln!(to, "absent {}", host.name(to_pfn))?;
            continue;
        }
        match host.name(to_pfn) {
            FrameName::Table => writeln!(to, "table {}", visited.peek(to_pfn))?,
            name => writeln!(to, "{name}")?,
        }
        if level > 1 && host.name(to_pfn) == FrameName::Table {
            table(host, pae, to_pfn, level - 1, visited, to)?;
        }
    }
    Ok(())
}

impl Visited<'_> {
    /// The number that a table has, or will have if it is met next.
    fn peek(&self, pfn: u32) -> usize {
        self.known()
            .position(|known| *known == pfn)
            .unwrap_or(self.len)
    }
}

impl fmt::Display for FrameName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FrameName::Table => write!(to, "table"),
            FrameName::Guest { page, old, shared } => {
                write!(to, "guest page {page}")?;
                if old != 0 {
                    write!(to, ", old {old}")?;
                }
                if shared {
                    write!(to, ", shared")?;
                }
                Ok(())
            }
            FrameName::Switcher(n) => write!(to, "Switcher page {n}"),
            FrameName::Regs => write!(to, "regs page"),
            FrameName::Foreign(0) => write!(to, "frame 0"),
            // What the original takes for no frame, in an entry of two levels and of three.
            FrameName::Foreign(0xf_ffff | u32::MAX) => write!(to, "frame -1"),
            // Any other number would mean nothing on another host.
            FrameName::Foreign(_) => write!(to, "foreign frame"),
        }
    }
}

/// References held, frame by frame.
#[inline(never)]
fn references<S: Side>(side: &S, to: &mut impl Write) -> fmt::Result {
    let host = side.host();
    let (first, _) = host.data_frames();
    for (k, held) in host
        .all_held()
        .iter()
        .enumerate()
        .filter(|(_, held)| held.get() != 0)
    {
        writeln!(
            to,
            "held {} = {}",
            host.name(first.wrapping_add(k as u32)),
            held.get()
        )?;
    }
    Ok(())
}

/// Every word of guest memory that is not zero.
#[inline(never)]
fn memory<S: Side>(side: &S, to: &mut impl Write) -> fmt::Result {
    let host = side.host();
    let (first, end) = host.data_frames();
    for pfn in first..end {
        let Some(words) = host.data(pfn) else {
            continue;
        };
        for (i, word) in words.iter().enumerate().filter(|(_, word)| word.get() != 0) {
            writeln!(to, "memory {} word {i} = {:#x}", host.name(pfn), word.get())?;
        }
    }
    Ok(())
}
