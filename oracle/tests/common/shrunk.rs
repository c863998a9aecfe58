// SPDX-License-Identifier: GPL-2.0-or-later
//! Properties of scenarios: one that breaks a property is minimized and kept as a file, and the failure names it.
// Each test binary uses a part of this.
#![allow(dead_code)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use lguest_engine::{PagingMode, Side};
use lguest_oracle::drive::Both;
use lguest_oracle::minimize::Look;
use lguest_oracle::minimize::property::keep;
use lguest_oracle::minimize::sides::{Keep, Same, Two};
use lguest_oracle::minimize::sight;
use lguest_oracle::rig::Hosts;
use lguest_oracle::scenario_buf::ScenarioBuf;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Where scenarios that break a property are kept.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("divergences")
}

/// The first scenario of this many that breaks a property. It comes as it was generated: the minimizer makes it
/// small in the way that all scenarios are.
fn first_broken(
    cases: u32,
    scenarios: impl Strategy<Value = ScenarioBuf>,
    broken: impl Fn(&ScenarioBuf) -> Option<String>,
) -> Option<ScenarioBuf> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(&scenarios, |scenario| match broken(&scenario) {
        Some(why) => Err(TestCaseError::fail(why)),
        None => Ok(()),
    });
    match tried {
        Ok(()) => None,
        Err(TestError::Fail(_, scenario)) => Some(scenario),
        Err(TestError::Abort(why)) => panic!("no scenarios: {why}"),
    }
}

/// Tries a property on this many scenarios.
///
/// # Panics
/// One breaks it, or the property panics; the message names the file that it is kept in.
pub fn holds(
    name: &str,
    cases: u32,
    scenarios: impl Strategy<Value = ScenarioBuf>,
    property: impl Fn(&ScenarioBuf) -> Result<(), TestCaseError>,
) {
    let broken =
        |scenario: &ScenarioBuf| match catch_unwind(AssertUnwindSafe(|| property(scenario))) {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why.to_string()),
            Err(_) => Some("the property panics".into()),
        };
    let Some(scenario) = first_broken(cases, scenarios, broken) else {
        return;
    };
    let mut goal = |candidate: &ScenarioBuf| match broken(candidate) {
        Some(_) => Look::Shows(candidate.steps.len()),
        None => Look::Nothing,
    };
    let why = &mut |smallest: &ScenarioBuf| broken(smallest).unwrap_or_default();
    let (path, why) = keep(&folder(), name, &scenario, &mut goal, why).expect("room for a file");
    panic!("{why}\nkept as {}", path.display());
}

/// Lets two sides run this many scenarios.
///
/// # Panics
/// They differ; the message has the class, and the file that the scenario is kept in.
pub fn agree<A: Side, B: Side>(
    name: &str,
    cases: u32,
    scenarios: impl Strategy<Value = ScenarioBuf>,
    hosts: &Hosts,
    both: Both<A, B>,
    mode: PagingMode,
) {
    let both = RefCell::new(both);
    let differ = |scenario: &ScenarioBuf| {
        let seen = sight::both(hosts, &mut *both.borrow_mut(), scenario, mode)?;
        seen.end.is_none().then(|| seen.class.to_string())
    };
    let in_mode = scenarios.prop_map(move |mut scenario| {
        scenario.machine.mode = mode;
        scenario
    });
    let Some(scenario) = first_broken(cases, in_mode, differ) else {
        return;
    };
    let eye = Two::new(hosts, both.into_inner(), mode);
    let mut goal = Same::on(eye, Keep::Class, &scenario).expect("the class again");
    let class = goal.class.to_string();
    let why = &mut |_: &ScenarioBuf| class.clone();
    let (path, why) = keep(&folder(), name, &scenario, &mut goal, why).expect("room for a file");
    panic!("{why}\nkept as {}", path.display());
}
