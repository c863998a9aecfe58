// SPDX-License-Identifier: GPL-2.0-or-later
//! What a line of a recording says, with all numbers taken out: a step's outcome, each thing that changed, each call.

use super::feature::Sort;

/// Flags of an entry that are told apart, by their bits; the others come from nobody's choice but a fuzzer's.
const FLAGS: [(u64, &str); 7] = [
    (0x1, "P"),
    (0x2, "RW"),
    (0x4, "US"),
    (0x20, "A"),
    (0x40, "D"),
    (0x100, "G"),
    (1 << 63, "NX"),
];

/// Calls that do nothing by themselves: what such a step does is the ring's doing, whichever of them it is.
const IDLE: [&str; 9] = [
    "FLUSH_ASYNC",
    "LOAD_IDT_ENTRY",
    "TS",
    "SET_CLOCKEVENT",
    "HALT",
    "LOAD_TLS",
    "LOAD_GDT_ENTRY",
    "SEND_INTERRUPTS",
    "hypercall",
];

/// Hands out what a line says, piece by piece.
pub fn read(line: &str, mut say: impl FnMut(Sort, String)) {
    let Some((head, rest)) = line.split_once(": ") else {
        return;
    };
    let verb = head.split_once(' ').map_or(head, |(_, verb)| verb);
    let verb = if IDLE.contains(&verb) {
        "idle call"
    } else {
        verb
    };
    let rest = rest
        .rsplit_once(" #")
        .filter(|(_, digest)| digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
        .map_or(rest, |(said, _)| said);
    let mut parts = rest.split("; ");
    let outcome = parts.next().unwrap_or_default();
    // A table's number, or what a word holds, is no behaviour.
    let outcome = outcome.split_once(", ").map_or(outcome, |(first, _)| {
        if first.starts_with("fixed") || first.starts_with("not fixed") {
            outcome
        } else {
            first
        }
    });
    say(Sort::Outcome, format!("{verb}: {}", words(outcome)));
    for part in parts {
        let (sort, what) = item(part);
        say(sort, format!("{verb}: {what}"));
    }
}

/// One thing that a line tells behind the outcome.
fn item(part: &str) -> (Sort, String) {
    if let Some(text) = part.strip_prefix("dead ") {
        let text = text.trim_matches('"').trim_end_matches("\\n");
        // The guest's own words behind it are anything.
        let text = if text.starts_with("CRASH:") {
            "CRASH:"
        } else {
            text
        };
        // An errno stands as it is, without quotes.
        let text = match part.contains('"') {
            true => words(text),
            false => text.to_owned(),
        };
        return (Sort::Death, format!("dead {text}"));
    }
    if let Some(at) = part.strip_prefix('+') {
        return (Sort::Change, format!("adds {}", entry(at)));
    }
    if let Some(at) = part.strip_prefix('=') {
        return (Sort::Change, format!("changes {}", entry(at)));
    }
    if let Some(at) = part.strip_prefix('-') {
        return (
            Sort::Change,
            format!("drops level {}", at.matches('/').count()),
        );
    }
    if let Some(held) = part.strip_prefix("held ") {
        let (name, count) = held.split_once(" = ").unwrap_or((held, ""));
        let count = match count {
            "0" | "1" => count,
            _ => "many",
        };
        return (Sort::Change, format!("held {} {count}", names(name)));
    }
    if let Some((field, value)) = part.split_once('=').filter(|(field, _)| is_field(field)) {
        let field = field.split('[').next().unwrap_or(field);
        let value = match value {
            "true" | "false" | "allocated" | "none" | "-1" => value,
            _ => "other",
        };
        return (Sort::Change, format!("{field} {value}"));
    }
    (Sort::Call, call(part))
}

fn is_field(name: &str) -> bool {
    name.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'[' | b']'))
}

