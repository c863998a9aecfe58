// SPDX-License-Identifier: GPL-2.0-or-later
//! The text form: what is written is read, whatever else is written does no harm.

mod common;
#[path = "common/shrunk.rs"]
mod shrunk;

use common::{mutated, scenario};
use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text::{Reader, format, parse, print};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Whatever a text is, reading it ends in a scenario that is the same after each other form.
fn check_text(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(s) => {
            prop_assert_eq!(s.check(), Ok(()));
            prop_assert_eq!(ScenarioBuf::from_bytes(&s.to_bytes()), Ok(s.clone()));
            prop_assert_eq!(parse(&print(&s)), Ok(s.clone()));
            let formatted = format(text).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(parse(&formatted), Ok(s));
            prop_assert_eq!(format(&formatted), Ok(formatted.clone()));
            prop_assert_eq!(comments(&formatted), comments(text));
        }
        Err(e) => {
            let lines: Vec<_> = text.split('\n').collect();
            prop_assert!((1..=lines.len()).contains(&e.line), "{e}");
            prop_assert!(
                (1..=lines[e.line - 1].chars().count() + 1).contains(&e.column),
                "{e}"
            );
            prop_assert!(!e.what.is_empty() && !e.expected.is_empty());
            prop_assert!(e.to_string().len() < 1000 && !e.to_string().contains(char::is_control));
            prop_assert_eq!(format(text), Err(e));
        }
    }
    Ok(())
}

fn comments(text: &str) -> Vec<String> {
    let lines = Reader::new(text).expect("a short text");
    let comments = lines.filter_map(|line| line.expect("a good line").comment);
    comments.map(|c| c.trim_end().to_owned()).collect()
}

/// Texts of the language's own words in no order.
fn word_soup() -> impl Strategy<Value = String> {
    let words = "machine mode=nopae mode pages=64 cpus=2 = nx=off expect agree finding C1 page 5 6..8 .. \
        absent read-only shared=6 boot_data kernel= LGUEST_INIT SET_PTE NEW_PGTABLE map pgd=0x2000 -> \
        tables=3 hypercall async demand_page present write user access read write 1 4 8 0x5067 \
        0xffffffffffffffff 18446744073709551616 0x device_write run guest_pa unmap share destroy [ ] \
        [fail_alloc=1 fail_message draw=3 during=2: fail_pin=256 : # #x - é \u{feff} \u{7f} \r";
    let words: Vec<_> = words.split(' ').filter(|w| !w.is_empty()).collect();
    let sep = select(vec![
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\n",
        "",
        "\t",
        "\nmachine mode=pae\n",
    ]);
    vec((select(words), sep), 0..40)
        .prop_map(|words| {
            words
                .into_iter()
                .map(|(word, sep)| format!("{word}{sep}"))
                .collect()
        })
        .prop_flat_map(|soup: String| {
            let start = select(vec![
                "",
                "machine mode=nopae\n",
                "machine cpus=2\nexpect agree\n",
            ]);
            start.prop_map(move |start| format!("{start}{soup}"))
        })
}

/// The line with other blanks, but for those of a message, which are part of it.
fn spread(line: &str, blank: &str) -> String {
    let parts = line.split('"').enumerate();
    let parts = parts.map(|(i, part)| match i % 2 {
        0 => part.replace(' ', blank),
        _ => format!("\"{part}\""),
    });
    parts.collect()
}

/// A text as a person might have left it: comments, blank lines, odd blanks.
fn untidy(text: String) -> impl Strategy<Value = String> {
    let before = select(vec![
        "",
        "",
        "",
        "\n",
        "\n\n\n",
        "# a word é\n",
        " #\n\n",
        "\t# x # y  \n",
    ]);
    let after = select(vec!["", "", " ", "# why", "   #why \t", "\t#"]);
    let n = text.lines().count();
    vec(
        (
            before,
            select(vec!["", " ", "\t "]),
            select(vec![" ", "  ", "\t"]),
            after,
        ),
        n,
    )
    .prop_map(move |odd| {
        let lines = text
            .lines()
            .zip(odd)
            .map(|(line, (before, indent, blank, after))| {
                format!("{before}{indent}{}{after}\n", spread(line, blank))
            });
        lines.collect()
    })
}

