// SPDX-License-Identifier: GPL-2.0-or-later
//! A dictionary for the target `text`, in the form that libFuzzer and AFL read: the words of the text form itself.

use lguest_oracle::text::words;

/// The dictionary, a word a line.
#[must_use]
pub fn text() -> String {
    let mut out = String::from(
        "# SPDX-License-Identifier: GPL-2.0-or-later\n# Made by: cargo run --example dictionary\n",
    );
    for word in words() {
        out.push('"');
        for byte in word.bytes() {
            match byte {
                b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
                b' '..=b'~' => out.push(char::from(byte)),
                _ => out.push_str(&format!("\\x{byte:02x}")),
            }
        }
        out.push_str("\"\n");
    }
    out
}
