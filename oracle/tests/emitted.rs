// SPDX-License-Identifier: GPL-2.0-or-later
//! nopae hostbug run: null_entry

use lguest_oracle::rig::{Hosts, modes};
use lguest_oracle::text::parse;
use lguest_oracle::verify::{Verdict, verify};

const SCENARIO: &str = r#"
machine mode=nopae
expect finding C3
LGUEST_INIT 0x0
NEW_PGTABLE 0x1000
NEW_PGTABLE 0x0
SET_PGD 0x1000 1023
NEW_PGTABLE 0x1
run 0
"#;

#[test]
fn nopae_hostbug_run_null_entry() {
    let scenario = parse(SCENARIO.trim_start()).expect("a scenario");
    let hosts = Hosts::new().expect("room for two hosts");
    for mode in modes(scenario.machine.mode) {
        match verify(&hosts, &scenario, *mode) {
            Verdict::NoOriginal => {
                eprintln!("skipped: this program was built without the original");
            }
            verdict => assert!(verdict.passed(), "{verdict}"),
        }
    }
}
