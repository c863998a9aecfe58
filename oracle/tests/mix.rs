// SPDX-License-Identifier: GPL-2.0-or-later
//! The modelled guest kernel does what real guests do, in about their mix.
//!
//! With `--nocapture`, prints the table of README.md.

use std::path::Path;

use lguest_engine::{PagingMode, PortSide, Runner, Side, Verb};
use lguest_oracle::drive::Source;
use lguest_oracle::generate::{Generator, Profile};
use lguest_oracle::mix::{CLASSES, Mix, table};
use lguest_oracle::rig::Hosts;
use lguest_oracle::sim::SimHost;
use lguest_oracle::trace::Reader;
use lguest_oracle::trace::traced::{Observed, Traced};
use lguest_shadow::{Faithful, NoPae, Pae};

const SEED: u64 = 0x5eed;
/// Generated guests in each mode.
const GUESTS: u64 = 60;

fn real(name: &str) -> Mix {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/boot");
    let mut reader = Reader::open(&path.join(name)).expect("it opens");
    let mut mix = Mix::default();
    while let Some((_, record)) = reader.next_record().expect("it is a trace") {
        mix.add(&record);
    }
    mix
}

fn generated<S: Side<Host = SimHost>>(side: S, mode: PagingMode) -> Mix {
    let mut runner = Runner::new(Traced::new(side));
    let mut mix = Mix::default();
    let mut records = Vec::new();
    for index in 0..GUESTS {
        let mut generator = Generator::new(SEED, Profile::Boot, index, mode);
        let pages = generator.pages.clone();
        let machine = generator.machine;
        let begun = runner.start(&machine, &mut pages.iter().copied());
        assert_eq!(begun, Ok(0));
        let mut destroyed = false;
        while let Some(step) = generator.next(&runner).copied() {
            destroyed |= step.verb == Verb::Destroy;
            runner.step(&step);
            runner.side.take(&mut records);
            records.iter().for_each(|record| mix.add(record));
        }
        if !destroyed {
            runner.step(&lguest_engine::Step::new(Verb::Destroy, [0; 5]));
        }
    }
    mix
}

/// `boot` is within this many percentage points of `real`.
#[track_caller]
fn near(what: &str, real: f64, boot: f64, points: f64) {
    let apart = (real - boot).abs();
    assert!(
        apart <= points,
        "{what}: {boot:.1} %, of real guests {real:.1} %; at most {points} apart"
    );
}

fn compare(real: &Mix, boot: &Mix) {
    assert!(real.steps() > 250_000 && boot.steps() > 30_000);
    // What is alike: what guests tell of their pages.
    for (i, class) in CLASSES.iter().enumerate() {
        near(class, real.class(i), boot.class(i), 6.0);
    }
    near("SET_PTE", real.sort(b'S'), boot.sort(b'S'), 13.0);
    // The two guests lie apart by more than this themselves.
    near("faults", real.sort(b'D'), boot.sort(b'D'), 18.0);
    near("look-ups", real.sort(b'A'), boot.sort(b'A'), 26.0);
    let common = boot.sort(b'D') + boot.sort(b'A') + boot.sort(b'S');
    assert!(common > 75.0, "{common:.1} % are the three common steps");
    near("fixed faults", real.fate(0), boot.fate(0), 27.0);
    near("I/O memory", real.fate(2), boot.fate(2), 6.0);
    let live = boot.live() / real.live();
    assert!((0.6..1.4).contains(&live), "live page tables: {live:.2}");
    // What differs because scenarios are short: the seldom happens more often, but does not drown the rest.
    let switches = real.between_switches() / boot.between_switches();
    assert!((4.0..20.0).contains(&switches), "switches: {switches:.1}");
    let kernel = boot.between_kernel_changes();
    assert!((25.0..150.0).contains(&kernel), "kernel: {kernel:.1}");
    assert!(kernel < real.between_kernel_changes());
}

#[test]
fn the_boot_profile_is_near_real_guests() {
    let hosts = Hosts::new().expect("room for hosts");
    let (real_nopae, real_pae) = (real("nopae.trace.gz"), real("pae.trace.gz"));
    let nopae = PortSide::<NoPae, _, _>::new(&hosts.port, Faithful);
    let nopae = generated(nopae, PagingMode::NoPae);
    let pae = PortSide::<Pae, _, _>::new(&hosts.port, Faithful);
    let pae = generated(pae, PagingMode::Pae);
    let columns = [
        ("real, two-level", &real_nopae),
        ("`boot`, two-level", &nopae),
        ("real, PAE", &real_pae),
        ("`boot`, PAE", &pae),
    ];
    println!("{}", table(&columns));
    compare(&real_nopae, &nopae);
    compare(&real_pae, &pae);
}
