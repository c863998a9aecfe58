// SPDX-License-Identifier: GPL-2.0-or-later
//! Turns a scenario into a ready test in Rust.

use lguest_engine::PagingMode;

use crate::scenario_buf::ScenarioBuf;
use crate::text::print;

/// A file for `oracle/tests` with one test: that the scenario comes as it says, on both sides, in its modes.
///
/// `about` is the class of trouble, or what else should stand above it; the test fails until that trouble is mended,
/// unless the scenario expects it.
#[must_use]
pub fn rust(scenario: &ScenarioBuf, about: &str) -> String {
    let text = print(scenario);
    let about = one_line(about);
    let name = name(&about, scenario.machine.mode);
    // A scenario's text has neither a quote nor a number sign behind one; `=` lines may quote messages.
    let hashes = "#".repeat(longest_run(&text) + 1);
    format!(
        "// SPDX-License-Identifier: GPL-2.0-or-later
//! {about}

use lguest_oracle::rig::{{Hosts, modes}};
use lguest_oracle::text::parse;
use lguest_oracle::verify::{{Verdict, verify}};

const SCENARIO: &str = r{hashes}\"
{text}\"{hashes};

#[test]
fn {name}() {{
    let scenario = parse(SCENARIO.trim_start()).expect(\"a scenario\");
    let hosts = Hosts::new().expect(\"room for two hosts\");
    for mode in modes(scenario.machine.mode) {{
        match verify(&hosts, &scenario, *mode) {{
            Verdict::NoOriginal => {{
                eprintln!(\"skipped: this program was built without the original\");
            }}
            verdict => assert!(verdict.passed(), \"{{verdict}}\"),
        }}
    }}
}}
"
    )
}

fn one_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

/// A function's name of the words of a class.
fn name(about: &str, mode: PagingMode) -> String {
    let mut name = String::new();
    for c in about.chars().take(80) {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        Some('a'..='z') => name.to_owned(),
        _ => format!("{}_{name}", crate::rig::mode_name(mode)),
    }
}

/// The most number signs in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '#').map(str::len).max().unwrap_or(0)
}
