// SPDX-License-Identifier: GPL-2.0-or-later
//! The binary form byte by byte: its layout, and what the strict reader says of bad bytes.

use lguest_engine::scenario::binary::STEP_LEN;
use lguest_engine::{During, Event, Expect, Machine, Mapping, PageRecord, Scenario, Step, Verb};
use lguest_oracle::scenario_buf::{Invalid, ScenarioBuf};

fn example() -> ScenarioBuf {
    let mut s = ScenarioBuf::new(Machine {
        cpus: 2,
        ..Machine::DEFAULT
    });
    s.machine.expect = Expect::finding("C1").expect("a good id");
    s.pages.push(PageRecord {
        first: 6,
        count: 3,
        mapping: Mapping::CopyOnWrite,
        shared: Some(6),
    });
    s.steps.push(Step::new(
        Verb::Hypercall,
        [14, 0x2000, 0xc000_0000, 0x5067, 0],
    ));
    s.steps.push(Step::new(Verb::Run, [1, 0, 0, 0, 0]));
    s.steps.push(Step::new(Verb::Destroy, [0; 5]));
    s
}

#[test]
fn nothing_at_all_is_a_machine_that_can_run() {
    let s = Scenario::total(&[]);
    let zeros = Machine {
        nx: false,
        global: false,
        device_pages: 0,
        tsc_khz: 0,
        ..Machine::DEFAULT
    };
    assert_eq!(s.machine, zeros);
    assert!(s.is_empty() && s.pages().len() == 0);
}

#[test]
fn the_layout_of_version_1_does_not_change() {
    let bytes = example().to_bytes();
    assert_eq!(bytes.len(), 16 + 64 + 16 + 3 * 48);
    assert_eq!(bytes[..16], *b"LGSC\x01\0\x01\0\0\0\0\0\0\0\0\0");
    let machine = [
        "00000302 00010008 40000000 04000000 0060efff 00000010 40420f00 00000000",
        "00000000 00000000 43310000 00000000 00000000 00000000 00000000 00000000",
    ];
    let hex = |b: &[u8]| {
        let words: Vec<_> = b
            .chunks(4)
            .map(|w| w.iter().map(|b| format!("{b:02x}")).collect::<String>())
            .collect();
        words.join(" ")
    };
    assert_eq!(hex(&bytes[16..80]), machine.join(" "));
    assert_eq!(hex(&bytes[80..96]), "06000000 03000000 06000000 03010000");
    assert_eq!(
        hex(&bytes[96..124]),
        "01000000 00000000 0e000000 00200000 000000c0 67500000 00000000"
    );
}

/// One changed byte, and what the strict reader says of it.
#[test]
fn the_strict_reader_names_the_field() {
    let (m, p, s) = (16, 80, 96);
    for (at, value, offset, what) in [
        (0, b'X', 0, "magic"),
        (4, 2, 4, "version: expected 1"),
        (7, 2, 6, "number of page records"),
        (9, 1, 8, "reserved bytes of the header"),
        (m, 3, m, "mode"),
        (m + 1, 3, m + 1, "reuse"),
        (m + 2, 4, m + 2, "machine flags"),
        (m + 3, 0, m + 3, "cpus"),
        (m + 3, 33, m + 3, "cpus"),
        (m + 4, 1, m + 4, "guest number"),
        (m + 5, 0, m + 40, "finding id"),
        (m + 5, 2, m + 5, "expectation"),
        (m + 7, 9, m + 6, "table frames"),
        (m + 8, 0, m + 8, "pages"),
        (m + 16, 1, m + 16, "switcher"),
        (m + 23, 0xc0, m + 20, "mem_base"),
        (m + 28, 5, m + 28, "first slot"),
        (m + 30, 1, m + 30, "reserved"),
        (m + 41, b' ', m + 40, "finding id"),
        (m + 43, b'x', m + 40, "finding id"),
        (m + 55, 1, m + 55, "reserved"),
        (p, 64, p, "first page"),
        (p + 4, 0, p + 4, "page count"),
        (p + 4, 59, p + 4, "page count"),
        (p + 8, 64, p + 8, "shared page"),
        (p + 12, 4, p + 12, "mapping"),
        (p + 13, 0, p + 8, "shared page"),
        (p + 13, 2, p + 8, "shared page"),
        (p + 14, 1, p + 14, "guest number"),
        (p + 15, 1, p + 15, "reserved"),
        (s, 0, s, "verb"),
        (s, 18, s, "verb"),
        (s + 1, 1, s + 1, "guest number"),
        (s + 2, 2, s + 2, "step flags"),
        (s + 3, 5, s + 3, "draw"),
        (s + 28, 1, s + 28, "event"),
        (s + 29, 4, s + 29, "width"),
        (s + 30, 1, s + 30, "reserved"),
        (s + 36, 1, s + 36, "reserved"),
        (s + 40, 1, s + 40, "event's value"),
        (s + 48 + 8, 2, s + 48 + 8, "first argument"),
        (s + 48 + 12, 2, s + 48 + 12, "second argument"),
        (s + 96 + 24, 1, s + 96 + 24, "fifth argument"),
        (s + 48, Verb::Destroy as u8, s + 48 + 8, "first argument"),
    ] {
        let mut bytes = example().to_bytes();
        bytes[at] = value;
        let e = ScenarioBuf::from_bytes(&bytes).expect_err("a bad byte");
        assert_eq!(e.offset, offset, "byte {at}: {e}");
        assert!(e.what.starts_with(what), "{e}: {what}");
    }
}

