// SPDX-License-Identifier: GPL-2.0-or-later
//! What is said of a bad text: line, column, what was found, what was expected.

use lguest_oracle::text::{format, parse};

fn error(text: &str) -> String {
    let e = parse(text).expect_err("a bad text");
    assert_eq!(format(text), Err(e.clone()));
    e.to_string()
}

/// The error of a line that follows a good machine of two CPUs, without its line number.
fn step(line: &str) -> String {
    let e = error(&format!("machine cpus=2\n{line}\n"));
    e.strip_prefix("2:")
        .unwrap_or_else(|| panic!("{e}"))
        .to_owned()
}

fn machine(fields: &str) -> String {
    let e = error(&format!("# a heading\n\nmachine {fields}\n"));
    e.strip_prefix("3:")
        .unwrap_or_else(|| panic!("{e}"))
        .to_owned()
}

#[test]
fn the_order_of_the_parts() {
    assert_eq!(
        error(""),
        "1:1: the text ends without a scenario; expected `machine` on the first line"
    );
    assert_eq!(
        error("# a\n\n"),
        "2:1: the text ends without a scenario; expected `machine` on the first line"
    );
    assert_eq!(
        error("run 0"),
        "1:1: `run` is out of place; expected `machine` on the first line"
    );
    assert_eq!(
        error("\n [x"),
        "2:2: found `[`; expected `machine` on the first line"
    );
    assert_eq!(
        step("machine"),
        "1: `machine` is out of place; expected one `machine`, on the first line"
    );
    assert_eq!(
        error("machine\nexpect agree\nexpect agree"),
        "3:1: `expect` is out of place; expected one `expect`, directly after the machine"
    );
    assert_eq!(
        error("machine\npage 5 absent\nexpect agree"),
        "3:1: `expect` is out of place; expected one `expect`, directly after the machine"
    );
    assert_eq!(
        error("machine\nrun 0\npage 5 absent"),
        "3:1: `page` is out of place; expected every `page` before the first step"
    );
    assert_eq!(
        error("machine\ndestroy\n# fine\n  run 0"),
        "4:3: a step after the destroy on line 2; expected the end of the scenario"
    );
    assert_eq!(
        error("machine\ndestroy\nrun 9"),
        "3:5: `9` is out of range; expected a host CPU of the machine, 0"
    );
}

#[test]
fn bad_characters() {
    assert_eq!(
        step("run 0\r"),
        "6: a carriage return; expected lines that end with a line feed alone"
    );
    assert_eq!(
        step("run \0"),
        "5: the control character U+0000; expected printable text and tabs"
    );
    assert_eq!(
        step("# é\u{1b}[31m"),
        "4: the control character U+001B; expected printable text and tabs"
    );
    assert_eq!(
        step("run é"),
        "5: the character `é`; expected words, numbers and = : [ ] .. -> alone"
    );
    assert_eq!(
        error("\u{feff}machine"),
        "1:1: the character `\\u{feff}`; expected words, numbers and = : [ ] .. -> alone"
    );
    assert_eq!(
        step("run -1"),
        "5: the character `-`; expected words, numbers and = : [ ] .. -> alone"
    );
}

#[test]
fn a_bad_machine() {
    assert_eq!(
        machine("cpu=2"),
        "9: unknown field `cpu` of the machine; expected `mode`, `pages`, `device_pages`, `cpus`, \
         `switcher`, `mem_base`, `nx`, `global`, `tsc_khz`, `reuse`, `tables`, `seed`, \
         `first_slot` or `fail_start`"
    );
    assert_eq!(
        machine("cpus=2 nx=on cpus=2"),
        "22: `cpus` for the second time; expected each field at most once"
    );
    assert_eq!(machine("cpus 2"), "14: found `2`; expected `=`");
    assert_eq!(
        machine("cpus="),
        "14: the line ends; expected host CPUs, a number"
    );
    assert_eq!(
        machine("mode=x86"),
        "14: found `x86`; expected `nopae`, `pae` or `both`"
    );
    assert_eq!(
        machine("reuse=any"),
        "15: found `any`; expected `lowest`, `fifo` or `seeded`"
    );
    assert_eq!(machine("nx=1"), "12: found `1`; expected `on` or `off`");
    assert_eq!(
        machine("cpus=0"),
        "14: `0` is out of range; expected host CPUs, 1 to 32"
    );
    assert_eq!(
        machine("cpus=0x21"),
        "14: `0x21` is out of range; expected host CPUs, 0x1 to 0x20"
    );
    assert_eq!(
        machine("pages=0"),
        "15: `0` is out of range; expected guest pages, 1 to 4294967295"
    );
    assert_eq!(
        machine("tables=2049"),
        "16: `2049` is out of range; expected table frames, 1 to 2048"
    );
    assert_eq!(
        machine("seed=18446744073709551616"),
        "14: `18446744073709551616` is out of range; expected a seed, 0 to 18446744073709551615"
    );
    assert_eq!(
        machine("pages=64, cpus=2"),
        "17: the character `,`; expected words, numbers and = : [ ] .. -> alone"
    );
    assert_eq!(
        machine("pages=64 = 3"),
        "18: found `=`; expected the end of the line"
    );
}

