// SPDX-License-Identifier: GPL-2.0-or-later
//! Every word and mark of the text form, from the tables that it is read by: what a fuzzer of the text begins with.

use super::{head, lex, recorded, steps};
use lguest_engine::Verb;
use lguest_engine::scenario::HYPERCALLS;
use std::collections::BTreeSet;

/// Words that stand in no table, since one place alone reads them.
const ALONE: [&str; 12] = [
    "machine", "expect", "agree", "finding", "page", "shared", "pgd", "tables", "kernel", "read",
    "->", "..",
];

/// Words, marks, `NAME=` for what takes a value, and numbers in both ways, in order.
#[must_use]
pub fn words() -> BTreeSet<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    let mut add = |word: &str| {
        words.insert(word.to_owned());
    };
    Verb::ALL.iter().for_each(|verb| add(verb.name()));
    HYPERCALLS.iter().for_each(|(_, name)| add(name));
    steps::FAULT_WORDS.iter().for_each(|(word, _)| add(word));
    head::MODES.iter().for_each(|(word, _)| add(word));
    head::ORDERS.iter().for_each(|(word, _)| add(word));
    head::MAPPINGS.iter().for_each(|(word, _)| add(word));
    head::SWITCHES.iter().for_each(|(word, _)| add(word));
    lex::MARKS.into_iter().for_each(&mut add);
    recorded::WORDS.into_iter().for_each(&mut add);
    ALONE.into_iter().for_each(&mut add);
    for name in head::FIELDS.into_iter().chain(steps::QUALIFIERS) {
        add(name);
        add(&format!("{name}="));
    }
    ["0x", "0x1000", "0xc0000000", "0xffffffff", "# ", "\n"]
        .into_iter()
        .for_each(&mut add);
    words
}
