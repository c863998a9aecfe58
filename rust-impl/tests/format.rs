// SPDX-License-Identifier: GPL-2.0-or-later
//! The formatter prints what the kernel's prints.

use lguest_shadow::{Reason, Text};

fn format(format: &str, numbers: [u32; 2], string: &[u8]) -> String {
    let text = Text::format(format, numbers, string);
    String::from_utf8(text.as_bytes().to_vec()).unwrap()
}

#[test]
fn conversions() {
    let table: &[(&str, u32, &str)] = &[
        ("%#lx", 0, "0x0"),
        ("%#lx", 1, "0x1"),
        ("%#lx", 0xdead_beef, "0xdeadbeef"),
        ("%#lx", u32::MAX, "0xffffffff"),
        ("%lx", 0, "0"),
        ("%x", 0x90a, "90a"),
        ("%lu", 0, "0"),
        ("%u", 10, "10"),
        ("%u", u32::MAX, "4294967295"),
        ("%i", 0, "0"),
        ("%i", 100, "100"),
        ("%li", 0x7fff_ffff, "2147483647"),
        ("%li", 0x8000_0000, "-2147483648"),
        ("%i", u32::MAX, "-1"),
        ("%p", 0, "  (null)"),
        ("%p", 1, "00000001"),
        ("%p", 0x1000_1000, "10001000"),
        ("%p", u32::MAX, "ffffffff"),
        ("a%ub", 7, "a7b"),
        ("%%", 7, "%"),
        ("100%", 7, "100"),
    ];
    for &(with, number, expected) in table {
        assert_eq!(
            format(with, [number, 0], b""),
            expected,
            "{with} of {number}"
        );
    }
    assert_eq!(format("%u/%u", [4, 1024], b""), "4/1024");
    assert_eq!(format("%u %u %u", [4, 5], b""), "4 5 0");
    assert_eq!(format("<%s>", [0, 0], b"words"), "<words>");
    assert_eq!(format("<%s>", [0, 0], b"wo\0rds"), "<wo>");
    assert_eq!(format("<%s>", [0, 0], b""), "<>");
}

#[test]
fn the_longest_text_fits() {
    let mut message = [b'x'; 128];
    message[127] = 0;
    let text = Reason::Crash(&message).text();
    assert_eq!(text.as_bytes().len(), 7 + 127);
    let long = Text::format("%s", [0, 0], &[b'y'; 4096]);
    assert_eq!(long.as_bytes(), &[b'y'; 144][..]);
}

#[test]
fn bytes_stay_as_they_are() {
    let text = Reason::Crash(&[0xff, 0x80, b'\n', 1]).text();
    assert_eq!(text.as_bytes(), b"CRASH: \xff\x80\n\x01");
}