#[test]
fn a_machine_whose_fields_do_not_fit() {
    assert_eq!(
        machine("switcher=0xffef6001"),
        "9: switcher is 0xffef6001; expected a multiple of 0x1000 from 0x1000 to 0xffffc000"
    );
    assert_eq!(
        machine("cpus=32 switcher=0xffffb000"),
        "17: switcher is 0xffffb000; expected a multiple of 0x1000 from 0x1000 to 0xfffbe000"
    );
    assert_eq!(
        machine("mem_base=0xbffff000"),
        "9: mem_base is 0xbffff000; expected a multiple of 0x1000 from 0x1000 to 0xbffc0000"
    );
    assert_eq!(
        machine("mem_base=0"),
        "9: mem_base is 0x0; expected a multiple of 0x1000 from 0x1000 to 0xbffc0000"
    );
    assert_eq!(
        machine("pages=4294967295 device_pages=1"),
        "26: device_pages is 1; expected 0"
    );
    // The default is what does not fit.
    assert_eq!(
        machine("pages=4294967295"),
        "1: device_pages is 4; expected 0"
    );
}

#[test]
fn a_bad_expectation_or_page() {
    assert_eq!(
        step("expect"),
        "7: the line ends; expected `agree` or `finding`"
    );
    assert_eq!(
        step("expect finding"),
        "15: the line ends; expected the finding's id"
    );
    assert_eq!(
        step("expect finding C123456789012345"),
        "16: `C123456789012345` is no finding's id; expected 1 to 15 characters of A-Z a-z 0-9 _"
    );
    assert_eq!(
        step("expect agree C1"),
        "14: found `C1`; expected the end of the line"
    );
    assert_eq!(
        step("page"),
        "5: the line ends; expected a guest page that has memory, a number"
    );
    assert_eq!(
        step("page 64 absent"),
        "6: `64` is out of range; expected a guest page that has memory, 0 to 63"
    );
    assert_eq!(
        step("page 6..5 absent"),
        "9: `5` is out of range; expected the range's last page, 6 to 63"
    );
    assert_eq!(
        step("page 5 gone"),
        "8: found `gone`; expected `absent`, `read-only`, `writable` or `copy-on-write`"
    );
    assert_eq!(step("page 5 absent 6"), "15: found `6`; expected `shared=`");
    assert_eq!(
        step("page 5 absent shared=64"),
        "22: `64` is out of range; expected the guest page whose frame is shared, 0 to 63"
    );
    let pages = "page 5 absent\n".repeat(257);
    assert_eq!(
        error(&format!("machine\n{pages}")),
        "258:1: one page record too many; expected at most 256"
    );
}

#[test]
fn a_bad_verb() {
    let e = step("set_pte 1 2 3");
    assert!(
        e.starts_with("1: unknown verb `set_pte`; expected `hypercall`, `async`, `demand_page`"),
        "{e}"
    );
    assert!(e.ends_with("`LOAD_GDT_ENTRY` or `SEND_INTERRUPTS`"), "{e}");
    let e = step("async run 1");
    assert!(
        e.starts_with("7: unknown verb `run`; expected `FLUSH_ASYNC`, "),
        "{e}"
    );
    assert_eq!(step(": 1"), "1: found `:`; expected a verb");
    let e = step("= 1");
    assert!(
        e.starts_with("3: `1` is no recorded result; expected `d`, `a`, "),
        "{e}"
    );
    for (line, said) in [
        ("= d 1", "6: the line ends; expected a recorded"),
        ("= d 1 0 0 0", "11: found `0`; expected `[` or the end"),
        ("= W 32 0", "5: `32` is out of range; expected a host CPU"),
        ("= Z 0 0 0 none 1025 0 0", "16: `1025` is out of range"),
        ("= X", "4: the line ends; expected up to 16 bytes"),
        ("= X \"12345678901234567\"", "5: a piece that is too long"),
        ("= X \"\\x00\"", "5: a backslash without a byte"),
        ("= X \"\\n\"", "5: a backslash without xNN"),
        ("= X \"é\"", "5: a character that is not ASCII"),
        ("= X \"a", "5: a quotation mark that nothing closes"),
        ("= none [draw=1]", "1: bad =; expected no qualifiers"),
    ] {
        let e = step(line);
        assert!(e.starts_with(said), "{line}: {e}");
    }
    assert_eq!(step("async"), "6: the line ends; expected a hypercall");
    let e = step(&"A".repeat(1000));
    assert!(
        e.starts_with(&format!("1: unknown verb `{}…`;", "A".repeat(40))),
        "{e}"
    );
}

