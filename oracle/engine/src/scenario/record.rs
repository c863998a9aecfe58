// SPDX-License-Identifier: GPL-2.0-or-later
//! The records of the binary form: how each part of a scenario is laid out in bytes.
//!
//! Every record decodes to something valid. One is canonical if encoding that gives it back.

use super::binary::{HEADER_LEN, MACHINE_LEN, MAGIC, PAGE_LEN, STEP_LEN, VERSION};
use super::{
    During, Event, Expect, Machine, Mapping, PageRecord, PagingMode, Quals, Reuse, Step, Verb,
};

/// The header of a scenario with this many page records.
#[must_use]
pub fn encode_header(pages: u16) -> [u8; HEADER_LEN] {
    let mut b = [0; HEADER_LEN];
    put(&mut b, 0, &MAGIC);
    put(&mut b, 4, &VERSION.to_le_bytes());
    put(&mut b, 6, &pages.to_le_bytes());
    b
}

impl Machine {
    /// The machine's record.
    #[must_use]
    pub fn encode(&self) -> [u8; MACHINE_LEN] {
        let mut b = [0; MACHINE_LEN];
        b[0] = self.mode as u8;
        b[1] = self.reuse as u8;
        b[2] = u8::from(self.nx) | u8::from(self.global) << 1;
        b[3] = self.cpus;
        b[4] = self.guest;
        put(&mut b, 6, &self.tables.to_le_bytes());
        put(&mut b, 8, &self.pages.to_le_bytes());
        put(&mut b, 12, &self.device_pages.to_le_bytes());
        put(&mut b, 16, &self.switcher.to_le_bytes());
        put(&mut b, 20, &self.mem_base.to_le_bytes());
        put(&mut b, 24, &self.tsc_khz.to_le_bytes());
        b[28] = self.first_slot.map_or(0, |slot| slot.saturating_add(1));
        b[29] = self.fail_start;
        put(&mut b, 32, &self.seed.to_le_bytes());
        if let Expect::Finding(id) = &self.expect {
            b[5] = 1;
            put(&mut b, 40, id);
        }
        b
    }

    /// The machine of any record; always valid.
    #[must_use]
    pub fn decode(b: &[u8; MACHINE_LEN]) -> Machine {
        const MODES: [PagingMode; 3] = [PagingMode::NoPae, PagingMode::Pae, PagingMode::Both];
        const ORDERS: [Reuse; 3] = [Reuse::Lowest, Reuse::Fifo, Reuse::Seeded];
        let mut id = [0; 15];
        id.copy_from_slice(&b[40..55]);
        Machine {
            mode: MODES[usize::from(b[0]) % 3],
            pages: le32(b, 8),
            device_pages: le32(b, 12),
            cpus: b[3],
            switcher: le32(b, 16),
            mem_base: le32(b, 20),
            nx: b[2] & 1 != 0,
            global: b[2] & 2 != 0,
            tsc_khz: le32(b, 24),
            reuse: ORDERS[usize::from(b[1]) % 3],
            tables: le16(b, 6),
            seed: le64(b, 32),
            first_slot: (b[28] % 5).checked_sub(1),
            fail_start: b[29],
            guest: 0,
            expect: if b[5] % 2 == 1 {
                Expect::Finding(id)
            } else {
                Expect::Agree
            },
        }
        .reduce()
    }
}

impl PageRecord {
    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; PAGE_LEN] {
        let mut b = [0; PAGE_LEN];
        put(&mut b, 0, &self.first.to_le_bytes());
        put(&mut b, 4, &self.count.to_le_bytes());
        put(&mut b, 8, &self.shared.unwrap_or(0).to_le_bytes());
        b[12] = self.mapping as u8;
        b[13] = u8::from(self.shared.is_some());
        b
    }

    /// The page record of any bytes; always valid on this (valid) machine.
    #[must_use]
    pub fn decode(b: &[u8; PAGE_LEN], machine: &Machine) -> PageRecord {
        const MAPPINGS: [Mapping; 4] = [
            Mapping::Absent,
            Mapping::ReadOnly,
            Mapping::Writable,
            Mapping::CopyOnWrite,
        ];
        let record = PageRecord {
            first: le32(b, 0),
            count: le32(b, 4),
            mapping: MAPPINGS[usize::from(b[12]) % 4],
            shared: (b[13] % 2 == 1).then(|| le32(b, 8)),
        };
        record.reduce(machine)
    }
}

impl Step {
    /// The step's record.
    #[must_use]
    pub fn encode(&self) -> [u8; STEP_LEN] {
        let mut b = [0; STEP_LEN];
        let q = &self.quals;
        b[0] = self.verb as u8;
        b[2] = q.fail_message.into();
        b[3] = q.draw.map_or(0, |d| d.saturating_add(1));
        b[4] = q.fail_alloc;
        b[5] = q.fail_pin;
        b[6] = q.fail_copy;
        for (i, arg) in self.args.iter().enumerate() {
            put(&mut b, 8 + 4 * i, &arg.to_le_bytes());
        }
        if let Some(During { call, event }) = q.during {
            b[7] = call;
            let (kind, at) = match event {
                Event::Write { gpa, value, width } => {
                    b[29] = width;
                    put(&mut b, 40, &value.to_le_bytes());
                    (0, gpa)
                }
                Event::Unmap(page) => (1, page),
                Event::Protect(page) => (2, page),
                Event::Unprotect(page) => (3, page),
                Event::Share(page) => (4, page),
            };
            b[28] = kind;
            put(&mut b, 32, &at.to_le_bytes());
        }
        b
    }

    /// The step of any record; always valid on this (valid) machine.
    ///
    /// Only the exact number of destroy is a destroy: were its share of all bytes the same as that
    /// of the other verbs, random bytes would hardly ever make a long scenario. So it is with the
    /// verbs that came later, which leaves all other bytes the meaning that they had before.
    #[must_use]
    pub fn decode(b: &[u8; STEP_LEN], machine: &Machine) -> Step {
        let number = usize::from(b[0]);
        let verb = match Verb::ALL.get(number.wrapping_sub(1)) {
            Some(verb) => *verb,
            None => match Verb::ALL[number % MODULUS] {
                Verb::Destroy => Verb::Hypercall,
                verb => verb,
            },
        };
        let at = le32(b, 32);
        let event = match b[28] % 5 {
            0 => Event::Write {
                gpa: at,
                value: le64(b, 40),
                width: b[29],
            },
            1 => Event::Unmap(at),
            2 => Event::Protect(at),
            3 => Event::Unprotect(at),
            _ => Event::Share(at),
        };
        let quals = Quals {
            fail_alloc: b[4],
            fail_pin: b[5],
            fail_copy: b[6],
            fail_message: b[2] % 2 == 1,
            draw: (b[3] % 5).checked_sub(1),
            during: (b[7] != 0).then_some(During { call: b[7], event }),
        };
        let args = [
            le32(b, 8),
            le32(b, 12),
            le32(b, 16),
            le32(b, 20),
            le32(b, 24),
        ];
        Step { verb, args, quals }.reduce(machine)
    }
}

/// Verbs that a number which is no verb's can fall on.
const MODULUS: usize = Verb::BootData as usize;

fn put(b: &mut [u8], at: usize, bytes: &[u8]) {
    b[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(super) fn le16(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

fn le32(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn le64(b: &[u8], at: usize) -> u64 {
    u64::from(le32(b, at)) | u64::from(le32(b, at + 4)) << 32
}