#[test]
fn scenarios_survive_the_text_form() {
    shrunk::holds("text-form", 1000, scenario(), |s| {
        let text = print(s);
        prop_assert_eq!(parse(&text), Ok(s.clone()));
        prop_assert_eq!(format(&text), Ok(text.clone()));
        // Through all three forms and back to the same text.
        let bytes = parse(&text).map(|s| s.to_bytes());
        let back = ScenarioBuf::from_bytes(&bytes.expect("a good text")).expect("good bytes");
        prop_assert_eq!(print(&back), text);
        Ok(())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..<_>::default() })]

    #[test]
    fn every_sublist_of_the_lines_is_a_scenario(s in scenario(), keep in any::<u64>()) {
        let text = print(&s);
        let head = 2;
        let kept = |i: usize| i < head || keep >> (i % 64) & 1 == 1;
        let sub = text.lines().enumerate().filter(|(i, _)| kept(*i));
        let sub: String = sub.map(|(_, line)| format!("{line}\n")).collect();
        let mut expected = s;
        let mut i = head..;
        expected.pages.retain(|_| i.next().is_some_and(kept));
        expected.steps.retain(|_| i.next().is_some_and(kept));
        prop_assert_eq!(parse(&sub), Ok(expected));
    }

    #[test]
    fn any_text_is_a_scenario_or_an_error(text in ".*|(?s).{0,200}") {
        check_text(&text)?;
    }

    #[test]
    fn any_words_are_a_scenario_or_an_error(text in word_soup()) {
        check_text(&text)?;
    }

    #[test]
    fn a_changed_text_is_a_scenario_or_an_error(
        bytes in scenario().prop_flat_map(|s| mutated(print(&s).into_bytes()))
    ) {
        check_text(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn an_untidy_text_is_tidied_and_keeps_its_comments(
        (s, text) in scenario().prop_flat_map(|s| (Just(s.clone()), untidy(print(&s))))
    ) {
        check_text(&text)?;
        prop_assert_eq!(parse(&text), Ok(s.clone()));
        let tidy = format(&text).expect("a good text");
        let bare = tidy.lines().map(|l| l.split('#').next().unwrap_or("").trim_end());
        let bare: String = bare.filter(|l| !l.is_empty()).map(|l| format!("{l}\n")).collect();
        prop_assert_eq!(bare, print(&s));
    }
}

/// One of everything, in the canonical form.
const EVERYTHING: &str = "\
# Everything there is.

machine mode=both pages=100 device_pages=0 cpus=2 switcher=0xfff00000 mem_base=0x20000000 nx=off \
global=off tsc_khz=1 reuse=seeded tables=9 seed=0x1  # a machine
# what must come of it
expect finding C_1a

page 5 absent
page 6..8 copy-on-write shared=6
page 9 read-only
page 9 writable shared=0
boot_data 0x1000 kernel=0xc0000000
LGUEST_INIT 0x1000
FLUSH_ASYNC
SHUTDOWN 0x3000 1
map pgd=0x2000 0xc0000000 -> 0x8000000000005067 tables=3
NEW_PGTABLE 0x2000
FLUSH_TLB 1
LOAD_IDT_ENTRY 3 0x60 0xef00
SET_STACK 105 0xc0001000 2
TS 0
SET_CLOCKEVENT 1000
HALT
SET_PMD 0x3000 5
SET_PTE 0x2000 0xc0000000 0x5067
SET_PTE 0x2000 0xc0000000 0xffffffffffffffff
SET_PGD 0x2000 768
LOAD_TLS 0x1000
LOAD_GDT_ENTRY 3 0xffff 0xcf9a00
SEND_INTERRUPTS
hypercall 99 0x1 0x2 0x3 0x4
hypercall 14 0x1 0x2 0x3 0x4  # would be SET_PTE
hypercall 4 0x2000 0x0 0x0 0x1
async SET_PTE 0x2000 0x1000 0x5067
async hypercall 4294967295 0x0 0x0 0x0 0x0
demand_page 0xc0000000
demand_page 0xc0000000 present write user
access 0x1000 read
access 0x1000 read user
access 0x1004 write 0x55
access 0x1004 write 0x55 user
write 0x2000 1 0xff
write 0x2000 4 0xffffffff
device_write 0x2000 8 0xffffffffffffffff
run 1
guest_pa 0x1000
unmap 5
protect 5
unprotect 5
share 5 [fail_alloc=1 fail_pin=2 fail_copy=255 fail_message draw=3 during=2: write 0x2000 4 0x0]
run 0 [fail_message]
run 0 [draw=0]
run 0 [during=1: unmap 5]
run 0 [during=1: protect 5]
run 0 [during=1: unprotect 5]
run 0 [during=1: share 5]
destroy
# the end
";

#[test]
fn everything_is_canonical_as_it_is_printed() {
    // hypercall 14 with what SET_PTE could say is printed as that, the others stay.
    let canonical = EVERYTHING.replace(
        "hypercall 14 0x1 0x2 0x3 0x4  # would be SET_PTE",
        "SET_PTE 0x1 0x2 0x400000003  # would be SET_PTE",
    );
    assert_eq!(format(EVERYTHING).as_ref(), Ok(&canonical));
    assert_eq!(format(&canonical).as_ref(), Ok(&canonical));
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = "machine mode=nopae\nexpect agree\n";
    assert_eq!(format("machine"), Ok(text.into()));
    assert_eq!(format("\n\nmachine\n\n"), Ok(text.into()));
    assert_eq!(parse("machine"), Ok(ScenarioBuf::default()));
    assert_eq!(
        format("machine\n# a\n\n\nhypercall 4 # b\nwrite 010 4 00").expect("good"),
        "machine mode=nopae\nexpect agree\n# a\n\nNEW_PGTABLE 0x0  # b\nwrite 0xa 4 0x0\n"
    );
}

#[test]
fn qualifiers_come_in_any_order() {
    let text = "machine\nrun 0[ during = 1 : unmap 0x5 draw=1 fail_message ]";
    let text = format(text).expect("good");
    assert!(
        text.ends_with("\nrun 0 [fail_message draw=1 during=1: unmap 5]\n"),
        "{text}"
    );
}