#[test]
fn the_strict_reader_refuses_what_is_short_long_or_after_the_end() {
    let bytes = example().to_bytes();
    let error = |b: &[u8]| {
        ScenarioBuf::from_bytes(b)
            .expect_err("bad length")
            .to_string()
    };
    assert_eq!(
        error(&[]),
        "byte 0: the header is cut short: expected 16 bytes"
    );
    assert_eq!(
        error(&bytes[..20]),
        "byte 20: the machine is cut short: expected 64 bytes"
    );
    assert_eq!(
        error(&bytes[..80]),
        "byte 80: a page record is cut short: expected 16 bytes"
    );
    assert_eq!(
        error(&bytes[..100]),
        "byte 100: a step is cut short: expected 48 bytes"
    );
    let more = [&bytes[..], &[0]].concat();
    assert_eq!(
        error(&more),
        "byte 241: a step is cut short: expected 48 bytes"
    );
    let more = [&bytes[..], &bytes[96..144]].concat();
    assert_eq!(
        error(&more),
        "byte 240: a step after destroy: expected the end"
    );
}

#[test]
fn four_million_steps_are_the_most() {
    let mut s = ScenarioBuf::new(Machine::DEFAULT);
    s.steps = vec![Step::new(Verb::GuestPa, [0; 5]); lguest_engine::MAX_STEPS + 1];
    assert_eq!(s.check(), Err(Invalid::TooManySteps));
    let e = ScenarioBuf::from_bytes(&s.to_bytes()).expect_err("too many");
    assert_eq!(e.what, "too many steps: expected at most 4000000");
    assert_eq!(
        Scenario::total(&s.to_bytes()).len(),
        lguest_engine::MAX_STEPS
    );
    s.steps.pop();
    assert!(ScenarioBuf::from_bytes(&s.to_bytes()).is_ok());
}

#[test]
fn random_verbs_are_hardly_ever_a_destroy() {
    let m = Machine::DEFAULT;
    let verb = |n: u8| {
        let mut record = [0; STEP_LEN];
        record[0] = n;
        Step::decode(&record, &m).verb
    };
    assert_eq!((0..=255).filter(|n| verb(*n) == Verb::Destroy).count(), 1);
    assert!(Verb::ALL.iter().all(|v| verb(*v as u8) == *v));
}

#[test]
fn what_does_not_fit_together_is_named() {
    let with = |change: &dyn Fn(&mut ScenarioBuf)| {
        let mut s = example();
        change(&mut s);
        let e = s.check().expect_err("something is wrong").to_string();
        assert!(ScenarioBuf::from_bytes(&s.to_bytes()).is_err(), "{e}");
        e
    };
    let step = |verb, args| with(&move |s| s.steps[0] = Step::new(verb, args));
    let during = |event| with(&move |s| s.steps[0].quals.during = Some(During { call: 1, event }));
    assert_eq!(
        with(&|s| s.machine.cpus = 40),
        "machine: cpus is 40; expected 1 to 32"
    );
    assert_eq!(
        with(&|s| s.machine.switcher += 1),
        "machine: switcher is 0xffef6001; expected a multiple of 0x1000 from 0x1000 to 0xffffa000"
    );
    assert_eq!(
        with(&|s| s.machine.expect = Expect::Finding([b' '; 15])),
        "machine: expect is malformed; expected a finding's id of 1 to 15 characters A-Z a-z 0-9 _"
    );
    assert_eq!(
        with(&|s| s.machine.guest = 1),
        "machine: guest is 1; expected 0"
    );
    assert!(
        with(&|s| s.pages[0].count = 59).starts_with("page record 0: bad page count; expected")
    );
    assert!(with(&|s| s.pages[0].shared = Some(64)).starts_with("page record 0: bad shared page"));
    assert!(step(Verb::Run, [2, 0, 0, 0, 0]).starts_with("step 0: bad run; expected a host CPU"));
    assert!(step(Verb::DemandPage, [0, 8, 0, 0, 0]).starts_with("step 0: bad demand_page"));
    assert!(step(Verb::Access, [0, 2, 1, 0, 0]).starts_with("step 0: bad access"));
    assert!(step(Verb::Write, [0, 256, 0, 1, 0]).starts_with("step 0: bad write"));
    assert!(step(Verb::Write, [0, 0, 1, 4, 0]).starts_with("step 0: bad write"));
    assert!(step(Verb::DeviceWrite, [0, 0, 0, 2, 0]).starts_with("step 0: bad device_write"));
    assert!(step(Verb::Unmap, [64, 0, 0, 0, 0]).starts_with("step 0: bad unmap"));
    assert!(step(Verb::GuestPa, [0, 0, 0, 0, 1]).starts_with("step 0: bad guest_pa"));
    assert!(step(Verb::Destroy, [0; 5]).starts_with("step 1 comes after destroy"));
    assert!(
        during(Event::Write {
            gpa: 0,
            value: 0,
            width: 2
        })
        .starts_with("step 0: bad during")
    );
    assert!(
        during(Event::Write {
            gpa: 0,
            value: 256,
            width: 1
        })
        .starts_with("step 0: bad during")
    );
    assert!(during(Event::Share(64)).starts_with("step 0: bad during"));
    assert!(with(&|s| s.steps[0].quals.draw = Some(4)).starts_with("step 0: bad draw"));
    assert!(with(&|s| s.pages = vec![s.pages[0]; 257]).starts_with("too many page records"));
}