/// `1/32/72 0x25 guest page 33`: level, flags, and what it names.
fn entry(text: &str) -> String {
    let mut parts = text.splitn(3, ' ');
    let level = parts.next().unwrap_or_default().matches('/').count();
    let flags = parts.next().unwrap_or_default();
    let bits = flags
        .strip_prefix("0x")
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .unwrap_or(0);
    let mut out = format!("level {level}");
    for (bit, name) in FLAGS {
        if bits & bit != 0 {
            out.push(' ');
            out.push_str(name);
        }
    }
    format!("{out}, {}", names(parts.next().unwrap_or_default()))
}

/// A kernel call: its name, whether for writing, whether it failed, what it was about.
fn call(text: &str) -> String {
    let name = text.split(' ').next().unwrap_or_default();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        // There were more than a line has room for.
        return "many calls".to_owned();
    }
    let mut out = name.to_owned();
    if let Some((_, write)) = text.split_once(" write=") {
        out.push_str(if write.starts_with("0 ") {
            " to read"
        } else {
            " to write"
        });
    }
    if text.ends_with(" failed") {
        out.push_str(" failed");
    } else if name == "get_user_pages_fast" {
        let got = text.split_once(" = ").map_or("", |(_, got)| got);
        out.push_str(&format!(", {}", names(got)));
    } else if matches!(name, "put_page" | "get_page" | "free_page") {
        let of = text.split_once(' ').map_or("", |(_, of)| of);
        out.push_str(&format!(" {}", names(of)));
    }
    out
}

/// A frame's name without its numbers.
fn names(text: &str) -> String {
    words(text).replace(" #", "")
}

/// A text in which `#` stands for each number.
fn words(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            out.push('#');
        } else {
            out.push_str(&word);
        }
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Vec<String> {
        let mut all = Vec::new();
        read(line, |sort, words| all.push(format!("{sort:?} {words}")));
        all
    }

    #[test]
    fn numbers_are_left_out_and_the_rest_is_told() {
        let line = "6 demand_page: fixed; last_host_cpu[1]=0; +1/32/72 0x25 guest page 33; -0/1023; held guest page 33 = 1; \
                    get_user_pages_fast 0x10021000 write=0 = guest page 33; copy_to_user 0x10010120 failed #e1037bd7ee55f297";
        let expected = [
            "Outcome demand_page: fixed",
            "Change demand_page: last_host_cpu other",
            "Change demand_page: adds level 2 P US A, guest page",
            "Change demand_page: drops level 1",
            "Change demand_page: held guest page 1",
            "Call demand_page: get_user_pages_fast to read, guest page",
            "Call demand_page: copy_to_user failed",
        ];
        assert_eq!(said(line), expected);
    }

    #[test]
    fn deaths_are_told_by_their_texts_and_a_guests_own_words_are_not() {
        let line = "2 SHUTDOWN: killed; dead \"bad read address 0x5000 len 4\"";
        let expected = [
            "Outcome SHUTDOWN: killed",
            "Death SHUTDOWN: dead bad read address # len #",
        ];
        assert_eq!(said(line), expected);
        let own = said("2 SHUTDOWN: killed; dead \"CRASH: one two\"");
        assert_eq!(own[1], "Death SHUTDOWN: dead CRASH:");
        let errno = said("5 access: killed; dead -12; 97 more #e1037bd7ee55f297");
        let expected = ["Death access: dead -12", "Call access: many calls"];
        assert_eq!(errno[1..], expected);
        let number = said("5 hypercall: killed; dead \"Bad hypercall 0xffeeffff\\n\"");
        assert_eq!(number[1], "Death idle call: dead Bad hypercall #");
        let shared = said("5 access: done; held guest page 33, shared = 2");
        assert_eq!(shared[1], "Change access: held guest page, shared many");
    }

    #[test]
    fn the_two_lines_of_another_form_say_what_they_can() {
        assert_eq!(
            said("end: held 0 tables, 0 references"),
            ["Outcome end: held # tables"]
        );
        assert!(said("lguest recording 1").is_empty());
    }
}