#[test]
fn bad_arguments() {
    assert_eq!(
        step("guest_pa 12ab"),
        "10: found `12ab`; expected a guest-virtual address, a decimal number or one in hex after 0x"
    );
    assert_eq!(
        step("guest_pa 0x"),
        "10: found `0x`; expected a guest-virtual address, a decimal number or one in hex after 0x"
    );
    assert_eq!(
        step("guest_pa 0x100000000"),
        "10: `0x100000000` is out of range; expected a guest-virtual address, 0x0 to 0xffffffff"
    );
    assert_eq!(
        step("SET_PGD 0x2000"),
        "15: the line ends; expected the entry's index, a number"
    );
    assert_eq!(
        step("NEW_PGTABLE 1 2"),
        "15: found `2`; expected `[` or the end of the line"
    );
    assert_eq!(
        step("hypercall 1 2 3 4 5 6"),
        "21: found `6`; expected `[` or the end of the line"
    );
    assert_eq!(
        step("run 2"),
        "5: `2` is out of range; expected a host CPU of the machine, 0 to 1"
    );
    assert_eq!(
        step("unmap 64"),
        "7: `64` is out of range; expected a guest page that has memory, 0 to 63"
    );
    assert_eq!(
        step("demand_page 0 read"),
        "15: found `read`; expected `present`, `write` or `user`"
    );
    assert_eq!(
        step("demand_page 0 user user"),
        "20: the same word for the second time; expected each at most once"
    );
    assert_eq!(
        step("access 0"),
        "9: the line ends; expected `read` or `write`"
    );
    assert_eq!(step("access 0 read 5"), "15: found `5`; expected `user`");
    assert_eq!(
        step("access 0 write"),
        "15: the line ends; expected the word to write, a number"
    );
    assert_eq!(
        step("write 0 2 5"),
        "9: found `2`; expected `1`, `4` or `8`"
    );
    assert_eq!(
        step("write 0 1 256"),
        "11: `256` is out of range; expected a value of 1 byte, 0 to 255"
    );
    assert_eq!(
        step("write 0 4 0x100000000"),
        "11: `0x100000000` is out of range; expected a value of 4 bytes, 0x0 to 0xffffffff"
    );
    assert_eq!(step("map 0"), "5: found `0`; expected `pgd=`");
    assert_eq!(step("map pgd=0 0 0"), "13: found `0`; expected `->`");
    assert_eq!(
        step("map pgd=0 0 -> 0"),
        "17: the line ends; expected `tables=`"
    );
    assert_eq!(step("boot_data 0"), "12: the line ends; expected `kernel=`");
    assert_eq!(
        step("destroy all"),
        "9: found `all`; expected `[` or the end of the line"
    );
}

#[test]
fn bad_qualifiers() {
    let all = "`fail_alloc`, `fail_pin`, `fail_copy`, `fail_message`, `draw` or `during`";
    assert_eq!(step("run 0 []"), format!("8: found `]`; expected {all}"));
    assert_eq!(
        step("run 0 [fail=1]"),
        format!("8: unknown qualifier `fail`; expected {all}")
    );
    assert_eq!(
        step("run 0 [draw=1"),
        format!("14: the line ends; expected {all}")
    );
    assert_eq!(
        step("run 0 [draw=1 draw=2]"),
        "15: `draw` for the second time; expected each qualifier at most once"
    );
    assert_eq!(
        step("run 0 [draw=4]"),
        "13: `4` is out of range; expected a slot, 0 to 3"
    );
    assert_eq!(
        step("run 0 [fail_pin=0]"),
        "17: `0` is out of range; expected which one of the step, 1 to 255"
    );
    assert_eq!(step("run 0 [fail_pin]"), "16: found `]`; expected `=`");
    assert_eq!(
        step("run 0 [fail_message=1]"),
        format!("20: found `=`; expected {all}")
    );
    assert_eq!(
        step("run 0 [during=1 run]"),
        "17: found `run`; expected `:`"
    );
    assert_eq!(
        step("run 0 [during=1: run 0]"),
        "18: found `run`; expected `write`, `unmap`, `protect`, `unprotect` or `share`"
    );
    assert_eq!(
        step("run 0 [during=1: write 0 3 0]"),
        "26: found `3`; expected `1`, `4` or `8`"
    );
    assert_eq!(
        step("run 0 [during=1: unmap 64]"),
        "24: `64` is out of range; expected a guest page that has memory, 0 to 63"
    );
    assert_eq!(
        step("run 0 [draw=1] x"),
        "16: found `x`; expected the end of the line"
    );
    assert_eq!(
        step("page 5 absent [draw=1]"),
        "15: found `[`; expected `shared=`"
    );
}
