// SPDX-License-Identifier: GPL-2.0-or-later
//! The dictionary that is checked in is the one that the text form's tables give, and holds what scenarios are made of.

use std::fs;
use std::path::Path;

use lguest_oracle::text::{parse, words};

#[test]
fn the_dictionary_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries/text.dict");
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == lguest_fuzz::dictionary::text(),
        "cargo run --example dictionary > dictionaries/text.dict"
    );
}

#[test]
fn the_words_of_the_corpora_are_in_it() {
    let words = words();
    let mut seen = 0;
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora");
    for file in lguest_oracle::load::find(&corpora).expect("corpora") {
        let text = fs::read_to_string(&file).expect("text");
        parse(&text).expect("a scenario");
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or("");
            if line.trim_start().starts_with(['=', 'e']) {
                // Recorded texts, and the names of findings.
                continue;
            }
            let parts = line.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
            for word in parts.filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
                seen += 1;
                assert!(words.contains(word), "{}: {word}", file.display());
            }
        }
    }
    assert!(seen > 1000, "{seen} words");
}
