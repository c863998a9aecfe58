// SPDX-License-Identifier: GPL-2.0-or-later
//! A campaign over the original alone, with the generators as they are: the oracles tell of every finding by its own id
//! and of nothing else.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use lguest_engine::PagingMode;
use lguest_oracle::campaign::{Options, campaign};
use lguest_oracle::findings::IDS;
use lguest_oracle::rig::Subject;

/// Enough for the rarest.
const SCENARIOS: u64 = 6000;

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_campaign_over_the_original_tells_of_each_finding_by_its_id_and_of_nothing_else() {
    let options = Options {
        mode: PagingMode::Both,
        time: None,
        scenarios: Some(SCENARIOS),
        seed: 5,
        threads: 2,
        profile: None,
        subject: Subject::Original,
        stop_at_first: false,
        folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("original"),
    };
    let report = campaign(&options, &AtomicBool::new(false), &|_| {}, &|_, _| {})
        .expect("room for witnesses");
    assert_eq!(report.failures, [""; 0]);
    let new: Vec<String> = report
        .classes
        .iter()
        .map(|(class, _)| class.to_string())
        .collect();
    assert_eq!(new, [""; 0], "what no finding explains");
    for (i, id) in IDS.iter().enumerate() {
        let found: Vec<u64> = report
            .tallies
            .iter()
            .map(|(_, tally)| tally.by_finding[i])
            .collect();
        assert!(found.iter().sum::<u64>() > 0, "{id} was not found");
        println!("{id}: {} nopae, {} pae", found[0], found[1]);
        // An index of 1024 is beyond four entries by far: it kills (line 1034), or finds the rest of the page zero.
        let both = *id != "C1";
        assert!(
            !both || found.iter().all(|count| *count > 0),
            "{id}: {found:?}"
        );
    }
}
