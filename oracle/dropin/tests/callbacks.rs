// SPDX-License-Identifier: GPL-2.0-or-later
//! What a kernel call that the drop-in makes sees of the guest: that it is dead from the moment of the kill on, as with
//! the original. All else in the C structures is as it was when the guest was entered, and changed when it is left.

use std::cell::{Cell, OnceCell, RefCell};

use lguest_c_reference::{Callbacks, Config, Crash, Original, PagingMode};
use lguest_dropin_rig::{SOUND, guest};
use lguest_engine::{Machine, Machinery, Step, Verb};
use lguest_oracle::sim::{REGS_PAGE, SimHost};

/// A host that looks at the guest whenever it is called.
struct Looker {
    host: SimHost,
    guest: OnceCell<Original<'static, Looker>>,
    seen: RefCell<Vec<(&'static str, i32)>>,
    after_death: Cell<u32>,
}

impl Looker {
    fn look(&self, call: &'static str) {
        let dead = self.guest.get().expect("there is a guest").dead();
        self.seen.borrow_mut().push((call, dead));
        self.after_death
            .set(self.after_death.get() + u32::from(dead != 0));
    }
}

impl Callbacks for Looker {
    fn get_zeroed_page(&self) -> u32 {
        self.look("get_zeroed_page");
        Callbacks::get_zeroed_page(&self.host)
    }

    fn free_page(&self, pa: u32) -> Result<(), Crash> {
        self.look("free_page");
        Callbacks::free_page(&self.host, pa)
    }

    fn get_user_pages_fast(&self, addr: u32, write: u32) -> u32 {
        self.look("get_user_pages_fast");
        Callbacks::get_user_pages_fast(&self.host, addr, write)
    }

    fn copy_from_user(&self, to: &mut [u8], from: u32) -> bool {
        self.look("copy_from_user");
        Callbacks::copy_from_user(&self.host, to, from)
    }

    fn copy_to_user(&self, to: u32, from: &[u8]) -> bool {
        self.look("copy_to_user");
        Callbacks::copy_to_user(&self.host, to, from)
    }

    fn prandom_u32(&self) -> u32 {
        self.look("prandom_u32");
        Callbacks::prandom_u32(&self.host)
    }

    fn kasprintf(&self, text: &[u8]) -> bool {
        self.look("kasprintf");
        Callbacks::kasprintf(&self.host, text)
    }
}

/// All calls of some thousand guests that are asked for anything, and the crash or the death of each.
fn lives(mode: PagingMode, dropin: bool) -> (Vec<(&'static str, i32)>, Vec<String>, u32) {
    // The guest borrows its host, which has the guest: neither ends before the test.
    let looker: &'static Looker = Box::leak(Box::new(Looker {
        host: SimHost::new().expect("room for a host"),
        guest: OnceCell::new(),
        seen: RefCell::new(Vec::new()),
        after_death: Cell::new(0),
    }));
    let (shared, arena) = (looker.host.shared(), looker.host.arena());
    let pae = mode == PagingMode::Pae;
    let made = if dropin {
        guest(SOUND, pae, looker, shared, arena)
    } else {
        Original::new(mode, looker, shared, arena)
    };
    assert!(looker.guest.set(made.expect("a guest")).is_ok());
    let guest = looker.guest.get().expect("just set");
    let mut dice = 1_u32;
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) % sides
    };
    let machine = Machine::default();
    let mut ends = Vec::new();
    for _ in 0..3000 {
        looker.host.reset(&machine, pae, &mut std::iter::empty());
        guest.reset(Config {
            pfn_limit: machine.pages,
            device_limit: machine.device_limit(),
            mem_base: machine.mem_base,
            regs_page: REGS_PAGE,
        });
        // Its tables are full of entries that are mostly good.
        for page in 0..8_u32 {
            for at in 0..64_u32 {
                let entry = roll(10) << 12 | 0x67 & !(roll(8) / 7 * roll(128));
                let at = page << 12 | at << 3;
                looker.host.guest_write(at, &entry.to_le_bytes());
            }
        }
        let mut last = guest.init_guest_pagetable().map(drop);
        last = last.and_then(|()| guest.do_hypercalls(&[1, 0x9000, 0, 0, 0]));
        for _ in 0..20 {
            if last.is_err() || guest.dead() != 0 {
                break;
            }
            looker
                .host
                .begin_step(&Step::new(Verb::Hypercall, [8, 0, 0, 0, 0]));
            let (root, page) = (roll(4) << 12, roll(64) << 12);
            last = match roll(8) {
                0 => guest.do_hypercalls(&[4, root, 0, 0, 0]),
                1 => guest.do_hypercalls(&[5, roll(2), 0, 0, 0]),
                2 => guest.do_hypercalls(&[7, 1, page, roll(4), 0]),
                3 => guest.do_hypercalls(&[14, root, page, roll(70) << 12 | 0x63, 0]),
                4 => guest.do_hypercalls(&[15, root, roll(5), 0, 0]),
                5 => guest.guest_pa(page).map(drop),
                6 => guest.map_switcher_in_guest(),
                _ => guest.demand_page(page, roll(8)).map(drop),
            };
        }
        ends.push(format!("{last:?} {}", guest.dead()));
    }
    (looker.seen.take(), ends, looker.after_death.get())
}

fn same(mode: PagingMode) {
    let (wanted, ends, after_death) = lives(mode, false);
    let (found, found_ends, _) = lives(mode, true);
    assert_eq!(ends, found_ends);
    if let Some(at) = (0..wanted.len().min(found.len())).find(|at| wanted[*at] != found[*at]) {
        panic!(
            "call {at}: {:?}, and {:?} of the original",
            found[at], wanted[at]
        );
    }
    assert_eq!(wanted.len(), found.len());
    println!(
        "{} calls see the same, {after_death} of them a guest that is dead",
        wanted.len()
    );
    assert!(after_death > 100, "{after_death} calls after a death");
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn calls_see_the_same_guest_with_two_levels() {
    same(PagingMode::NoPae);
}

#[test]
#[cfg_attr(no_dropin, ignore = "no original, or another convention of its calls")]
fn calls_see_the_same_guest_with_three_levels() {
    same(PagingMode::Pae);
}
