// SPDX-License-Identifier: GPL-2.0-or-later
//! The binary form: both readers, the ranges they stand on, and what the strict one says.

mod common;
#[path = "common/shrunk.rs"]
mod shrunk;

use common::{machine, mutated, raw_machine, raw_page, raw_step, scenario};
use lguest_engine::scenario::binary::{HEADER_LEN, MACHINE_LEN, PAGE_LEN, STEP_LEN};
use lguest_engine::{Machine, PageRecord, Scenario, Step};
use lguest_oracle::scenario_buf::ScenarioBuf;
use proptest::collection::vec;
use proptest::prelude::*;

/// What the total reader gives is a scenario, survives being written, and is what the strict
/// reader gives wherever that one gives any.
fn check_total(bytes: &[u8]) -> Result<(), TestCaseError> {
    let total = ScenarioBuf::from(Scenario::total(bytes));
    prop_assert_eq!(total.check(), Ok(()));
    let again = total.to_bytes();
    prop_assert_eq!(ScenarioBuf::from_bytes(&again), Ok(total.clone()));
    prop_assert_eq!(&ScenarioBuf::from(Scenario::total(&again)), &total);
    match ScenarioBuf::from_bytes(bytes) {
        Ok(strict) => {
            prop_assert_eq!(&strict, &total);
            prop_assert_eq!(again, bytes);
        }
        Err(e) => {
            prop_assert!(e.offset <= bytes.len());
            prop_assert_ne!(again, bytes);
        }
    }
    Ok(())
}

#[test]
fn scenarios_survive_the_binary_form() {
    shrunk::holds("binary-form", 1000, scenario(), |s| {
        prop_assert_eq!(s.check(), Ok(()));
        let bytes = s.to_bytes();
        prop_assert_eq!(ScenarioBuf::from_bytes(&bytes), Ok(s.clone()));
        prop_assert_eq!(&ScenarioBuf::from(Scenario::total(&bytes)), s);
        let read = Scenario::total(&bytes);
        prop_assert_eq!(read.len(), s.steps.len());
        prop_assert_eq!(read.steps().len(), s.steps.len());
        for i in 0..=s.steps.len() {
            prop_assert_eq!(read.step(i), s.steps.get(i).copied());
            prop_assert_eq!(read.truncated(i).steps().collect::<Vec<_>>(), &s.steps[..i]);
        }
        Ok(())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..<_>::default() })]

    #[test]
    fn any_bytes_have_a_meaning(bytes in vec(any::<u8>(), 0..600)) {
        check_total(&bytes)?;
    }

    #[test]
    fn changed_bytes_have_a_meaning(bytes in scenario().prop_flat_map(|s| mutated(s.to_bytes()))) {
        check_total(&bytes)?;
    }

    #[test]
    fn every_cut_has_a_meaning(s in scenario(), cut in any::<prop::sample::Index>()) {
        let bytes = s.to_bytes();
        check_total(&bytes[..cut.index(bytes.len() + 1)])?;
    }

    #[test]
    fn every_sublist_is_a_scenario(s in scenario(), keep in any::<u64>()) {
        let kept = |i: usize| keep >> (i % 64) & 1 == 1;
        let bytes = s.to_bytes();
        let (head, records) = bytes.split_at(HEADER_LEN + MACHINE_LEN + s.pages.len() * PAGE_LEN);
        let sub = records.chunks(STEP_LEN).enumerate().filter(|(i, _)| kept(*i));
        let sub = [head.to_vec(), sub.flat_map(|(_, r)| r.to_vec()).collect()].concat();
        let mut expected = s.clone();
        let mut i = 0..;
        expected.steps.retain(|_| i.next().is_some_and(kept));
        prop_assert_eq!(expected.check(), Ok(()));
        prop_assert_eq!(ScenarioBuf::from_bytes(&sub), Ok(expected.clone()));
        expected.pages.retain(|p| kept(p.first as usize));
        prop_assert_eq!(expected.check(), Ok(()));
    }

    #[test]
    fn valid_is_what_reduction_keeps(m in raw_machine(), p in raw_page(), s in raw_step()) {
        prop_assert_eq!(m.check().is_ok(), m.reduce() == m, "{:?}", m.check());
        let m = m.reduce();
        prop_assert_eq!(m.check(), Ok(()));
        prop_assert_eq!(Machine::decode(&m.encode()), m);
        prop_assert_eq!(p.check(&m).is_ok(), p.reduce(&m) == p);
        let p = p.reduce(&m);
        prop_assert_eq!(p.check(&m), Ok(()));
        prop_assert_eq!(PageRecord::decode(&p.encode(), &m), p);
        prop_assert_eq!(s.check(&m).is_ok(), s.reduce(&m) == s);
        let s = s.reduce(&m);
        prop_assert_eq!(s.check(&m), Ok(()));
        prop_assert_eq!(Step::decode(&s.encode(), &m), s);
    }

    #[test]
    fn a_valid_machine_wraps_nowhere(m in machine()) {
        prop_assert!(m.device_limit() >= m.pages);
        prop_assert!(m.switcher.checked_add(m.switcher_pages() * 4096).is_some_and(|e| e <= 0xffff_f000));
        prop_assert!(m.mem_base.checked_add(m.backed() * 4096).is_some_and(|e| e <= 0xc000_0000));
        prop_assert!((1..=0x4000).contains(&m.backed()));
    }
}
