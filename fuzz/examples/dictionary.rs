// SPDX-License-Identifier: GPL-2.0-or-later
//! Prints the dictionary of the target `text`: `cargo run --example dictionary > dictionaries/text.dict`.

fn main() {
    print!("{}", lguest_fuzz::dictionary::text());
}
