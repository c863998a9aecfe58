// SPDX-License-Identifier: GPL-2.0-or-later
//! Texts that are too long: refused with an error, in a time that their length bounds.

use lguest_engine::MAX_STEPS;
use lguest_oracle::text::{MAX_TEXT_LEN, format, parse};

#[test]
fn too_much() {
    let e = parse(&"x".repeat(MAX_TEXT_LEN + 1)).expect_err("too long");
    assert_eq!(
        e.to_string(),
        "1:1: the text has 67108865 bytes; expected at most 67108864"
    );
    let many = "machine\n".to_owned() + &"run 0\n".repeat(MAX_STEPS);
    assert_eq!(parse(&many).map(|s| s.steps.len()), Ok(MAX_STEPS));
    let more = many + "run 0";
    assert_eq!(
        parse(&more).expect_err("too many").to_string(),
        "4000002:1: one step too many; expected at most 4000000"
    );
    // Short lines that grow beyond what could be read again.
    let grows = "machine\n".to_owned() + &"hypercall 99\n".repeat(2_400_000);
    let e = format(&grows).err().map(|e| e.to_string());
    let expected = "1:1: the canonical form has 69600032 bytes; expected at most 67108864";
    assert_eq!(e.as_deref(), Some(expected));
}

/// The time for a text is bounded by its length, whatever is in it.
#[test]
fn long_lines_take_no_longer_than_many() {
    let len = MAX_TEXT_LEN / 4 - 100;
    for piece in [
        "a", "[", "9", " ", "\t", "é", "page=", "..", "a-", "- ", "\n", "#\n", "\0",
    ] {
        let noise = piece.repeat(len / piece.len());
        for start in [
            "",
            "machine\n",
            "machine seed=",
            "machine\nrun 0 [",
            "machine\nrun ",
            "machine #",
        ] {
            let start_time = std::time::Instant::now();
            let _ = parse(&format!("{start}{noise}"));
            let seconds = start_time.elapsed().as_secs_f64();
            assert!(
                seconds < 20.0,
                "{seconds} s for {start:?} and many {piece:?}"
            );
        }
    }
}
