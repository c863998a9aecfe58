// SPDX-License-Identifier: GPL-2.0-or-later
//! Which of two scenarios is the smaller one: the order in which a search can only go down.

use lguest_engine::{Event, Machine, PageRecord, Quals, Step, Verb};

use crate::scenario_buf::ScenarioBuf;

/// How large a scenario is; the first field that differs decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Weight {
    /// Steps.
    pub steps: usize,
    /// Qualifiers, events among them.
    pub quals: usize,
    /// Page records, and what is unusual in them.
    pub pages: usize,
    /// Fields of the machine that are not at their defaults.
    pub fields: usize,
    /// Verbs that have a simpler one in their place.
    pub verbs: usize,
    /// Set bits of all numbers.
    pub bits: u64,
    /// Their sum.
    pub sum: u128,
}

impl Weight {
    /// The weight of a scenario.
    pub fn of(scenario: &ScenarioBuf) -> Weight {
        let mut weight = Weight {
            steps: scenario.steps.len(),
            quals: 0,
            pages: 0,
            fields: 0,
            verbs: 0,
            bits: 0,
            sum: 0,
        };
        weight.machine(&scenario.machine);
        scenario.pages.iter().for_each(|page| weight.page(page));
        scenario.steps.iter().for_each(|step| weight.step(step));
        weight
    }

    fn number(&mut self, value: impl Into<u64>) {
        let value = value.into();
        self.bits += u64::from(value.count_ones());
        self.sum += u128::from(value);
    }

    fn machine(&mut self, machine: &Machine) {
        const D: Machine = Machine::DEFAULT;
        let mut field = |is_default: bool, value: u64| {
            if !is_default {
                self.fields += 1;
                self.number(value);
            }
        };
        let m = machine;
        field(m.pages == D.pages, m.pages.into());
        field(m.device_pages == D.device_pages, m.device_pages.into());
        field(m.cpus == D.cpus, m.cpus.into());
        field(m.switcher == D.switcher, m.switcher.into());
        field(m.mem_base == D.mem_base, m.mem_base.into());
        field(m.nx == D.nx, 0);
        field(m.global == D.global, 0);
        field(m.tsc_khz == D.tsc_khz, m.tsc_khz.into());
        field(m.reuse == D.reuse, m.reuse as u64);
        field(m.tables == D.tables, m.tables.into());
        field(m.seed == D.seed, m.seed);
        field(m.first_slot.is_none(), m.first_slot.unwrap_or(0).into());
        field(m.fail_start == 0, m.fail_start.into());
    }

    fn page(&mut self, page: &PageRecord) {
        self.pages += 1 + usize::from(page.shared.is_some());
        self.number(page.first);
        self.number(page.count);
        self.number(page.shared.unwrap_or(0));
    }

    fn step(&mut self, step: &Step) {
        self.verbs += match step.verb {
            Verb::Access | Verb::Async | Verb::DeviceWrite => 1,
            _ => 0,
        };
        // The number of a call is its verb; the width of a write is no number.
        let numbers = match step.verb {
            Verb::Hypercall | Verb::Async => &step.args[1..],
            Verb::Write | Verb::DeviceWrite => &step.args[..3],
            _ => &step.args[..],
        };
        numbers.iter().for_each(|arg| self.number(*arg));
        if let Verb::Write | Verb::DeviceWrite = step.verb {
            self.number(step.args[3]);
        }
        self.quals(&step.quals);
    }

    fn quals(&mut self, quals: &Quals) {
        for n in [quals.fail_alloc, quals.fail_pin, quals.fail_copy] {
            self.quals += usize::from(n != 0);
            self.number(n);
        }
        self.quals += usize::from(quals.fail_message);
        if let Some(slot) = quals.draw {
            self.quals += 1;
            self.number(slot);
        }
        if let Some(during) = quals.during {
            self.quals += 1;
            self.number(during.call);
            match during.event {
                Event::Write { gpa, value, width } => {
                    self.number(gpa);
                    self.number(value);
                    self.number(width);
                }
                Event::Unmap(page)
                | Event::Protect(page)
                | Event::Unprotect(page)
                | Event::Share(page) => self.number(page),
            }
        }
    }
}
